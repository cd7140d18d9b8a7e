# Run by cpack before it packs: what Debian wants of the files that `cmake --install` leaves otherwise.
# SOURCE_DATE_EPOCH sets the changelog's time and, with it, makes the same package twice.
set(root ${CPACK_TEMPORARY_DIRECTORY}/regsweep/usr)
set(doc ${root}/share/doc/regsweep)

file(RENAME ${doc}/LICENSE ${doc}/copyright)
# Debian's zsh looks for packages' completions there.
file(RENAME ${root}/share/zsh/site-functions ${root}/share/zsh/vendor-completions)

string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE ${doc}/changelog.Debian
     "regsweep (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) stable; urgency=medium\n\n"
     "  * Package of version ${CPACK_PACKAGE_VERSION}.\n\n"
     " -- ${CPACK_PACKAGE_CONTACT}  ${now}\n")

file(GLOB_RECURSE compressed ${root}/share/man/*.[1-8])
execute_process(COMMAND gzip -9nf ${compressed} ${doc}/changelog.Debian COMMAND_ERROR_IS_FATAL ANY)
