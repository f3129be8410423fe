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
 *         or find_package(hakmem) and hakmem::lua54 in CMake, beside find_package(Lua 5.4 EXACT), which brings lua.h
 *         and Lua's library (docs/lua.md has the lines). Also lua51, lua52, lua53, lua55, luajit: a program uses one,
 *         that of the Lua it links.
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

/* How far beyond its hard limit a state may be while hak_lua_open opens the standard libraries: enough for all of them.
 * With less, stock Lua 5.1 may close a standard descriptor (0, 1, 2) when it runs out of memory there. */
#define HAK_LUA_GRACE_BYTES ((uint64_t)256 * 1024)

typedef struct hak_lua_options {
    size_t size;               /* of this struct; HAK_LUA_OPTIONS_INIT sets it. Unknown bytes within it must be 0 */
    uint64_t soft_limit_bytes; /* as hak_lua_set_limit; 0: none */
    uint64_t hard_limit_bytes; /* as hak_lua_set_limit; 0: none */
    int private_heap;          /* 1: the state shares no OS page; hak_lua_close gives all its memory back at once */
    uint64_t grace_bytes;      /* how far beyond the hard limit while opening; 0: HAK_LUA_GRACE_BYTES */
} hak_lua_options;

#define HAK_LUA_OPTIONS_INIT {sizeof(hak_lua_options), 0, 0, 0, 0}

/* A lua_Alloc (section 4.6, lua_Alloc). `ud` is a hak_lua_state_t, or NULL: the calling thread's heap, without an
 * account. `osize` is what Lua passes: the block's size, or any tag if `ptr` is NULL. With the option `debug` 1 or
 * more, a size that does not fit the block is reported as corruption. Blocks are aligned to 8. NULL, beyond the limit
 * or out of memory: the block at `ptr` is as it was. Shrinking never fails. */
HAK_EXPORT void *hak_lua_alloc(void *ud, void *ptr, size_t osize, size_t nsize);

/* Opens a state with the standard libraries, as luaL_newstate and luaL_openlibs do (sections 5.1 and 6): a panic
 * prints the message, warnings are off. NULL `options`: the defaults. A state that is beyond its limit after the
 * opening is whole; its requests are refused until it is below.
 *
 * NULL on failure. errno is EINVAL: a soft limit above the hard one, a private_heap other than 0 and 1, a wrong size.
 * Or ENOMEM: no memory, the libraries need more than hard_limit_bytes + grace_bytes, or LuaJIT was built without GC64
 * and allows no other allocator. */
HAK_EXPORT lua_State *hak_lua_open(const hak_lua_options *options);

/* lua_close (section 4.6), and the end of the account. `L` is from hak_lua_open, or one of its coroutines; NULL is
 * ignored. As after lua_close, `L` must not be used or closed again: its memory is gone. A second close is detected
 * on a best-effort basis (docs/lua.md): one line on stderr, and the process is aborted. */
HAK_EXPORT void hak_lua_close(lua_State *L);

/* For hosts that call lua_newstate themselves: an account to pass as `ud`. Its limits hold from the first byte,
 * without grace. LuaJIT's lua_newstate crashes when a request is refused halfway (seen for limits of 7 to 12 KB,
 * whatever the allocator): use hak_lua_open there, or set the limits afterwards. NULL and errno as hak_lua_open. Free
 * the account after lua_close; NULL is ignored. */
HAK_EXPORT hak_lua_state_t *hak_lua_state_new(const hak_lua_options *options);
HAK_EXPORT void hak_lua_state_free(hak_lua_state_t *state);

/* The account of `L`; NULL if it has none. Only while no other thread uses `L`. */
HAK_EXPORT hak_lua_state_t *hak_lua_state_of(lua_State *L);

/* Sets both limits, 0 for none. Blocks that the state holds stay. 0, or EINVAL: soft above hard, a NULL state.
 *
 * Hard limit: a request beyond it is refused. Lua 5.2 and later collect all garbage and ask again (section 2.5), and
 * raise LUA_ERRMEM, "not enough memory", if that is refused, too. Lua 5.1 and LuaJIT raise at once.
 *
 * Soft limit (seven eighths of the hard one, if there is no other): a request beyond it is served, up to the hard
 * limit, and a full collection is asked for, also if the script has stopped the collector. Lua 5.1 and LuaJIT begin
 * it at their next opportunity. The next collection is asked for once the state has been below the soft limit again.
 * hak_heap_stats_t counts these collections as soft_refusals. */
HAK_EXPORT int hak_lua_set_limit(hak_lua_state_t *state, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);

/* Fills `stats`, as hak_heap_stats_get: used, peak, limits, refusals. 0, or EINVAL: a NULL, a wrong struct_bytes. */
HAK_EXPORT int hak_lua_stats_get(const hak_lua_state_t *state, hak_heap_stats_t *stats);

/* A lua_CFunction that pushes the module `hakmem` (docs/lua.md), for hosts that want it in their states:
 *     luaL_requiref(L, "hakmem", hak_lua_module, 0);
 * A script can change the limits of its state with it: leave it out where scripts are not trusted. The state moves to
 * hakmem, unless its allocator is neither hakmem's nor that of luaL_newstate: then one line on stderr says so, and the
 * state stays as it is until its script calls hakmem.enable("replace"). */
HAK_EXPORT int hak_lua_module(lua_State *L);

#ifdef __cplusplus
}
#endif

#endif /* HAKMEM_LUA_H */
