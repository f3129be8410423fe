/*
 * convert.h - figures and options of the core as Lua values, and back.
 *
 * Layer: bindings/lua, above state.h. Thread rule: the thread that runs the state. All functions may raise Lua errors.
 */
#ifndef HAKMEM_LUA_CONVERT_H
#define HAKMEM_LUA_CONVERT_H

#include "state.h"

/* Pushes a count: a Lua integer from 5.3 on, a number before. */
void hak_lua_push_count(lua_State *L, uint64_t count);

/* Pushes the table of hakmem.stats(). `state_stats` are the figures of the state; NULL: it has no account. */
void hak_lua_push_stats(lua_State *L, const hak_heap_stats_t *state_stats, bool is_private);

/* Pushes the list of hakmem.options(). */
void hak_lua_push_options(lua_State *L);

/* Pushes the value of the option whose name is argument `index`. */
void hak_lua_push_option(lua_State *L, int index);

/* Sets the option whose name is argument `index` to the value behind it. */
void hak_lua_set_option(lua_State *L, int index);

/* True: argument 1 of hakmem.NAME is `word`. False: there is no argument. */
bool hak_lua_check_word(lua_State *L, const char *name, const char *word);

/* Argument `index` as a number of bytes; `what` names it in the error. */
uint64_t hak_lua_check_bytes(lua_State *L, int index, const char *what);

#endif
