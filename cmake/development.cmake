# What weir's own tests, examples and benchmarks are built with; nothing in here reaches a consumer.

set(WEIR_STDLIB "" CACHE STRING "Standard library for weir's own targets: empty for the compiler's default, or libc++")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_EXTENSIONS OFF)

find_program(WEIR_CCACHE ccache)
if(WEIR_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # The sloppiness is what ccache asks for where a header is precompiled.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${WEIR_CCACHE})
endif()

# One target for both: link it, and the warnings are on.
add_library(weir_development INTERFACE)
target_link_libraries(weir_development INTERFACE weir::weir)
target_compile_options(weir_development INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
    $<$<BOOL:${WEIR_WERROR}>:-Werror>
    $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=524288>) # collecting garbage below 512 MiB is a tenth of its time

if(WEIR_BUILD_TESTS)
    # Debian 12 has Catch2 2, where main is ours to compile; version 3 brings it.
    find_package(Catch2 REQUIRED)
endif()

if(WEIR_STDLIB STREQUAL "libc++")
    include(CheckCXXSourceCompiles)
    include(CMakePushCheckState)
    cmake_push_check_state()
    set(CMAKE_REQUIRED_FLAGS -stdlib=libc++)
    check_cxx_source_compiles("#include <version>\n#ifndef _LIBCPP_VERSION\n#error\n#endif\nint main() {}" WEIR_HAS_LIBCXX)
    cmake_pop_check_state()
    if(Catch2_VERSION VERSION_GREATER_EQUAL 3)
        message(WARNING "libc++ not used: the installed Catch2 ${Catch2_VERSION} is built for the default library")
    elseif(NOT WEIR_HAS_LIBCXX)
        message(WARNING "libc++ not used: the compiler does not find it")
    else()
        add_compile_options(-stdlib=libc++)
        add_link_options(-stdlib=libc++)
        set(weir_stdlib_flag -stdlib=libc++)
    endif()
endif()
