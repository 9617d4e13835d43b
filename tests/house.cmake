# Tests of the house itself, in CMake alone, so that a bare machine can run them.

# Every header compiles alone, and twice: the target weir_self_contained, which takes minutes and is built by .ci/run.
set(alone ${weir_headers} ${weir_asio_headers} ${weir_md5_headers})
if(NOT TARGET Boost::headers)
    list(FILTER alone EXCLUDE REGEX "^weir/asio/")
endif()
if(NOT WEIR_HAS_NETTLE)
    list(REMOVE_ITEM alone ${weir_md5_headers})
endif()
# A header that begins with another one shows that this needs nothing before it, and spares it a compiler of its own.
set(begun)
foreach(header IN LISTS alone)
    file(STRINGS ${PROJECT_SOURCE_DIR}/include/${header} code REGEX "^[^/]" LIMIT_COUNT 2) # the first is #pragma once
    set(first_of_${header})
    if(code MATCHES "^#pragma once;#include \"([^\"]+)\"$")
        cmake_path(GET header PARENT_PATH folder)
        cmake_path(SET first NORMALIZE ${folder}/${CMAKE_MATCH_1})
        if(first IN_LIST alone)
            set(first_of_${header} ${first})
            list(APPEND begun ${first})
        endif()
    endif()
endforeach()
set(header_objects)
set(spared)
foreach(header IN LISTS alone)
    set(content "#include <${header}>\n")
    set(again ${header})
    while(again)
        string(APPEND content "#include <${again}> // NOLINT(readability-duplicate-include)\n")
        set(again ${first_of_${again}})
    endwhile()
    string(REGEX REPLACE "\\.hpp$" ".cpp" source ${header})
    set(source ${CMAKE_CURRENT_BINARY_DIR}/self_contained/${source})
    file(CONFIGURE OUTPUT ${source} CONTENT "${content}" @ONLY)
    if(header IN_LIST begun)
        list(APPEND spared ${source})
    else()
        list(APPEND header_objects ${source})
    endif()
endforeach()
add_library(weir_self_contained OBJECT EXCLUDE_FROM_ALL ${header_objects})
add_library(weir_spared OBJECT EXCLUDE_FROM_ALL ${spared}) # never built: scripts/tidy asks for the flags of each header
foreach(target weir_self_contained weir_spared)
    target_link_libraries(${target} PRIVATE weir_development)
    if(weir_asio_headers AND TARGET Boost::headers)
        target_link_libraries(${target} PRIVATE weir::asio)
    endif()
endforeach()

# No header includes upward, and the rule itself works: on a planted tree it finds each kind of fault.
set(floors ${CMAKE_CURRENT_SOURCE_DIR}/floors.cmake)
add_test(NAME house/floors COMMAND ${CMAKE_COMMAND} -D include_dir=${PROJECT_SOURCE_DIR}/include -P ${floors})
foreach(fault upward sideways unlisted foreign umbrella)
    set(tree ${CMAKE_CURRENT_BINARY_DIR}/floors/${fault})
    file(WRITE ${tree}/weir/hash.hpp "#include <cstdint>\n")
    add_test(NAME house/floors_find_${fault} COMMAND ${CMAKE_COMMAND} -D include_dir=${tree} -P ${floors})
endforeach()
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/floors/upward/weir/fwd.hpp "  #  include \"weir/registry.hpp\"\n")
set_tests_properties(house/floors_find_upward PROPERTIES
    PASS_REGULAR_EXPRESSION "weir/fwd.hpp \\(floor 0\\) includes weir/registry.hpp \\(floor 2\\)")
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/floors/sideways/weir/adapt/priority.hpp "#include <weir/select/random.hpp>\n")
set_tests_properties(house/floors_find_sideways PROPERTIES
    PASS_REGULAR_EXPRESSION "weir/adapt/priority.hpp must not include weir/select/random.hpp")
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/floors/unlisted/weir/odds_and_ends.hpp "#pragma once\n")
set_tests_properties(house/floors_find_unlisted PROPERTIES
    PASS_REGULAR_EXPRESSION "weir/odds_and_ends.hpp has no floor: add it to tests/floors.cmake")
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/floors/foreign/weir/random.hpp "#include <unistd.h>\n#include <cstdint>\n")
set_tests_properties(house/floors_find_foreign PROPERTIES
    PASS_REGULAR_EXPRESSION "weir/random.hpp includes <unistd.h>: only weir/detail/os.hpp may")

file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/floors/umbrella/weir/weir.hpp "#include \"hashing/functions/md5.hpp\"\n")
set_tests_properties(house/floors_find_umbrella PROPERTIES
    PASS_REGULAR_EXPRESSION "weir/weir.hpp must not include weir/hashing/functions/md5.hpp")

