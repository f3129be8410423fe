/*
 * state.h - the account of one Lua state, and what stands between it and the core.
 *
 * Layer: bindings/lua, above serve.h. Thread rule: used by the thread that runs the state; limits and figures by any.
 */
#ifndef HAKMEM_LUA_STATE_H
#define HAKMEM_LUA_STATE_H

#include <hakmem_lua.h>

#include "serve.h"

/* Lua 5.2 and later collect all garbage when an object is refused, and ask again; 5.1 and LuaJIT raise at once. */
#define LUA_COLLECTS_WHEN_REFUSED (LUA_VERSION_NUM >= 502)

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/*
 * Made by hak_lua_state_new (no `main_thread`, no `previous`), by hak_lua_open (main_thread), or by a swap under a running
 * state (previous).
 */
struct hak_lua_state {
    hak_heap_t *heap;
    lua_State *main_thread;    /* NULL: not known */
    bool is_private;
    bool is_warning_on;        /* warnings of a state of hak_lua_open: its script may switch them on */
    bool is_warning_continued; /* the next piece belongs to the same message */

    /* A swap: the allocator that the state had before, and whether new blocks are ours (the option tiny_use_superslab can
     * pass them all on). */
    lua_Alloc previous;
    void *previous_ud;
    bool is_enabled, is_serving;

    _Atomic uint64_t soft_limit_bytes, hard_limit_bytes; /* as they were set; 0: none. limits_follow derives the heap's */

    /* For collect.c: the soft refusals that were seen. Lua 5.2 and later: the next object is to be refused. Lua 5.1 and LuaJIT:
     * the collector's step multiplier while it is told to run a full cycle, below 0 while it is not; may the state use the
     * last bytes below its hard limit, which are kept for the way to that cycle? */
    uint64_t soft_refusals;
    bool wants_collection;
    int step_multiplier;
    _Atomic bool is_reserve_open;

    uint64_t mark; /* HAK_LUA_STATE_MARK until the account's end; far from its start, where a freed block holds a link */
};

#define HAK_LUA_STATE_MARK UINT64_C(0x6c75612073746174)

/* One line on stderr, and the end, where the account was freed before. Sees it while its memory was not used again. */
void hak_lua_state_check(const hak_lua_state_t *state, const char *caller);

/* The main thread of the private state that was closed last: its memory is gone, so a second close must not look at it. Stored
 * before the memory goes, and NULL again once a new state lies at the same address. */
extern _Atomic(lua_State *) hak_lua_last_private;

/* The same line for `closed`, the main thread of a state or its account. */
_Noreturn void hak_lua_report_closed(const void *closed, const char *caller);

/* Notes the account in the registry, where hak_lua_state_of finds it whatever allocator lies above. May raise a memory
 * error, and then the registry is as it was. A NULL account keeps the place. */
void hak_lua_state_note(lua_State *L, hak_lua_state_t *state);

/* For a state without an account, where HAKMEM=0 keeps hakmem out: its limits are remembered, and nothing enforces them.
 * Keeping may raise a memory error; false: soft above hard. */
bool hak_lua_limits_keep(lua_State *L, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);

/* Zeros and the limits that were kept. */
hak_heap_stats_t hak_lua_limits_kept(lua_State *L);

/* hak_lua_alloc while a private heap's state is closed: frees nothing, since all of it goes at once afterwards. */
void *hak_lua_alloc_at_end(void *ud, void *block, size_t old_bytes, size_t new_bytes);

/* Gives the heap the limits that follow from those that were set. Any thread. */
void hak_lua_limits_follow(hak_lua_state_t *state);

/* ---- collect.c ---- */

/* A request was refused; `is_object` where Lua collects by itself when it is told so. True: ask again, it will be served. */
bool hak_lua_ask_again(hak_lua_state_t *state, bool is_object);

#if !LUA_COLLECTS_WHEN_REFUSED
/* After a free, while step_multiplier is set: the cycle is over when the state is below its soft limit. */
void hak_lua_collect_done(hak_lua_state_t *state);
#endif

#endif
