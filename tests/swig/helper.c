/*
 * helper.c - blocks made through the C API from a script, as C code of a host makes them.
 */
#include "helper.h"

#include <hakmem_core.h>
#include <stdio.h>
#include <string.h>

enum { BLOCKS_MAX = 10000 };

static struct {
    hak_heap_t *heap;
    void *block;
} made[BLOCKS_MAX];
static size_t made_count;

static int result(hak_error_t *error, hak_error_code code, const char *message) {
    error->code = code;
    snprintf(error->message, sizeof error->message, "%s", message);
    return (int)code;
}

int helper_make_blocks(uint64_t number, uint64_t count, uint64_t size_bytes, hak_error_t *error) {
    const hak_core_t *core = hak_core(NULL, 0);
    hak_heap_t *heap = hak_control_heap(number);
    if (core == NULL || heap == NULL) return result(error, HAK_ERROR_NAME, "no such heap, or no core");
    for (uint64_t index = 0; index < count && made_count < BLOCKS_MAX; index++) {
        void *block = core->heap_malloc(heap, size_bytes);
        if (block == NULL) break;
        made[made_count].heap = heap;
        made[made_count++].block = block;
    }
    return result(error, HAK_ERROR_NONE, "");
}

int helper_free_blocks(hak_error_t *error) {
    const hak_core_t *core = hak_core(NULL, 0);
    while (core != NULL && made_count > 0) {
        made_count--;
        core->heap_free(made[made_count].heap, made[made_count].block);
    }
    return result(error, HAK_ERROR_NONE, "");
}

int helper_own_core_serves(uint64_t *given_back_bytes, hak_error_t *error) {
    *given_back_bytes = hak_core(NULL, 0) == hak_published();
    return result(error, HAK_ERROR_NONE, "");
}
