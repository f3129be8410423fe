/*
 * state.c - the account of a state: made, limited, looked at, ended.
 *
 * Layer: bindings/lua, above serve.h. Thread rule: as hakmem_lua.h says.
 */
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESERVE_BYTES_MAX = 64 * 1024 };

static uint64_t smaller(uint64_t one, uint64_t other) { return one < other ? one : other; }

/* The heap's soft limit is set also where the state has none, so that garbage goes before the hard limit is met. */
void hak_lua_limits_follow(hak_lua_state_t *state) {
    uint64_t soft, hard;
    do { /* again, if another thread has set the limits meanwhile */
        soft = state->soft_limit_bytes, hard = state->hard_limit_bytes;
        bool has_reserve = !LUA_COLLECTS_WHEN_REFUSED && !state->is_reserve_open;
        uint64_t heap_hard = hard - (has_reserve ? smaller(hard / 16, RESERVE_BYTES_MAX) : 0);
        uint64_t heap_soft = soft == 0 ? hard - hard / 8 : hard == 0 ? soft : smaller(soft, heap_hard);
        (void)serve_heap_limit(state->heap, heap_soft, heap_hard);
    } while (soft != state->soft_limit_bytes || hard != state->hard_limit_bytes);
}

bool hak_lua_are_limits(uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) {
    return hard_limit_bytes == 0 || soft_limit_bytes <= hard_limit_bytes;
}

_Noreturn void hak_lua_report_closed(const void *closed, const char *caller) {
    fprintf(stderr, "hakmem: error: %s: the state %p was closed before; close it once, and do not use it afterwards\n",
            caller, closed);
    abort();
}

void hak_lua_state_check(const hak_lua_state_t *state, const char *caller) {
    if (UNLIKELY(state->mark != HAK_LUA_STATE_MARK)) hak_lua_report_closed(state, caller);
}

/* False: the size was not set, or a caller of a later version asks for what this one does not know. */
static bool is_size_known(const hak_lua_options *options) {
    enum { SIZE_MAX_ACCEPTED = 4096 };
    if (options->size < sizeof *options || options->size > SIZE_MAX_ACCEPTED) return false;
    for (size_t offset = sizeof *options; offset < options->size; offset++)
        if (((const unsigned char *)options)[offset] != 0) return false;
    return true;
}

hak_lua_state_t *hak_lua_state_new(const hak_lua_options *options) {
    static const hak_lua_options defaults = HAK_LUA_OPTIONS_INIT;
    if (options == NULL) options = &defaults;
    if (!is_size_known(options) || options->private_heap < 0 || options->private_heap > 1 ||
        !hak_lua_are_limits(options->soft_limit_bytes, options->hard_limit_bytes)) {
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
    if (state == NULL || !hak_lua_are_limits(soft_limit_bytes, hard_limit_bytes)) return EINVAL;
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
