/*
 * state.c - the allocator that Lua calls, and the account of a state.
 *
 * Layer: bindings/lua. Does not open states (open.c) and does not route blocks of other allocators (swap.c).
 * Thread rule: as hakmem_lua.h says.
 */
#include "alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Sizes that Lua tells ---- */

enum { NOT_READ_YET = -1 };
_Atomic int hak_lua_debug_level = NOT_READ_YET;

__attribute__((cold, noinline)) bool hak_lua_size_does_not_fit(void *block, size_t size_bytes) {
    int level = atomic_load_explicit(&hak_lua_debug_level, memory_order_relaxed);
    if (level == NOT_READ_YET) {
        level = (int)hak_lua_option_number("debug");
        atomic_store_explicit(&hak_lua_debug_level, level, memory_order_relaxed);
    }
    size_t usable_bytes = level == 0 ? 0 : serve_usable_bytes(block);
    if (usable_bytes == 0 || size_bytes <= usable_bytes) return false;
    serve_report_wrong_size(block, size_bytes);
    return true;
}

/* ---- lua_Alloc ---- */

/* Lua 5.2 and later collect by themselves when an object is refused, or a block that grows. */
__attribute__((cold, noinline)) void *hak_lua_refused_new(void *context, uintptr_t type_tag, size_t size_bytes) {
    hak_lua_state_t *state = context;
    return hak_lua_ask_again(state, type_tag != 0) ? serve_malloc(state->heap, size_bytes) : NULL;
}

__attribute__((cold, noinline)) void *hak_lua_refused_resized(hak_lua_state_t *state, void *block, size_t size_bytes) {
    if (state == NULL || !hak_lua_ask_again(state, false)) return NULL;
    return serve_realloc(state->heap, block, size_bytes);
}

static APART void *resize(hak_lua_state_t *state, void *block, size_t old_bytes, size_t new_bytes) {
    return alloc_resize(state, state == NULL ? NULL : state->heap, block, old_bytes, new_bytes);
}

static APART void *drop_checked(hak_heap_t *heap, void *block, size_t size_bytes) {
    return hak_lua_size_does_not_fit(block, size_bytes) ? NULL : serve_free(heap, block);
}

HOT void *hak_lua_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
    hak_lua_state_t *state = ud;
    hak_heap_t *heap = state == NULL ? NULL : state->heap;
    if (state != NULL && heap == NULL) __builtin_unreachable();
    if (ptr == NULL) return alloc_make(state, heap, osize, nsize);
    if (nsize != 0) return resize(state, ptr, osize, nsize);
    alloc_note_free(state);
    return sizes_are_checked() ? drop_checked(heap, ptr, osize) : serve_free(heap, ptr);
}

void *hak_lua_alloc_at_end(void *ud, void *block, size_t old_bytes, size_t new_bytes) {
    return new_bytes == 0 ? NULL : hak_lua_alloc(ud, block, old_bytes, new_bytes);
}

/* ---- Accounts ---- */

enum { RESERVE_BYTES_MAX = 64 * 1024 };

static uint64_t smaller(uint64_t one, uint64_t other) { return one < other ? one : other; }

/* The heap refuses once at its soft limit, so that garbage goes before the hard limit is met. */
void hak_lua_limits_follow(hak_lua_state_t *state) {
    uint64_t soft, hard;
    do {
        soft = state->soft_limit_bytes, hard = state->hard_limit_bytes;
        bool has_reserve = !LUA_COLLECTS_WHEN_REFUSED && !state->is_reserve_open;
        uint64_t heap_hard = hard - (has_reserve ? smaller(hard / 16, RESERVE_BYTES_MAX) : 0);
        uint64_t heap_soft = soft == 0 ? hard - hard / 8 : hard == 0 ? soft : smaller(soft, heap_hard);
        (void)serve_heap_limit(state->heap, heap_soft, heap_hard);
    } while (soft != state->soft_limit_bytes || hard != state->hard_limit_bytes); /* set meanwhile */
}

static bool are_limits(uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) {
    return hard_limit_bytes == 0 || soft_limit_bytes <= hard_limit_bytes;
}

_Atomic(lua_State *) hak_lua_last_private;

_Noreturn void hak_lua_report_closed(const void *closed, const char *caller) {
    fprintf(stderr, "hakmem: error: %s: the state %p was closed before; close it once, and do not use it afterwards\n", caller,
            closed);
    abort();
}

void hak_lua_state_check(const hak_lua_state_t *state, const char *caller) {
    if (UNLIKELY(state->mark != HAK_LUA_STATE_MARK)) hak_lua_report_closed(state, caller);
}

