/*
 * support/previous.c - blocks in an array, the lowest empty one first.
 */
#include "support/previous.h"

#include <errno.h>
#include <string.h>

#include "support/require.h"

static PreviousBlock blocks[PREVIOUS_BLOCKS];
static const hak_hook_entry_t entries[] = {HAK_HOOK_FIRST, HAK_HOOK_SECOND, HAK_HOOK_OBJECT};
static _Atomic unsigned refused_left;
static _Atomic uint64_t refusal_count, null_count;

void previous_reset(void) {
    for (unsigned index = 0; index < PREVIOUS_BLOCKS; index++) blocks[index].state = PREVIOUS_EMPTY;
    refused_left = 0;
}

PreviousBlock *previous_block_of(const void *address) {
    size_t offset = (uintptr_t)address - (uintptr_t)blocks;
    if (offset >= sizeof blocks) return NULL;
    REQUIRE_EQUAL(offset % sizeof *blocks, 0);
    return &blocks[offset / sizeof *blocks];
}

static bool change(PreviousBlock *block, PreviousState from, PreviousState to) {
    int expected = (int)from;
    return atomic_compare_exchange_strong(&block->state, &expected, (int)to);
}

PreviousBlock *previous_hold(unsigned wish) {
    for (unsigned step = 0; step < PREVIOUS_BLOCKS; step++) {
        PreviousBlock *block = &blocks[(wish + step) % PREVIOUS_BLOCKS];
        if (change(block, PREVIOUS_LIVE, PREVIOUS_HELD)) return block;
    }
    return NULL;
}

void previous_let_go(PreviousBlock *block) { REQUIRE(change(block, PREVIOUS_HELD, PREVIOUS_LIVE)); }

unsigned previous_blocks(void) {
    unsigned count = 0;
    for (unsigned index = 0; index < PREVIOUS_BLOCKS; index++) count += blocks[index].state != PREVIOUS_EMPTY;
    return count;
}

void previous_refuse(unsigned count) { refused_left = count; }
uint64_t previous_refusals(void) { return refusal_count; }
uint64_t previous_frees_of_null(void) { return null_count; }

/* ---- Its functions ---- */

static hak_hook_entry_t entry_of(const void *context) {
    size_t offset = (uintptr_t)context - (uintptr_t)entries;
    REQUIRE_OP(offset, <, sizeof entries);
    return entries[offset / sizeof *entries];
}

static bool is_refused(size_t bytes) {
    unsigned left = refused_left;
    while (left > 0)
        if (atomic_compare_exchange_weak(&refused_left, &left, left - 1)) return true;
    return bytes > PREVIOUS_BYTES_MAX;
}

static void *refuse(void) {
    refusal_count++;
    errno = ENOMEM;
    return NULL;
}

static PreviousBlock *take(void) {
    for (unsigned index = 0; index < PREVIOUS_BLOCKS; index++)
        if (change(&blocks[index], PREVIOUS_EMPTY, PREVIOUS_HELD)) return &blocks[index];
    return NULL;
}

static PreviousBlock *make(const void *context, size_t bytes, PreviousWay way) {
    hak_hook_entry_t entry = entry_of(context);
    PreviousBlock *block = is_refused(bytes) ? NULL : take();
    if (block == NULL) return refuse();
    block->bytes = bytes;
    block->way = way;
    block->entry = entry;
    return block;
}

static void *previous_malloc(void *context, size_t bytes) { return make(context, bytes, PREVIOUS_MALLOC); }

static void *previous_calloc(void *context, size_t count, size_t bytes) {
    size_t product;
    if (__builtin_mul_overflow(count, bytes, &product)) product = SIZE_MAX;
    PreviousBlock *block = make(context, product, PREVIOUS_CALLOC);
    return block == NULL ? NULL : memset(block->memory, 0, product);
}

/* Moves whenever it grows, as far as there is room. */
static void *previous_realloc(void *context, void *address, size_t bytes) {
    PreviousBlock *block = previous_block_of(address), *moved;
    if (address == NULL) return make(context, bytes, PREVIOUS_REALLOC);
    REQUIRE(block != NULL);
    REQUIRE_EQUAL(block->state, PREVIOUS_HELD);
    hak_hook_entry_t entry = entry_of(context);
    if (is_refused(bytes)) return refuse();
    if (bytes > block->bytes && (moved = take()) != NULL) {
        memcpy(moved->memory, block->memory, block->bytes);
        block->state = PREVIOUS_EMPTY;
        block = moved;
    }
    block->bytes = bytes;
    block->way = PREVIOUS_REALLOC;
    block->entry = entry;
    return block;
}

static void previous_free(void *context, void *address) {
    hak_hook_entry_t entry = entry_of(context);
    PreviousBlock *block = previous_block_of(address);
    if (address == NULL) {
        null_count++;
        return;
    }
    REQUIRE(block != NULL);
    block->entry = entry;
    REQUIRE(change(block, PREVIOUS_HELD, PREVIOUS_EMPTY));
}

hak_hook_t previous_hook(hak_hook_entry_t entry) {
    for (size_t index = 0; index < sizeof entries / sizeof *entries; index++)
        if (entries[index] == entry)
            return (hak_hook_t){(void *)(uintptr_t)&entries[index], previous_malloc, previous_calloc, previous_realloc,
                                previous_free};
    REQUIRE(false);
    return (hak_hook_t){0};
}
