/*
 * support/reference.c - blocks: find, enter, resize, leave, compare.
 */
#include "support/reference.h"

#include <stdlib.h>
#include <string.h>

#include "support/pattern.h"
#include "support/require.h"
#include "support/stats.h"

enum { WORDS = REFERENCE_BLOCKS / 64 };

void reference_reset(Reference *reference) {
    uint64_t next_key = reference->next_key;
    memset(reference->heaps, 0, sizeof reference->heaps);
    for (size_t index = 0; index < REFERENCE_BLOCKS; index++) reference->blocks[index].address = NULL;
    memset(reference->live, 0, sizeof reference->live);
    memset(reference->empty, 0xFF, sizeof reference->empty);
    reference->live_blocks = reference->live_bytes = 0;
    reference->passed_requests = reference->passed_bytes = reference->served_bytes = 0;
    reference->is_all_counted = false;
    reference->is_inexact = reference->may_keep_caches = reference->has_late_lines = false;
    reference->next_key = next_key;
}

/* ---- Find ---- */

/* `heap` NULL: of whichever. */
static ReferenceBlock *hold_nearest(Reference *reference, uint64_t *set, unsigned wish,
                                    const ReferenceHeap *const *heap) {
    unsigned first = wish % REFERENCE_BLOCKS;
    for (unsigned step = 0; step <= WORDS; step++) {
        unsigned word = (first / 64 + step) % WORDS;
        uint64_t bits = set[word];
        if (step == 0) bits &= UINT64_MAX << (first % 64);
        for (; bits != 0; bits &= bits - 1) {
            ReferenceBlock *block = &reference->blocks[word * 64 + (unsigned)__builtin_ctzll(bits)];
            if (heap != NULL && block->heap != *heap) continue;
            set[word] &= ~(bits & -bits);
            return block;
        }
    }
    return NULL;
}

ReferenceBlock *reference_hold_live(Reference *reference, unsigned wish) {
    return hold_nearest(reference, reference->live, wish, NULL);
}

ReferenceBlock *reference_hold_empty(Reference *reference, unsigned wish) {
    return hold_nearest(reference, reference->empty, wish, NULL);
}

ReferenceBlock *reference_hold_live_of(Reference *reference, const ReferenceHeap *heap, unsigned wish) {
    return hold_nearest(reference, reference->live, wish, &heap);
}

static void let_go(const Reference *reference, uint64_t *set, const ReferenceBlock *block) {
    size_t index = (size_t)(block - reference->blocks);
    set[index / 64] |= (uint64_t)1 << (index % 64);
}

void reference_let_go_live(Reference *reference, ReferenceBlock *block) { let_go(reference, reference->live, block); }
void reference_let_go_empty(Reference *reference, ReferenceBlock *block) { let_go(reference, reference->empty, block); }

static bool is_live(const Reference *reference, size_t index) {
    return (reference->live[index / 64] >> (index % 64) & 1) != 0;
}

/* ---- Enter, leave, resize ---- */

static void account(Reference *reference, ReferenceHeap *heap, size_t bytes_before, size_t bytes_after) {
    reference->live_bytes += bytes_after == 0 ? 0 : sizes_live_bytes(bytes_after);
    reference->live_bytes -= bytes_before == 0 ? 0 : sizes_live_bytes(bytes_before);
    if (heap == NULL) return;
    hak_heap_stats_t *expected = &heap->expected;
    expected->used_bytes += bytes_after - bytes_before;
    if (expected->used_bytes > expected->peak_bytes) expected->peak_bytes = expected->used_bytes;
    if (expected->soft_limit_bytes != 0 && expected->used_bytes > expected->soft_limit_bytes) return;
    uint64_t room_bytes = expected->soft_limit_bytes == 0 ? UINT64_MAX
                                                          : expected->soft_limit_bytes - expected->used_bytes;
    if (bytes_after < bytes_before && heap->awaited_bytes <= room_bytes)
        heap->soft = SOFT_FRESH;
    else if (bytes_after >= bytes_before && heap->soft == SOFT_REFUSED)
        heap->soft = SOFT_OPEN;
}

static void note(Reference *reference, ReferenceBlock *block, void *address, size_t bytes) {
    REQUIRE(address != NULL);
    REQUIRE_EQUAL((uintptr_t)address % sizes_alignment(block->alignment, bytes), 0);
    REQUIRE_EQUAL(hak_owns(address), 1);
    REQUIRE_EQUAL(hak_owns((void *)((uintptr_t)address | (uintptr_t)1 << 62)), 0);
    block->address = address;
    block->bytes = bytes;
    block->usable_bytes = hak_usable_size(address);
    block->key = reference->next_key++;
    REQUIRE_AT_LEAST(block->usable_bytes, bytes);
    pattern_fill_few(address, bytes, block->key, reference->on_write);
}

static void enter(Reference *reference, ReferenceBlock *block, void *address, size_t bytes) {
    note(reference, block, address, bytes);
    account(reference, block->heap, 0, block->usable_bytes);
    reference->live_blocks++;
    if (block->heap != NULL) block->heap->expected.used_blocks++;
    reference_let_go_live(reference, block);
}

