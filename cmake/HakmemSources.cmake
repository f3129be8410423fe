# hakmem_core_sources(VARIABLE): the C files of the core: each layer's, and those of this machine's OS.

function(hakmem_core_sources variable)
    set(source_folder "${PROJECT_SOURCE_DIR}/core/src")
    string(TOLOWER "${CMAKE_SYSTEM_NAME}" os)
    if(NOT IS_DIRECTORY "${source_folder}/platform/${os}")
        message(FATAL_ERROR "hakmem: there is no port to ${CMAKE_SYSTEM_NAME} (core/src/platform/${os})")
    endif()
    file(GLOB sources CONFIGURE_DEPENDS "${source_folder}/*/*.c" "${source_folder}/platform/${os}/*.c")
    set(${variable} "${sources}" PARENT_SCOPE)
endfunction()
