# What every hand-written C target of the project has in common. Generated sources (SWIG) do not use it.

include(CheckCSourceCompiles)

# One sanitizer in one object file is no use: they apply to the whole build tree.
if(HAKMEM_SANITIZE)
    add_compile_options(-fsanitize=${HAKMEM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    add_link_options(-fsanitize=${HAKMEM_SANITIZE})
endif()

# The core alone is counted. The counters lie in a file that a process and its children map, so those that end by abort,
# _exit or a signal have written theirs. Atomic: a false outcome is the difference of two counts. A program that is started
# by hand leaves its counters in the build folder, under a name that nobody reads; test_errno then fails, see below.
set(hakmem_coverage_options "")
if(HAKMEM_COVERAGE)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "hakmem: HAKMEM_COVERAGE needs clang: -DCMAKE_C_COMPILER=clang")
    endif()
    set(hakmem_coverage_options
        "-fprofile-instr-generate=${PROJECT_BINARY_DIR}/by-hand-%m%c" -fcoverage-mapping -fprofile-update=atomic
        "SHELL:-mllvm -runtime-counter-relocation")
    add_link_options(-fprofile-instr-generate)
endif()

# Where the tests of this folder count: a file for each program and module of each process that is started, in the folder
# that the test runs in. The name has no folder, because the library that counts would make it, and leave its mark in
# errno before main begins.
function(hakmem_tests_count)
    if(NOT HAKMEM_COVERAGE)
        return()
    endif()
    get_property(tests DIRECTORY PROPERTY TESTS)
    foreach(test IN LISTS tests)
        string(REPLACE "/" "_" file "${test}")
        set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT "LLVM_PROFILE_FILE=${file}-%p-%m%c.profraw")
    endforeach()
endfunction()

# Initial-exec thread-local storage costs one instruction. glibc keeps room for it in libraries that are loaded
# later; musl refuses to load them.
check_c_source_compiles("
#include <limits.h>
#ifndef __GLIBC__
#error not glibc
#endif
int main(void) { return 0; }
" HAKMEM_TARGET_IS_GLIBC)
if(HAKMEM_TARGET_IS_GLIBC)
    set(hakmem_tls_initial_exec 1)
else()
    set(hakmem_tls_initial_exec 0)
endif()

# Macros that change what the core's own headers say; whoever includes core/src needs the same.
set(hakmem_memory_tools asan valgrind)
set(hakmem_memory_tool 0)
if(HAKMEM_MEMORY_TOOL)
    list(FIND hakmem_memory_tools "${HAKMEM_MEMORY_TOOL}" hakmem_memory_tool)
    if(hakmem_memory_tool EQUAL -1)
        message(FATAL_ERROR "hakmem: HAKMEM_MEMORY_TOOL=${HAKMEM_MEMORY_TOOL} is not one of: ${hakmem_memory_tools}")
    endif()
    math(EXPR hakmem_memory_tool "${hakmem_memory_tool} + 1") # HAK_MEMORY_TOOL_... in os_memory_tool.h
endif()
set(hakmem_internal_definitions
    HAK_MEMORY_TOOL=${hakmem_memory_tool}
    HAK_TLS_INITIAL_EXEC=${hakmem_tls_initial_exec}
    HAK_DEBUG_CHECKS=$<BOOL:${HAKMEM_DEBUG_CHECKS}>)

function(hakmem_target_defaults target)
    target_compile_features(${target} PRIVATE c_std_11)
    set_target_properties(${target} PROPERTIES
        C_EXTENSIONS ON
        C_VISIBILITY_PRESET hidden
        POSITION_INDEPENDENT_CODE ON)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wundef -Wconversion -Wshadow)
    if(HAKMEM_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
endfunction()
