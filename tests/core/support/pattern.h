/*
 * support/pattern.h - bytes that say which block they belong to, written at allocation and verified at free.
 */
#ifndef SUPPORT_PATTERN_H
#define SUPPORT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All bytes up to 4 KiB; of larger blocks both ends and one word in each 1 KiB. */
void pattern_fill(void *block, size_t bytes, uint64_t key);
bool pattern_holds(const void *block, size_t bytes, uint64_t key);

/* A block of hak_malloc with the pattern. The dirty one has no zero elsewhere, so that a later one at its place that
 * should be zeroed shows what is left of it. */
char *pattern_block(size_t bytes, uint64_t key);
char *pattern_dirty_block(size_t bytes, uint64_t key);

/* The same for the first `bytes` of a block that was filled with `filled_bytes`. */
bool pattern_holds_prefix(const void *block, size_t bytes, size_t filled_bytes, uint64_t key);

bool pattern_is_zero(const void *block, size_t bytes);

/* The same for streams of many blocks: of those above 1 KiB both ends and the start of a few OS pages. `on_write`,
 * unless NULL, is called before each part is written. */
void pattern_fill_few(void *block, size_t bytes, uint64_t key, void (*on_write)(const void *address, size_t bytes));
bool pattern_few_hold_prefix(const void *block, size_t bytes, size_t filled_bytes, uint64_t key);

/* All of up to 64 KiB; of more the start of some OS pages and the end. */
bool pattern_few_are_zero(const void *block, size_t bytes);

#endif
