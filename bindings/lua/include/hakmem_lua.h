/*
 * hakmem_lua.h - Lua states whose memory is hakmem's: a lua_Alloc, and states with limits and figures of their own.
 *
 * Usage:
 *
 *     #include <hakmem_lua.h>
 *
 *     hak_lua_options options = HAK_LUA_OPTIONS_INIT;
 *     options.hard_limit_bytes = 16 << 20;
 *     lua_State *L = hak_lua_open(&options);        // the standard libraries are open
 *     if (luaL_loadstring(L, text) != 0 || lua_pcall(L, 0, 0, 0) != 0)
 *         fprintf(stderr, "%s\n", lua_tostring(L, -1));   // "not enough memory" beyond the limit; L stays usable
 *     hak_lua_close(L);
 *
 * Build:  cc host.c $(pkg-config --cflags --libs hakmem-lua54)
 *         or find_package(hakmem) and hakmem::lua54 in CMake, beside find_package(Lua 5.4 EXACT), which brings lua.h and Lua's
 *         library (docs/lua.md has the lines); also lua51, lua52, lua53, lua55, luajit. One of them per program, that of the
 *         Lua it links.
 *
 * Rules that hold for every function here, unless its comment says otherwise:
 *   - sizes are bytes; a state's figures count whole blocks, which are a little larger than what Lua asked for;
 *   - a state, with all its coroutines, is used by one thread at a time, and may move from thread to thread;
 *     different states run in parallel;
 *   - limits and figures of a state may be set and read by any thread at any time.
 *
 * Sections named are those of the Lua 5.4 Reference Manual. Compiles as C11 and as C++11.
 */
#ifndef HAKMEM_LUA_H
#define HAKMEM_LUA_H

#include <hakmem.h>

#ifdef __cplusplus
extern "C" {
#endif

#include <lua.h>

/* The account of one state. */
typedef struct hak_lua_state hak_lua_state_t;

/* What hak_lua_open lets a state hold beyond its hard limit while the standard libraries are opened. Enough for all of them;
 * with less, stock Lua 5.1 that runs out of memory there may close a standard descriptor (0, 1, 2). */
#define HAK_LUA_GRACE_BYTES ((uint64_t)256 * 1024)

typedef struct hak_lua_options {
    size_t size;               /* of this struct; HAK_LUA_OPTIONS_INIT sets it */
    uint64_t soft_limit_bytes; /* 0: none. As hak_lua_set_limit */
    uint64_t hard_limit_bytes;
    int private_heap;          /* 1: memory that no other state shares; hak_lua_close gives all of it back at once */
    uint64_t grace_bytes;      /* 0: HAK_LUA_GRACE_BYTES */
} hak_lua_options;

#define HAK_LUA_OPTIONS_INIT {sizeof(hak_lua_options), 0, 0, 0, 0}

/* A lua_Alloc (section 4.6, lua_Alloc). `ud` is NULL, for the calling thread's heap without an account, or a
 * hak_lua_state_t. `osize` must be what Lua says it is: the block's size, or any tag where `ptr` is NULL; with the option
 * `debug` 1 or more a size that does not fit the block is reported as corruption. Blocks lie on 8. Beyond the limit, and
 * out of memory: NULL, and `ptr` is as it was; shrinking never fails. */
HAK_EXPORT void *hak_lua_alloc(void *ud, void *ptr, size_t osize, size_t nsize);

/* A state with the standard libraries open, as luaL_newstate and luaL_openlibs make it (sections 5.1 and 6): panic prints
 * the message, warnings are off. NULL `options`: the defaults. NULL: errno is EINVAL for options out of range (a soft limit
 * above the hard one, private_heap other than 0 and 1, a size that is none), or ENOMEM: no memory, or the libraries need
 * more than hard_limit_bytes + grace_bytes, or this LuaJIT allows no other allocator (no GC64). A state that is beyond its
 * limit after the opening is whole; what it asks for is refused until it is below. */
HAK_EXPORT lua_State *hak_lua_open(const hak_lua_options *options);

/* lua_close (section 4.6), and the account's end. `L` is from hak_lua_open, or any of its coroutines; NULL is ignored.
 * As with lua_close, `L` is gone afterwards: whoever uses or closes it again reads memory that is not there any more. A
 * second close is reported in one line where it can be seen (docs/lua.md), and ends the process. */
HAK_EXPORT void hak_lua_close(lua_State *L);

/* For hosts that call lua_newstate themselves: an account to pass as `ud`, without grace: the limits hold from the first
 * byte. LuaJIT's lua_newstate crashes when it is refused memory halfway (seen for limits of 7 to 12 KB, whatever the
 * allocator): there use hak_lua_open, or set the limits afterwards. NULL as hak_lua_open. To be freed after lua_close; NULL is
 * ignored. */
HAK_EXPORT hak_lua_state_t *hak_lua_state_new(const hak_lua_options *options);
HAK_EXPORT void hak_lua_state_free(hak_lua_state_t *state);

/* The account of `L`, NULL where it has none. Only while no other thread uses L. */
HAK_EXPORT hak_lua_state_t *hak_lua_state_of(lua_State *L);

/* Changes the limits; 0 is none. What is held already stays.
 *
 * Beyond the hard limit Lua's request is refused. Lua 5.2 and later then collect all garbage and ask again (section 2.5),
 * and raise LUA_ERRMEM, "not enough memory", if that was not enough. Lua 5.1 and LuaJIT raise at once.
 *
 * At the soft limit (seven eighths of the hard one, where none is set) a full collection is asked for, and the request is
 * served: up to the hard limit, and the next collection is asked for when the state has been below the soft limit again.
 * Lua 5.1 and LuaJIT begin it at their next opportunity; it also runs where the script stopped the collector.
 * hak_heap_stats_t counts these collections as soft_refusals.
 *
 * 0, or EINVAL: soft above hard, NULL. */
HAK_EXPORT int hak_lua_set_limit(hak_lua_state_t *state, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);

/* Fills `stats`, as hak_heap_stats_get: used, peak, limits, refusals. 0, or EINVAL. */
HAK_EXPORT int hak_lua_stats_get(const hak_lua_state_t *state, hak_heap_stats_t *stats);

/* A lua_CFunction that pushes the module `hakmem` (docs/lua.md), for hosts that want it in their states:
 *     luaL_requiref(L, "hakmem", hak_lua_module, 0);
 * In a state of hak_lua_open it looks at that state and changes its limits; leave it out where scripts are not trusted. */
HAK_EXPORT int hak_lua_module(lua_State *L);

#ifdef __cplusplus
}
#endif

#endif /* HAKMEM_LUA_H */
