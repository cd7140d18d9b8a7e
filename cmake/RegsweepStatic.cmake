# What the program takes from archives rather than shared libraries, so that it can be copied to another Debian 12.
# OpenSSL and zlib stay shared: they read what the network sends, and get security updates without a new build.
# docs/packages.md lists what is left; the test `program.libraries` holds the program against it.
set(static_default ${PROJECT_IS_TOP_LEVEL})
if(REGSWEEP_SANITIZE)
  set(static_default OFF)
endif()
option(REGSWEEP_STATIC_LIBS "Link libstdc++, SQLite, PCRE2 and yaml-cpp into the program" ${static_default})

# regsweep_from_archive(TARGET NAME [LIBRARY...]): the imported target links libNAME.a, and the libraries that this needs.
function(regsweep_from_archive target name)
  find_library(REGSWEEP_ARCHIVE_${name} lib${name}.a)
  if(NOT REGSWEEP_ARCHIVE_${name})
    message(FATAL_ERROR "lib${name}.a is not there; install it, or configure with -DREGSWEEP_STATIC_LIBS=OFF")
  endif()
  get_target_property(location ${target} IMPORTED_LOCATION)
  if(location)
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${REGSWEEP_ARCHIVE_${name}})
    target_link_libraries(${target} INTERFACE ${ARGN})
  else() # of pkg-config: an interface that names the file
    set_target_properties(${target} PROPERTIES INTERFACE_LINK_LIBRARIES "${REGSWEEP_ARCHIVE_${name}};${ARGN}")
  endif()
endfunction()

if(REGSWEEP_STATIC_LIBS)
  regsweep_from_archive(PkgConfig::PCRE2 pcre2-8)
  regsweep_from_archive(PkgConfig::YAML_CPP yaml-cpp)
  # scripts/bench.sh tells SQLite's allocations from others by the library they come from.
  if(NOT REGSWEEP_BUILD_BENCHMARKS)
    regsweep_from_archive(SQLite::SQLite3 sqlite3 m ${CMAKE_DL_LIBS} Threads::Threads)
  endif()
endif()

# regsweep_static_runtime(TARGET): the compiler's libraries, too.
function(regsweep_static_runtime target)
  if(REGSWEEP_STATIC_LIBS)
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc)
  endif()
endfunction()

# regsweep_test_libraries(TARGET): a test that the program needs what docs/packages.md says and nothing else.
function(regsweep_test_libraries target)
  if(REGSWEEP_STATIC_LIBS)
    add_test(NAME program.libraries
             COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:${target}> -DDOCUMENT=${PROJECT_SOURCE_DIR}/docs/packages.md
                     -DALSO=$<$<BOOL:${REGSWEEP_BUILD_BENCHMARKS}>:libsqlite3.so.0> -DOBJDUMP=${CMAKE_OBJDUMP}
                     -P ${PROJECT_SOURCE_DIR}/cmake/RegsweepLibraries.cmake)
    set_tests_properties(program.libraries PROPERTIES LABELS integration)
  endif()
endfunction()
