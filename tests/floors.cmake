# cmake -D include_dir=DIR -P floors.cmake
# Reads the #include lines of every header under DIR/weir. A header includes only its own floor and those below; the
# core includes nothing foreign but the standard library.

# floor  header, or folder/ for all that is in it; a header's own line counts before its folder's
set(floors
    "7 weir.hpp"
    "6 asio/"
    "5 adapt/"
    "4 select/"
    "3 selector.hpp"
    "3 policy.hpp"
    "3 selector/"
    "2 registry.hpp"
    "2 lease.hpp"
    "2 registry/"
    "2 health/"
    "1 snapshot.hpp"
    "1 hashing/"
    "1 load/"
    "1 tables/"
    "0 fwd.hpp"
    "0 version.hpp"
    "0 outcome.hpp"
    "0 condition.hpp"
    "0 panic.hpp"
    "0 weight.hpp"
    "0 identity.hpp"
    "0 cycle_clock.hpp"
    "0 hash.hpp"
    "0 random.hpp"
    "0 detail/")

# Never, although it would not be upward: an adaptor knows the concept, no selector; the umbrella needs no Boost.
set(forbidden "adapt/.*>select/" "weir[.]hpp>asio/"
    "(weir|hashing/functions|select/dialects)[.]hpp>.*/(md5|ketama)[.]hpp") # which need Nettle
set(operating_system detail/os.hpp)
set(nettle hashing/functions/md5.hpp)

function(floor_of header result)
    string(REGEX MATCH "^[^/]*/" folder ${header})
    foreach(wanted IN ITEMS ${header} ${folder})
        foreach(line IN LISTS floors)
            if(line MATCHES "^([0-9]) (.*)$" AND CMAKE_MATCH_2 STREQUAL wanted)
                set(${result} ${CMAKE_MATCH_1} PARENT_SCOPE)
                return()
            endif()
        endforeach()
    endforeach()
    set(${result} "" PARENT_SCOPE)
endfunction()

set(faults)
file(GLOB_RECURSE headers RELATIVE ${include_dir}/weir ${include_dir}/weir/*)
if(NOT headers)
    message(FATAL_ERROR "no headers in ${include_dir}/weir")
endif()
foreach(header IN LISTS headers)
    floor_of(${header} floor)
    if(floor STREQUAL "")
        list(APPEND faults "weir/${header} has no floor: add it to tests/floors.cmake")
        continue()
    endif()
    file(STRINGS ${include_dir}/weir/${header} lines REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"]")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^[ \t]*#[ \t]*include[ \t]*[<\"]([^>\"]*)[>\"].*" "\\1" included "${line}")
        if(included MATCHES "^weir/")
            string(REGEX REPLACE "^weir/" "" included ${included})
        elseif(line MATCHES "\"")
            cmake_path(GET header PARENT_PATH folder)
            cmake_path(APPEND folder ${included} OUTPUT_VARIABLE included)
            cmake_path(NORMAL_PATH included)
        else()
            if(NOT header MATCHES "^asio/" AND NOT header STREQUAL operating_system
                AND NOT (header STREQUAL nettle AND included STREQUAL "nettle/md5.h") AND NOT included MATCHES "^[a-z_0-9]+$")
                list(APPEND faults "weir/${header} includes <${included}>: only weir/${operating_system} may")
            endif()
            continue()
        endif()
        floor_of(${included} below)
        if(below STREQUAL "")
            list(APPEND faults "weir/${included}, included by weir/${header}, has no floor: add it to tests/floors.cmake")
        elseif(below GREATER floor)
            list(APPEND faults "weir/${header} (floor ${floor}) includes weir/${included} (floor ${below})")
        endif()
        foreach(edge IN LISTS forbidden)
            if("${header}>${included}" MATCHES "^${edge}")
                list(APPEND faults "weir/${header} must not include weir/${included}")
            endif()
        endforeach()
    endforeach()
endforeach()

list(LENGTH headers count)
if(faults)
    list(JOIN faults "\n  " faults)
    message(FATAL_ERROR "\n  ${faults}")
endif()
message(STATUS "${count} headers, none includes upward")
