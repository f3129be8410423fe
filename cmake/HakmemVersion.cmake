# The version lives in core/include/hakmem.h and nowhere else.

function(hakmem_read_version header result)
    file(STRINGS "${header}" line REGEX "^#define HAK_VERSION_STRING \"[0-9]+\\.[0-9]+\\.[0-9]+\"")
    if(NOT line MATCHES "\"([0-9]+\\.[0-9]+\\.[0-9]+)\"")
        message(FATAL_ERROR "${header} has no line of the form: #define HAK_VERSION_STRING \"1.2.3\"")
    endif()
    set(${result} "${CMAKE_MATCH_1}" PARENT_SCOPE)
    # A new version in the header must reach build trees that exist already.
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${header}")
endfunction()
