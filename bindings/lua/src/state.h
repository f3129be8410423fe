/*
 * state.h - the account of one Lua state: its heap, its limits, and what the files above note about it.
 *
 * Layer: bindings/lua, above serve.h. hakmem_lua.h declares what hosts call: hak_lua_state_new, hak_lua_state_free,
 * hak_lua_set_limit, hak_lua_stats_get. Thread rule: the thread that runs the state; limits and figures by any thread.
 */
#ifndef HAKMEM_LUA_STATE_H
#define HAKMEM_LUA_STATE_H

#include <hakmem_lua.h>

#include "serve.h"

/* A refused request: Lua 5.2 and later collect all garbage and ask again; Lua 5.1 and LuaJIT raise at once. */
#define LUA_COLLECTS_WHEN_REFUSED (LUA_VERSION_NUM >= 502)

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* An account is made by hak_lua_open, by a host that calls hak_lua_state_new, or by a swap under a running state. */
struct hak_lua_state {
    hak_heap_t *heap;       /* serves the state's blocks; never NULL */
    lua_State *main_thread; /* NULL: not known (an account of hak_lua_state_new, a swap from inside a coroutine) */
    bool is_private;        /* the heap shares no OS page with other heaps */

    /* open.c: warnings of Lua 5.4 and later */
    bool is_warning_on;        /* the script said warn("@on") */
    bool is_warning_continued; /* the next piece belongs to the same message */

    /* swap.c */
    lua_Alloc previous; /* the allocator that the state had before the swap; NULL: there was no swap */
    void *previous_ud;  /* the `ud` of `previous` */
    bool is_enabled;    /* enabled, and not disabled since */
    bool is_serving;    /* is_enabled, and the option tiny_use_superslab is not 0: new blocks are hakmem's */

    _Atomic uint64_t soft_limit_bytes; /* as it was set; 0: none. hak_lua_limits_follow derives the heap's */
    _Atomic uint64_t hard_limit_bytes; /* the same */

    /* collect.c. Atomics, since further states in other threads may use this one's allocator (lua_getallocf). */
    _Atomic uint64_t soft_refusals; /* the heap's count of soft refusals when collect.c last read it */
    _Atomic bool wants_collection;  /* Lua 5.2 and later: the next new object is refused, so that Lua collects */
    _Atomic int step_multiplier;  /* Lua 5.1, LuaJIT: the script's, while collect.c's is in force; below 0: it is not */
    _Atomic bool is_reserve_open; /* Lua 5.1, LuaJIT: the reserve below the hard limit may be used */

    uint64_t mark; /* HAK_LUA_STATE_MARK, 0 after the end; far from the start, where a freed block holds a link */
};

#define HAK_LUA_STATE_MARK UINT64_C(0x6c75612073746174)

/* Ends the process, after one line on stderr that names `caller`, if the account was freed before. Only sees that as
 * long as the account's memory was not used again. */
void hak_lua_state_check(const hak_lua_state_t *state, const char *caller);

/* Ends the process with that line. `closed` is the main thread of the state, or its account. */
_Noreturn void hak_lua_report_closed(const void *closed, const char *caller);

/* False: the soft limit is above the hard one. */
bool hak_lua_are_limits(uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);

/* Sets the heap's limits from the state's. Any thread. */
void hak_lua_limits_follow(hak_lua_state_t *state);

#endif
