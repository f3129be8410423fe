-- Builds the module from a checkout: luarocks make bindings/lua/hakmem-scm-1.rockspec (in the repository's root).
rockspec_format = "3.0"
package = "hakmem"
version = "scm-1"
source = {
   url = "git+file://.",
}
description = {
   summary = "An allocator hub for language runtimes: gives the memory of dead objects back to the OS",
   detailed = [[
      require "hakmem" moves the running state to hakmem's slabs: resident memory falls after a peak, and the state's
      memory can be counted and limited.
   ]],
   license = "MIT",
}
supported_platforms = { "linux" }
dependencies = {
   "lua >= 5.1, < 5.6",
}
build = {
   type = "command",
   build_command = "bindings/lua/build-module '$(LUA)' build/lua-rock '$(LUA_INCDIR)'",
   install = {
      lib = {
         hakmem = "build/lua-rock/hakmem.so",
      },
   },
}
