/*
 * serve.c - the value of a numeric option, for those who need it before any Lua state is there.
 *
 * Layer: bindings/lua, bottom. Thread rule: any thread.
 */
#include "serve.h"

#include <stdlib.h>

long hak_lua_option_number(const char *name) {
    char text[64];
    return serve_option_get(name, text, sizeof text) == 0 ? strtol(text, NULL, 10) : 0;
}
