# Turns the files of web/ into a C++ source, so that the pages need no file beside the program.
# As a module: regsweep_web_source(VARIABLE) gives the name of that source, made again whenever a file changes.
# As a script: cmake -DWEB=<web/> -DOUT=<source> -P RegsweepWeb.cmake
set(web_files page.html page.css common.js bench.js report.js vendor/charts.js)

if(NOT CMAKE_SCRIPT_MODE_FILE)
  function(regsweep_web_source variable)
    set(web ${PROJECT_SOURCE_DIR}/web)
    set(made ${PROJECT_BINARY_DIR}/web/files.cpp)
    list(TRANSFORM web_files PREPEND ${web}/ OUTPUT_VARIABLE inputs)
    add_custom_command(OUTPUT ${made}
      COMMAND ${CMAKE_COMMAND} -DWEB=${web} -DOUT=${made} -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
      DEPENDS ${inputs} ${CMAKE_CURRENT_FUNCTION_LIST_FILE} VERBATIM)
    set(${variable} ${made} PARENT_SCOPE)
  endfunction()
  return()
endif()

set(text "#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n#include \"web/files.hpp\"\n\nnamespace regsweep::web {\n\n")
foreach(file IN LISTS web_files)
  file(READ ${WEB}/${file} content)
  if(content MATCHES "\\)page\"|</script|<script[^>]*src|<!--" AND NOT file STREQUAL "page.html")
    message(FATAL_ERROR "${file}: holds what ends a script element, a comment or the literal that is made of it")
  endif()
  get_filename_component(name ${file} NAME)
  string(REPLACE "." "_" name ${name})
  string(APPEND text "const std::string_view ${name} = R\"page(${content})page\";\n\n")
endforeach()
string(APPEND text "} // namespace regsweep::web\n")
file(WRITE ${OUT} "${text}")