void reference_enter(Reference *reference, ReferenceBlock *block, void *address, size_t bytes, SizesAlignment alignment,
                     ReferenceHeap *heap) {
    block->alignment = alignment;
    block->heap = heap;
    enter(reference, block, address, bytes);
    REQUIRE_EQUAL(block->usable_bytes, sizes_usable_bytes(alignment, bytes));
}

void reference_enter_larger(Reference *reference, ReferenceBlock *block, void *address, size_t bytes) {
    block->alignment = SIZES_ALIGN_8;
    block->heap = NULL;
    enter(reference, block, address, bytes);
}

void reference_is_gone(Reference *reference, ReferenceBlock *block) {
    account(reference, block->heap, block->usable_bytes, 0);
    reference->live_blocks--;
    if (block->heap != NULL) block->heap->expected.used_blocks--;
    block->address = NULL;
    reference_let_go_empty(reference, block);
}

void *reference_leave(Reference *reference, ReferenceBlock *block) {
    void *address = block->address;
    REQUIRE(pattern_few_hold_prefix(address, block->bytes, block->bytes, block->key));
    REQUIRE_EQUAL(hak_usable_size(address), block->usable_bytes);
    reference_is_gone(reference, block);
    return address;
}

void reference_resize(Reference *reference, ReferenceBlock *block, void *address, size_t bytes) {
    size_t kept_bytes = bytes < block->bytes ? bytes : block->bytes, former_bytes = block->usable_bytes;
    REQUIRE(address != NULL);
    REQUIRE(pattern_few_hold_prefix(address, kept_bytes, block->bytes, block->key));
    note(reference, block, address, bytes);
    account(reference, block->heap, former_bytes, block->usable_bytes);
    reference_let_go_live(reference, block);
}

/* ---- Checks ---- */

static int by_address(const void *left, const void *right) {
    const ReferenceBlock *const *first = left, *const *second = right;
    return ((*first)->address > (*second)->address) - ((*first)->address < (*second)->address);
}

void reference_check(const Reference *reference) {
    const ReferenceBlock *sorted[REFERENCE_BLOCKS];
    size_t count = 0;
    for (size_t index = 0; index < REFERENCE_BLOCKS; index++) {
        const ReferenceBlock *block = &reference->blocks[index];
        if (!is_live(reference, index)) continue;
        REQUIRE(pattern_few_hold_prefix(block->address, block->bytes, block->bytes, block->key));
        sorted[count++] = block;
    }
    qsort(sorted, count, sizeof *sorted, by_address);
    for (size_t number = 1; number < count; number++)
        REQUIRE_AT_LEAST((uintptr_t)sorted[number]->address,
                         (uintptr_t)sorted[number - 1]->address + sorted[number - 1]->usable_bytes);
    for (size_t number = 0; number < REFERENCE_HEAPS; number++)
        if (reference->heaps[number].handle != NULL) reference_heap_check(&reference->heaps[number]);
}

void reference_check_stats(const Reference *const *references, size_t count) {
    uint64_t live_blocks = 0, live_bytes = 0;
    bool is_inexact = false;
    const Reference *first = references[0];
    for (size_t number = 0; number < count; number++) {
        live_blocks += references[number]->live_blocks;
        live_bytes += references[number]->live_bytes;
        is_inexact |= references[number]->is_inexact;
    }
    hak_stats_t stats = stats_checked();
    if (is_inexact) {
        REQUIRE_AT_LEAST(stats.live_blocks, live_blocks);
        REQUIRE_AT_LEAST(stats.live_bytes, live_bytes);
    } else {
        REQUIRE_EQUAL(stats.live_blocks, live_blocks);
        REQUIRE_EQUAL(stats.live_bytes, live_bytes);
    }
    if (first->is_all_counted && !is_inexact) {
        REQUIRE_EQUAL(stats.passed_requests, first->passed_requests);
        REQUIRE_EQUAL(stats.passed_bytes, first->passed_bytes);
        REQUIRE_EQUAL(stats.served_bytes, first->served_bytes);
    }
    REQUIRE_EQUAL(hak_check(), 0);
}

/* What was held may live or not: it is not counted, and at least the rest lives. */
static void lose(Reference *reference, size_t index) {
    ReferenceBlock *block = &reference->blocks[index];
    if (block->address != NULL) {
        reference->live_blocks--;
        reference->live_bytes -= sizes_live_bytes(block->usable_bytes);
        block->address = NULL;
    }
    reference->live[index / 64] &= ~((uint64_t)1 << (index % 64));
    reference->empty[index / 64] |= (uint64_t)1 << (index % 64);
}

void reference_lose_held(Reference *reference) {
    reference->is_inexact = true;
    for (size_t number = 0; number < REFERENCE_HEAPS; number++) {
        ReferenceHeap *heap = &reference->heaps[number];
        if (!reference_heap_is_busy(heap)) continue;
        heap->is_held = false;
        heap->sharers = 0;
        for (size_t index = 0; index < REFERENCE_BLOCKS; index++)
            if (is_live(reference, index) && reference->blocks[index].heap == heap) lose(reference, index);
        if (heap->handle != NULL) reference_heap_lose(reference, heap);
    }
    for (unsigned word = 0; word < WORDS; word++) {
        uint64_t held = ~(reference->live[word] | reference->empty[word]);
        for (; held != 0; held &= held - 1) lose(reference, word * 64 + (unsigned)__builtin_ctzll(held));
    }
}
