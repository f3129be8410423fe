# Wrappers of swig/hakmem.i for a language, and loadable modules of them. docs/control.md says how a language is added.
#
# The wrappers come from SWIG where that is found, else from HAKMEM_SWIG_GENERATED, a folder with NAME.c in it. An sdist has
# it: while one is made (SKBUILD_STATE), wrappers are written there, and there is no target.

set(HAKMEM_SWIG_VERSION 4.4) # older wrappers cannot be imported by an own-GIL sub-interpreter of Python
set(hakmem_swig_folder "${CMAKE_CURRENT_LIST_DIR}/../swig")
set(HAKMEM_SWIG_GENERATED "${hakmem_swig_folder}/generated" CACHE PATH "Wrappers for builds without SWIG, as NAME.c")
mark_as_advanced(HAKMEM_SWIG_GENERATED)

# hakmem_swig_wrappers(NAME LANGUAGE [OPTIONAL] [INTERFACE file.i] [OPTIONS ...] [INCLUDE_DIRECTORIES ...])
#
# An object library hakmem_swig_NAME; where it is OPTIONAL and cannot be made, there is none. LANGUAGE is SWIG's word (ruby, tcl8, ...); swig/languages/LANGUAGE.h must exist.
function(hakmem_swig_wrappers name language)
    cmake_parse_arguments(PARSE_ARGV 2 wrapper "OPTIONAL;EXPORTED" "INTERFACE" "OPTIONS;INCLUDE_DIRECTORIES")
    if(NOT wrapper_INTERFACE)
        set(wrapper_INTERFACE "${hakmem_swig_folder}/hakmem.i")
    endif()
    set(given "${HAKMEM_SWIG_GENERATED}/${name}.c")
    find_package(SWIG ${HAKMEM_SWIG_VERSION} QUIET)
    if(NOT SWIG_FOUND AND NOT EXISTS "${given}")
        set(severity FATAL_ERROR)
        if(wrapper_OPTIONAL)
            set(severity STATUS)
        endif()
        message(${severity} "hakmem: no SWIG ${HAKMEM_SWIG_VERSION} or newer for the wrappers of ${name}: "
            "pip install 'swig>=${HAKMEM_SWIG_VERSION}', or -DSWIG_EXECUTABLE=/path/to/swig")
        return()
    endif()
    set(generated "${CMAKE_CURRENT_BINARY_DIR}/swig/${name}.c")
    if(SKBUILD_STATE STREQUAL "sdist")
        set(generated "${given}")
    endif()
    get_filename_component(output_folder "${generated}" DIRECTORY)
    set(header_folder "${hakmem_swig_folder}/../core/include")
    set(command "${SWIG_EXECUTABLE}" -${language} -Wall -Werror ${wrapper_OPTIONS}
        "-I${hakmem_swig_folder}" "-I${header_folder}" -outdir "${output_folder}" -o "${generated}" "${wrapper_INTERFACE}")
    if(SKBUILD_STATE STREQUAL "sdist")
        if(SWIG_FOUND) # else: an sdist from an sdist
            file(MAKE_DIRECTORY "${output_folder}")
            execute_process(COMMAND ${command} RESULT_VARIABLE result)
            if(NOT result EQUAL 0)
                message(FATAL_ERROR "hakmem: SWIG failed for ${name}")
            endif()
        endif()
        return()
    elseif(NOT SWIG_FOUND)
        set(generated "${given}")
    else()
        file(GLOB inputs CONFIGURE_DEPENDS "${hakmem_swig_folder}/*.i" "${hakmem_swig_folder}/languages/*.i")
        add_custom_command(OUTPUT "${generated}"
            COMMAND "${CMAKE_COMMAND}" -E make_directory "${output_folder}"
            COMMAND ${command}
            DEPENDS "${wrapper_INTERFACE}" ${inputs} "${header_folder}/hakmem_control.h"
            COMMENT "Generating the wrappers for ${name}"
            VERBATIM)
    endif()

    # Flags of their own: nobody edits what SWIG writes, but our headers in it are held to the common ones.
    add_library(hakmem_swig_${name} OBJECT "${generated}")
    string(REGEX REPLACE "[0-9]+$" "" header "${language}")
    target_compile_definitions(hakmem_swig_${name} PRIVATE "HAKMEM_SWIG_LANGUAGE=\"languages/${header}.h\"")
    if(NOT wrapper_EXPORTED) # SWIG's own way into a module
        target_compile_definitions(hakmem_swig_${name} PRIVATE "SWIGEXPORT=")
    endif()
    target_include_directories(hakmem_swig_${name} SYSTEM PRIVATE ${wrapper_INCLUDE_DIRECTORIES})
    target_include_directories(hakmem_swig_${name} PRIVATE "${hakmem_swig_folder}" "${hakmem_swig_folder}/../core/include")
    target_compile_features(hakmem_swig_${name} PRIVATE c_std_11)
    target_compile_options(hakmem_swig_${name} PRIVATE
        -Wall -Wno-unused-function -Wno-unused-variable -Wno-unused-but-set-variable -Wno-unused-label)
    set_target_properties(hakmem_swig_${name} PROPERTIES
        C_EXTENSIONS ON C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
endfunction()

# hakmem_swig_module(NAME LANGUAGE OUTPUT file [...as above])
#
# And a loadable module of them with the core inside: FOLDER/NAME/OUTPUT.so, the target hakmem_module_NAME.
function(hakmem_swig_module name language)
    cmake_parse_arguments(PARSE_ARGV 2 module "" "OUTPUT" "")
    hakmem_swig_wrappers(${name} ${language} EXPORTED ${module_UNPARSED_ARGUMENTS})
    add_library(hakmem_module_${name} MODULE $<TARGET_OBJECTS:hakmem_swig_${name}>)
    set_target_properties(hakmem_module_${name} PROPERTIES
        LINKER_LANGUAGE C PREFIX "" OUTPUT_NAME ${module_OUTPUT} SUFFIX ".so"
        LIBRARY_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/${name}")
    target_link_libraries(hakmem_module_${name} PRIVATE hakmem::static hakmem::module)
endfunction()
