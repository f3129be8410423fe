# hakmem::module: what every loadable module with a core inside is linked with, beside hakmem::static.

add_library(hakmem_module INTERFACE)
add_library(hakmem::module ALIAS hakmem_module)

# The map names what the module shows. nodelete: blocks and thread-exit handlers outlive any dlclose. -u: the way to the core
# is kept, even if nothing in the module needs it. Bsymbolic: inside the module hak_published means its own, also where an
# interpreter loads its extensions RTLD_GLOBAL. now: a free on a thread with a small stack binds no function.
target_link_options(hakmem_module INTERFACE
    "LINKER:--version-script=${CMAKE_CURRENT_LIST_DIR}/hakmem-module.map"
    "LINKER:-z,nodelete"
    "LINKER:-Bsymbolic"
    "LINKER:-z,now"
    "LINKER:-u,hak_published")
set_property(TARGET hakmem_module PROPERTY INTERFACE_LINK_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/hakmem-module.map")
