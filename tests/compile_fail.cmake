# cmake -D source=FILE -D compiler=PROGRAM -D flags=LIST -P compile_fail.cmake
# FILE must not compile, and the compiler must say what its `// expect: ` lines say. With WEIR_FIXED defined it must
# compile: otherwise it might fail for a missing semicolon.

set(ENV{LC_ALL} C)
set(compile ${compiler} ${flags} -fsyntax-only)

file(STRINGS ${source} expectations REGEX "^ *// expect: ")
if(NOT expectations)
    # The leading space of each message keeps CMake from wrapping it.
    message(FATAL_ERROR " ${source}: no `// expect: ` line")
endif()

execute_process(COMMAND ${compile} ${source} RESULT_VARIABLE result ERROR_VARIABLE diagnostics)
if(result EQUAL 0)
    message(FATAL_ERROR " ${source}: it compiles, and should not")
endif()
foreach(expectation IN LISTS expectations)
    string(REGEX REPLACE "^ *// expect: " "" expectation "${expectation}")
    string(FIND "${diagnostics}" "${expectation}" position)
    if(position EQUAL -1)
        message(FATAL_ERROR " ${source}: the compiler does not say: ${expectation}\nIt says:\n${diagnostics}")
    endif()
endforeach()

execute_process(COMMAND ${compile} -DWEIR_FIXED ${source} RESULT_VARIABLE result ERROR_VARIABLE diagnostics)
if(NOT result EQUAL 0)
    message(FATAL_ERROR " ${source}: even with WEIR_FIXED it does not compile:\n${diagnostics}")
endif()
