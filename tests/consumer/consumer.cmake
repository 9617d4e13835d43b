# Projects that use weir as strangers do: from an installation in a folder of its own, or with the sources inside.
# Each folder here is one such project, configured, built and run from scratch by run.cmake.

set(prefix ${CMAKE_CURRENT_BINARY_DIR}/consumer/prefix)
add_test(NAME consumer/install
    COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --config $<CONFIG> --prefix ${prefix})
set_tests_properties(consumer/install PROPERTIES FIXTURES_SETUP installed LABELS consumer)

set(projects find_package find_package_3.18 wrong_version add_subdirectory fetch_content sets_nothing)
if(TARGET Boost::headers)
    list(APPEND projects asio)
endif()
if(WEIR_HAS_NETTLE)
    list(APPEND projects md5)
endif()
foreach(project IN LISTS projects)
    add_test(NAME consumer/${project} COMMAND ${CMAKE_COMMAND}
        -D project=${CMAKE_CURRENT_SOURCE_DIR}/consumer/${project}
        -D build=${CMAKE_CURRENT_BINARY_DIR}/consumer/${project}
        -D prefix=${prefix}
        -D weir=${PROJECT_SOURCE_DIR}
        -D version=${PROJECT_VERSION}
        -D compiler=${CMAKE_CXX_COMPILER}
        -D generator=${CMAKE_GENERATOR}
        -P ${CMAKE_CURRENT_SOURCE_DIR}/consumer/run.cmake)
    set_tests_properties(consumer/${project} PROPERTIES FIXTURES_REQUIRED installed LABELS consumer TIMEOUT 300)
endforeach()
