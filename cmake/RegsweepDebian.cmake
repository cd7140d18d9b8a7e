# `cpack -G DEB` makes the package `regsweep` of everything installed but the component `development`.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME regsweep)
set(CPACK_PACKAGE_VENDOR "the regsweep authors")
set(CPACK_PACKAGE_CONTACT "regsweep maintainers <regsweep@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "crawler and cleaner for Docker and OCI registries")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL regsweep)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/RegsweepDebianFiles.cmake)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_REGSWEEP_PACKAGE_NAME regsweep)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_COMPONENT_REGSWEEP_DESCRIPTION
"Reads a registry into a two-way index: tag to digest, and digest to every tag
that uses it. From that index it lists, selects and deletes images, never a
digest that something outside the selection uses, and puts back what it
deleted. It also prunes by a retention policy and measures a registry's speed.")
include(CPack)
