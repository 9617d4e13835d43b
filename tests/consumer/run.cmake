# Configures, builds, installs and runs one consumer from scratch; see consumer.cmake for what is passed.

file(REMOVE_RECURSE ${build})
execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${project} -B ${build} -G ${generator} --warn-uninitialized
        -D CMAKE_CXX_COMPILER=${compiler} -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_INSTALL_PREFIX=${build}/installed
        -D WEIR_SOURCE=${weir} -D WEIR_VERSION=${version}
    COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${build} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --install ${build} COMMAND_ERROR_IS_FATAL ANY)
if(EXISTS ${build}/program)
    execute_process(COMMAND ${build}/program COMMAND_ERROR_IS_FATAL ANY)
endif()

file(GLOB_RECURSE installed ${build}/installed/*)
if(installed)
    message(FATAL_ERROR "the consumer installs what is weir's: ${installed}")
endif()