# Nothing grows beyond what its reader is promised, and no selector is forgotten by the programs that take one by name;
# on a tree with both faults each test finds its own.
set(tree ${CMAKE_CURRENT_BINARY_DIR}/house)
string(REPEAT "\n" 251 many)
file(WRITE ${tree}/include/weir/long.hpp "${many}")
string(REPEAT "\n" 401 many)
file(WRITE ${tree}/examples/tiny_proxy/one.hpp "${many}")
file(WRITE ${tree}/examples/tiny_proxy/two.cpp "${many}")
file(WRITE ${tree}/include/weir/select/best.hpp "template <class Backend>\nclass best : public random<Backend> {};\n")
file(WRITE ${tree}/examples/common/balancers.hpp "named_balancer<weir::random_policy>{\"better\"},\n")
foreach(rule sizes balancers)
    set(script ${CMAKE_CURRENT_SOURCE_DIR}/${rule}.cmake)
    add_test(NAME house/${rule} COMMAND ${CMAKE_COMMAND} -D root=${PROJECT_SOURCE_DIR} -P ${script})
    add_test(NAME house/${rule}_find COMMAND ${CMAKE_COMMAND} -D root=${tree} -P ${script})
endforeach()
set_tests_properties(house/sizes_find PROPERTIES PASS_REGULAR_EXPRESSION
    "include/weir/long.hpp has 251 lines; 250 are the most.*tiny_proxy has 802 lines; 800 are the most")
set_tests_properties(house/balancers_find PROPERTIES
    PASS_REGULAR_EXPRESSION "best of weir/select/best.hpp has no line in examples/common/balancers.hpp")

# The pages show only what is compiled and run.
add_test(NAME house/docs COMMAND ${CMAKE_COMMAND} -D root=${PROJECT_SOURCE_DIR} -P ${CMAKE_CURRENT_SOURCE_DIR}/docs.cmake)

# Each requirement that others' faults taught has its named tests.
add_test(NAME house/hardening COMMAND ${CMAKE_COMMAND} -D root=${PROJECT_SOURCE_DIR} -P ${CMAKE_CURRENT_SOURCE_DIR}/hardening.cmake)

# Each compile_fail/*.cpp is refused by the compiler, in the words that its `// expect:` lines give.
separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS} ${weir_stdlib_flag} ${CMAKE_CXX20_STANDARD_COMPILE_OPTION}")
# Without source excerpts: the words must come from the diagnostic, not from the line it quotes.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND flags -fno-diagnostics-show-caret)
else()
    list(APPEND flags -fno-caret-diagnostics)
endif()
function(add_compile_fail_test name source)
    add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -D source=${source} -D compiler=${CMAKE_CXX_COMPILER}
        "-Dflags=${flags};-I${PROJECT_SOURCE_DIR}/include" -P ${CMAKE_CURRENT_SOURCE_DIR}/compile_fail.cmake)
    set_tests_properties(${name} PROPERTIES TIMEOUT ${WEIR_TEST_TIMEOUT})
endfunction()
file(GLOB refused CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/*.cpp)
foreach(source IN LISTS refused)
    cmake_path(GET source STEM name)
    add_compile_fail_test(compile_fail/${name} ${source})
endforeach()

# The driver is tested too: what compiles, what fails in other words and what never compiles are all found out.
set(trials ${CMAKE_CURRENT_BINARY_DIR}/compile_fail)
file(WRITE ${trials}/compiles.cpp "// expect: anything\nint main() {}\n")
file(WRITE ${trials}/other_words.cpp "// expect: a word\n#ifndef WEIR_FIXED\nstatic_assert(false, \"another\");\n#endif\n")
file(WRITE ${trials}/never_compiles.cpp "// expect: some words\nstatic_assert(false, \"some words\");\n")
file(WRITE ${trials}/silent.cpp "static_assert(false);\n")
foreach(trial compiles other_words never_compiles silent)
    add_compile_fail_test(house/compile_fail_finds_${trial} ${trials}/${trial}.cpp)
endforeach()
set_tests_properties(house/compile_fail_finds_compiles PROPERTIES PASS_REGULAR_EXPRESSION "it compiles")
set_tests_properties(house/compile_fail_finds_other_words PROPERTIES PASS_REGULAR_EXPRESSION "does not say: a word")
set_tests_properties(house/compile_fail_finds_never_compiles PROPERTIES PASS_REGULAR_EXPRESSION "even with WEIR_FIXED")
set_tests_properties(house/compile_fail_finds_silent PROPERTIES PASS_REGULAR_EXPRESSION "no `// expect: ` line")

# A vcpkg port must spell its version out: the one place that is not the header.
file(READ ${PROJECT_SOURCE_DIR}/packaging/vcpkg/ports/weir/vcpkg.json manifest)
string(JSON manifest_version GET "${manifest}" version-semver)
if(NOT manifest_version VERSION_EQUAL PROJECT_VERSION)
    message(FATAL_ERROR "packaging/vcpkg/ports/weir/vcpkg.json says ${manifest_version}, version.hpp ${PROJECT_VERSION}")
endif()

if(WEIR_INSTALL)
    include(consumer/consumer.cmake)
endif()
