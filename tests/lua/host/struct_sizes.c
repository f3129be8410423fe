/*
 * struct_sizes.c - the structs of hakmem_lua.h at every size from 0 to beyond the known one.
 *
 *     struct_sizes
 */
#include <errno.h>
#include <hakmem_lua.h>
#include <string.h>

#include "host.h"

/* Of options an unset size and an unknown demand are errors; of stats what is known is filled, up to the given size. */
int main(void) {
    enum { BEYOND_BYTES = 64 };
    unsigned char options[sizeof(hak_lua_options) + BEYOND_BYTES] = {0};
    for (size_t size = 0; size <= sizeof options; size++) {
        for (size_t offset = sizeof(hak_lua_options) - 1; offset < sizeof options; offset++) {
            int is_tried = offset >= sizeof(hak_lua_options); /* the first time all bytes are zero */
            int is_good = size >= sizeof(hak_lua_options) && (!is_tried || offset >= size);
            memset(options, 0, sizeof options);
            memcpy(options, &size, sizeof size);
            if (is_tried) options[offset] = 1;
            errno = 0;
            hak_lua_state_t *state = hak_lua_state_new((const hak_lua_options *)(const void *)options);
            REQUIRE(is_good ? state != NULL : state == NULL && errno == EINVAL);
            hak_lua_state_free(state);
        }
    }
    hak_lua_state_t *state = hak_lua_state_new(NULL);
    for (uint32_t size = 0; size <= sizeof(hak_heap_stats_t) + BEYOND_BYTES; size++) {
        uint64_t stats[(sizeof(hak_heap_stats_t) + BEYOND_BYTES) / sizeof(uint64_t) + 1];
        memset(stats, 0x5a, sizeof stats);
        memcpy(stats, &size, sizeof size);
        REQUIRE(hak_lua_stats_get(state, (hak_heap_stats_t *)stats) == (size >= 2 * sizeof(uint32_t) ? 0 : EINVAL));
        size_t filled = size < sizeof(hak_heap_stats_t) ? size : sizeof(hak_heap_stats_t);
        if (size < 2 * sizeof(uint32_t)) filled = sizeof size;
        for (size_t offset = filled; offset < sizeof stats; offset++) REQUIRE(((unsigned char *)stats)[offset] == 0x5a);
    }
    hak_lua_state_free(state);
    return 0;
}
