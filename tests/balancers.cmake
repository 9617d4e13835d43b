cmake_minimum_required(VERSION 3.25)
# cmake -D root=DIR -P balancers.cmake
# Every selector of DIR/include/weir/select has a line under its own name in DIR/examples/common/balancers.hpp.

# But for those of which each metric or table makes another one.
set(families choices consistent_hash least_load)

file(GLOB headers ${root}/include/weir/select/*.hpp)
file(READ ${root}/examples/common/balancers.hpp table)
set(count 0)
set(faults)
foreach(header IN LISTS headers)
    # A policy is no selector: nobody calls it by name.
    file(STRINGS ${header} lines REGEX "^class [a-z0-9_]+ : public |^using weighted_[a-z0-9_]+ = ")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^[a-z]+ ([a-z0-9_]+) .*" "\\1" name "${line}")
        math(EXPR count "${count} + 1")
        string(FIND "${table}" ">{\"${name}\"" found)
        if(found EQUAL -1 AND NOT name IN_LIST families)
            cmake_path(GET header FILENAME file)
            list(APPEND faults "${name} of weir/select/${file} has no line in examples/common/balancers.hpp")
        endif()
    endforeach()
endforeach()

if(faults)
    list(JOIN faults "\n  " faults)
    message(FATAL_ERROR "\n  ${faults}")
endif()
if(count EQUAL 0)
    message(FATAL_ERROR "no selectors found in ${root}: this test would pass whatever the table had")
endif()
message(STATUS "${count} selectors, each with its name")
