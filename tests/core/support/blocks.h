/*
 * support/blocks.h - many blocks of one size, so that memory is used, and becomes free.
 */
#ifndef SUPPORT_BLOCKS_H
#define SUPPORT_BLOCKS_H

#include <stddef.h>

/* Blocks of hak_malloc; every byte is written. */
void blocks_take(void **blocks, size_t count, size_t block_bytes);
void blocks_free(void *const *blocks, size_t count);

/* Both. */
void blocks_churn(void **blocks, size_t count, size_t block_bytes);

#endif
