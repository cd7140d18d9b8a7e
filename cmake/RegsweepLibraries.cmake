# Compares the shared libraries that PROGRAM needs with those in the table of DOCUMENT, and the one in ALSO.
execute_process(COMMAND ${OBJDUMP} -p ${PROGRAM} OUTPUT_VARIABLE headers COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "NEEDED +[^\n]+" needed "${headers}")
list(TRANSFORM needed REPLACE "NEEDED +" "")
list(FILTER needed EXCLUDE REGEX "^ld-linux")
list(REMOVE_ITEM needed "${ALSO}")

file(STRINGS ${DOCUMENT} told REGEX "^\\| `lib[^`]*\\.so[^`]*` \\|")
list(TRANSFORM told REPLACE "^\\| `([^`]+)`.*" "\\1")

list(SORT needed)
list(SORT told)
if(NOT needed OR NOT needed STREQUAL told)
  message(FATAL_ERROR "${PROGRAM} needs ${needed}, and ${DOCUMENT} tells of ${told}")
endif()
message(STATUS "${PROGRAM} needs ${needed}")