hak_lua_state_t *hak_lua_state_new(const hak_lua_options *options) {
    static const hak_lua_options defaults = HAK_LUA_OPTIONS_INIT;
    if (options == NULL) options = &defaults;
    if (options->size < sizeof *options || options->private_heap < 0 || options->private_heap > 1 ||
        !are_limits(options->soft_limit_bytes, options->hard_limit_bytes)) {
        errno = EINVAL;
        return NULL;
    }
    hak_heap_options_t heap_options = HAK_HEAP_OPTIONS_INIT;
    heap_options.is_private = (uint32_t)options->private_heap;
    heap_options.alignment_bytes = 8;
    hak_lua_state_t *state = serve_own_malloc(sizeof *state);
    if (state == NULL) return NULL;
    state->heap = serve_heap_new(&heap_options);
    if (state->heap == NULL) {
        int error = errno;
        serve_own_free(state);
        errno = error;
        return NULL;
    }
    state->mark = HAK_LUA_STATE_MARK;
    state->is_private = options->private_heap == 1;
    state->step_multiplier = -1;
    (void)hak_lua_set_limit(state, options->soft_limit_bytes, options->hard_limit_bytes);
    return state;
}

void hak_lua_state_free(hak_lua_state_t *state) {
    if (state == NULL) return;
    hak_lua_state_check(state, "hak_lua_state_free");
    state->mark = 0;
    serve_heap_destroy(state->heap);
    serve_own_free(state);
}

int hak_lua_set_limit(hak_lua_state_t *state, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) {
    if (state == NULL || !are_limits(soft_limit_bytes, hard_limit_bytes)) return EINVAL;
    hak_lua_state_check(state, "hak_lua_set_limit");
    state->soft_limit_bytes = soft_limit_bytes;
    state->hard_limit_bytes = hard_limit_bytes;
    hak_lua_limits_follow(state);
    return 0;
}

int hak_lua_stats_get(const hak_lua_state_t *state, hak_heap_stats_t *stats) {
    if (state == NULL || stats == NULL) return EINVAL;
    hak_lua_state_check(state, "hak_lua_stats_get");
    hak_heap_stats_t full = HAK_HEAP_STATS_INIT;
    int error = serve_heap_stats(state->heap, &full);
    if (error != 0 || stats->struct_bytes < 2 * sizeof(uint32_t)) return EINVAL;
    full.soft_limit_bytes = state->soft_limit_bytes;
    full.hard_limit_bytes = state->hard_limit_bytes;
    full.struct_bytes = stats->struct_bytes < sizeof full ? stats->struct_bytes : (uint32_t)sizeof full;
    memcpy(stats, &full, full.struct_bytes);
    return 0;
}

/* ---- From a lua_State to its account ---- */

static char registry_key;

void hak_lua_state_note(lua_State *L, hak_lua_state_t *state) {
    lua_pushlightuserdata(L, &registry_key);
    lua_pushlightuserdata(L, state);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

hak_lua_state_t *hak_lua_state_of(lua_State *L) {
    void *ud;
    if (lua_getallocf(L, &ud) == hak_lua_alloc) return ud;
    if (!lua_checkstack(L, 1)) return NULL;
    lua_pushlightuserdata(L, &registry_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    ud = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return ud;
}

/* ---- Limits of a state without an account ---- */

typedef struct {
    uint64_t soft_limit_bytes, hard_limit_bytes;
} KeptLimits;

static char kept_limits_key;

/* NULL: none were set. The registry holds them. */
static KeptLimits *kept_limits(lua_State *L) {
    lua_pushlightuserdata(L, &kept_limits_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    KeptLimits *limits = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return limits;
}

bool hak_lua_limits_keep(lua_State *L, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) {
    if (!are_limits(soft_limit_bytes, hard_limit_bytes)) return false;
    KeptLimits *limits = kept_limits(L);
    if (limits == NULL) {
        lua_pushlightuserdata(L, &kept_limits_key);
        limits = lua_newuserdata(L, sizeof *limits);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    *limits = (KeptLimits){soft_limit_bytes, hard_limit_bytes};
    return true;
}

hak_heap_stats_t hak_lua_limits_kept(lua_State *L) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    const KeptLimits *limits = kept_limits(L);
    if (limits != NULL) {
        stats.soft_limit_bytes = limits->soft_limit_bytes;
        stats.hard_limit_bytes = limits->hard_limit_bytes;
    }
    return stats;
}
