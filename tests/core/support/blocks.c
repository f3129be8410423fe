/*
 * support/blocks.c - takes blocks in a row, and frees them in the same order.
 */
#include "support/blocks.h"

#include <hakmem.h>
#include <string.h>

#include "support/require.h"

void blocks_take(void **blocks, size_t count, size_t block_bytes) {
    for (size_t number = 0; number < count; number++) {
        REQUIRE((blocks[number] = hak_malloc(block_bytes)) != NULL);
        memset(blocks[number], 1, block_bytes);
    }
}

void blocks_free(void *const *blocks, size_t count) {
    for (size_t number = 0; number < count; number++) hak_free(blocks[number]);
}

void blocks_churn(void **blocks, size_t count, size_t block_bytes) {
    blocks_take(blocks, count, block_bytes);
    blocks_free(blocks, count);
}
