# Finds the headers of one Lua. CMake's own FindLua knows a single one per build, and no LuaJIT.

find_package(PkgConfig QUIET)

# hakmem_find_lua_headers(lua54) sets, in the caller's scope and unless they are set already:
#   HAKMEM_lua54_INCLUDE_DIR   the folder of lua.h, a false value where there is none of that version (cached)
#   HAKMEM_lua54_PACKAGE       its pkg-config name, if it has one
#   HAKMEM_lua54_VERSION       "5.4", the name of the folder for modules
function(hakmem_find_lua_headers abi)
    if(abi STREQUAL "luajit")
        set(version 5.1)
        set(packages luajit)
        set(folders luajit-2.1 luajit-2.0)
        set(header luajit.h)
    else()
        string(REGEX REPLACE "^lua([0-9])([0-9])$" "\\1.\\2" version ${abi})
        if(version STREQUAL abi)
            message(FATAL_ERROR "hakmem: ${abi} is not a Lua; known: lua51, lua52, lua53, lua54, lua55, luajit")
        endif()
        set(packages lua${version} ${abi} lua-${version} lua)
        set(folders lua${version} ${abi} lua-${version} lua/${version})
        set(header lua.h)
    endif()
    string(REPLACE "." "0" version_number ${version}) # LUA_VERSION_NUM: 504

    set(package)
    if(PKG_CONFIG_FOUND)
        foreach(candidate IN LISTS packages)
            pkg_check_modules(hakmem_pc_${abi}_${candidate} QUIET ${candidate})
            if(hakmem_pc_${abi}_${candidate}_VERSION MATCHES "^${version}([.]|$)" OR
               (abi STREQUAL "luajit" AND hakmem_pc_${abi}_${candidate}_FOUND))
                set(package ${candidate})
                break()
            endif()
        endforeach()
    endif()
    find_path(HAKMEM_${abi}_INCLUDE_DIR ${header}
        HINTS ${hakmem_pc_${abi}_${package}_INCLUDE_DIRS} PATH_SUFFIXES ${folders}
        DOC "Folder of ${header} for ${abi}")
    mark_as_advanced(HAKMEM_${abi}_INCLUDE_DIR)
    # Headers that were named by hand need not be those of the package.
    set(package_folders ${hakmem_pc_${abi}_${package}_INCLUDE_DIRS})
    if(package_folders AND NOT HAKMEM_${abi}_INCLUDE_DIR IN_LIST package_folders)
        set(package)
    endif()
    if(HAKMEM_${abi}_INCLUDE_DIR)
        file(STRINGS "${HAKMEM_${abi}_INCLUDE_DIR}/lua.h" lines REGEX "define[ \t]+LUA_VERSION_(NUM|MAJOR_N|MINOR_N)[ \t]+[0-9]")
        string(REGEX REPLACE "[^0-9;]" "" numbers "${lines}")
        string(REPLACE ";" "0" found_number "${numbers}") # 5.5 has two macros, others one
        if(NOT found_number MATCHES "^${version_number}")
            message(STATUS "hakmem: ${HAKMEM_${abi}_INCLUDE_DIR}/lua.h is not of ${abi}")
            set(HAKMEM_${abi}_INCLUDE_DIR NOTFOUND PARENT_SCOPE)
        endif()
    endif()
    set(HAKMEM_${abi}_PACKAGE "${package}" PARENT_SCOPE)
    set(HAKMEM_${abi}_VERSION "${version}" PARENT_SCOPE)
endfunction()
