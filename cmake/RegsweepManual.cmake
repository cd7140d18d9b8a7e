# What is made of the program's own commands and options: the manual's pages and the shells' completions. The program
# writes them right after it is linked, so that they cannot differ from `--help`.
set(manual ${PROJECT_BINARY_DIR}/manual)
set(completions ${PROJECT_BINARY_DIR}/completions)
add_custom_command(TARGET regsweep POST_BUILD
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${manual} ${completions}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${manual} ${completions}
  COMMAND regsweep __manual ${PROJECT_SOURCE_DIR}/docs/regsweep.1 ${manual}
  COMMAND regsweep completion bash >${completions}/regsweep
  COMMAND regsweep completion zsh >${completions}/_regsweep
  COMMAND regsweep completion fish >${completions}/regsweep.fish)
set_property(TARGET regsweep APPEND PROPERTY LINK_DEPENDS ${PROJECT_SOURCE_DIR}/docs/regsweep.1)
install(DIRECTORY ${manual}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${completions}/regsweep DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${completions}/_regsweep DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${completions}/regsweep.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
