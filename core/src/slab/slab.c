/*
 * slab/slab.c - takes blocks out of a slab's bitmap, returns them, and finds the OS pages that become free.
 *
 * Layer: slab. No other file decides which block of a slab is taken. Thread rule: see slab.h.
 */
#include "slab/slab.h"

#include "platform/message.h"
#include "platform/misuse.h"

/* The bits first .. end - 1 of a bitmap that lie in its word `word`, as a mask for that word. */
static uint64_t word_mask(unsigned word, unsigned first, unsigned end) {
    uint64_t mask = UINT64_MAX;
    if (first > word * 64) mask &= UINT64_MAX << (first - word * 64);
    if (end < word * 64 + 64) mask &= UINT64_MAX >> (word * 64 + 64 - end);
    return mask;
}

/* OS pages first .. last of a slab. */
static unsigned page_span(size_t first_page, size_t last_page) { return (2u << last_page) - (1u << first_page); }

void slab_initialize(Slab *slab) {
    const SizeClass *size_class = &size_classes[slab->class_index];
    uint64_t *bits = slab_free_bits(slab);
    unsigned blocks = size_class->blocks_per_slab;
    for (unsigned word = 0; word * 64 < blocks; word++) bits[word] = word_mask(word, 0, blocks);
    slab->used_blocks = 0;
    slab->available_pages = size_class->starting_pages;
    slab->free_pages = os_page_set_all();
    slab->purging_pages = 0;
    slab->is_queued = false;
    slab->list = SLAB_LIST_NONE;
}

/* Two neighbouring slots of a magazine, as a 16-byte vector. */
typedef uintptr_t SlotPair __attribute__((vector_size(16), aligned(8), may_alias));

/* ---- Take ---- */

/* Writes `count` addresses downwards from `end`: `block`, `block` + stride, ... Returns the lowest slot. */
HAK_INLINE void **write_downwards(void **end, uintptr_t block, size_t stride, unsigned count) {
    SlotPair pair = {block + stride, block}, step = {2 * stride, 2 * stride};
#pragma GCC unroll 4
    for (unsigned rest = count / 2; rest > 0; rest--, pair += step) {
        end -= 2;
        *(SlotPair *)end = pair;
    }
    if (count % 2 != 0) *--end = (void *)pair[1];
    return end;
}

typedef struct Taking {
    void **end;
    unsigned taken;
    unsigned last_block; /* index of the block taken last, the highest of its OS page */
} Taking;

/* Takes free blocks of first .. end_block - 1 until `want` are taken. True: none of them is free any more. */
static bool take_range(uint64_t *bits, uintptr_t base, unsigned block_bytes, unsigned first, unsigned end_block,
                       unsigned want, Taking *taking) {
    void **end = taking->end;
    unsigned taken = taking->taken;
    bool is_exhausted = true;
    for (unsigned word = first / 64; word * 64 < end_block; word++) {
        uint64_t left = bits[word] & word_mask(word, first, end_block);
        uint64_t taken_bits = 0;
        while (left != 0 && taken < want) { /* a run of neighbours at a time */
            unsigned lowest = lowest_bit_index(left);
            uint64_t behind = ~(left >> lowest);
            unsigned run = behind != 0 ? lowest_bit_index(behind) : 64u;
            if (run > want - taken) run = want - taken;
            HAK_ASSERT_OP(run, >, 0);
            uintptr_t block = base + (uintptr_t)(word * 64 + lowest) * block_bytes;
            end = write_downwards(end, block, block_bytes, run);
            uint64_t run_bits = (UINT64_MAX >> (64 - run)) << lowest;
            taken_bits |= run_bits;
            left &= ~run_bits;
            taken += run;
            taking->last_block = word * 64 + lowest + run - 1;
        }
        bits[word] &= ~taken_bits;
        if (left != 0) {
            is_exhausted = false;
            break;
        }
    }
    taking->end = end;
    taking->taken = taken;
    return is_exhausted;
}

unsigned slab_take_blocks(Slab *slab, void **end, unsigned want) {
    const SizeClass *size_class = &size_classes[slab->class_index];
    uint64_t *bits = slab_free_bits(slab);
    size_t first_offset = size_class->first_block_offset;
    uintptr_t base = slab_address(slab) + first_offset;
    unsigned block_bytes = size_class->block_bytes;
    Taking taking = {end, 0, 0};
    HAK_ASSERT_OP(slab->purging_pages, ==, 0);
    while (taking.taken < want) {
        unsigned available = slab->available_pages;
        unsigned partly_used = available & ~(unsigned)slab->free_pages;
        unsigned backed = available & ~(unsigned)slab->unbacked_pages;
        unsigned choice = partly_used != 0 ? partly_used : backed != 0 ? backed : available;
        if (choice == 0) break;
        unsigned page = lowest_bit_index(choice);
        if (take_range(bits, base, block_bytes, size_class->first_starting[page], size_class->first_starting[page + 1],
                       want, &taking))
            slab->available_pages &= (OsPageSet)~(1u << page);
        size_t last_page = (first_offset + ((size_t)taking.last_block + 1) * block_bytes - 1) >> os_page_shift;
        unsigned touched = page_span(page, last_page) & slab->free_pages;
        if (touched != 0) {
            int64_t reused_bytes = os_page_set_bytes((OsPageSet)(touched & ~(unsigned)slab->unbacked_pages));
            if (reused_bytes != 0) atomic_fetch_sub_explicit(&backed_free_bytes, reused_bytes, memory_order_relaxed);
            unsigned unbacked = touched & slab->unbacked_pages;
            if (unbacked != 0) first_touched((uint64_t)os_page_set_bytes((OsPageSet)unbacked));
            slab->free_pages &= (OsPageSet)~touched;
            slab->unbacked_pages &= (OsPageSet)~touched;
        }
    }
    slab->used_blocks = (uint16_t)(slab->used_blocks + taking.taken);
    return taking.taken;
}

/* ---- Return ---- */

static HAK_COLD void report_not_live(const Slab *slab, const void *block, bool is_start) {
    uint64_t block_bytes = size_classes[slab->class_index].block_bytes, thread = os_thread_id();
    if (is_start)
        misuse_report("double free of %p (size class %u bytes, thread %u)", block, block_bytes, thread);
    else
        misuse_report("invalid free of %p: not the start of a block (size class %u bytes, thread %u)", block,
                      block_bytes, thread);
}

/* The number of `blocks`, from the first one on, whose addresses are `stride` apart. */
static unsigned stride_run(void *const *blocks, unsigned count, size_t stride) {
    uintptr_t first = (uintptr_t)blocks[0];
    SlotPair expected = {first, first + stride}, step = {2 * stride, 2 * stride};
    unsigned run = 0;
    /* Eight at a time: most of the time of a bulk free is spent in this loop. */
    for (; run + 8 <= count; run += 8) {
        const SlotPair *pairs = (const SlotPair *)(blocks + run);
        SlotPair next = expected + step, after = next + step, last = after + step;
        SlotPair differences = (pairs[0] ^ expected) | (pairs[1] ^ next) | (pairs[2] ^ after) | (pairs[3] ^ last);
        if ((differences[0] | differences[1]) != 0) break;
        expected = last + step;
    }
    while (run < count && (uintptr_t)blocks[run] == first + run * stride) run++;
    return run;
}

/* Sets bits first .. first + count - 1. False: one was set before, and nothing is done. */
static bool bits_set_clear_range(uint64_t *bits, unsigned first, unsigned count) {
    unsigned end = first + count;
    for (unsigned word = first / 64; word * 64 < end; word++)
        if ((bits[word] & word_mask(word, first, end)) != 0) return false;
    for (unsigned word = first / 64; word * 64 < end; word++) bits[word] |= word_mask(word, first, end);
    return true;
}

typedef struct Returning {
    Slab *slab;
    const SizeClass *size_class;
    uint64_t *bits;
    uintptr_t base;
    unsigned started_pages, ended_pages; /* in which a returned block starts; in which one ends, and some between */
    unsigned returned;
} Returning;

/* Counts `count` neighbouring blocks, `lowest` and those behind it, and marks the OS pages in which they start and
 * those that they touch. */
static void mark_pages(Returning *returning, unsigned lowest, unsigned count) {
    size_t block_bytes = returning->size_class->block_bytes;
    size_t offset = returning->size_class->first_block_offset + lowest * block_bytes;
    size_t first_page = offset >> os_page_shift;
    size_t last_start_page = (offset + (count - 1) * block_bytes) >> os_page_shift;
    size_t last_page = (offset + count * block_bytes - 1) >> os_page_shift;
    returning->started_pages |= page_span(first_page, last_start_page) & returning->size_class->starting_pages;
    returning->ended_pages |= page_span(first_page, last_page);
    returning->returned += count;
}

HAK_INLINE void return_one(Returning *returning, const void *pointer) {
    const SizeClass *size_class = returning->size_class;
    size_t offset_in_slab = (uintptr_t)pointer - returning->base;
    size_t offset = size_class_offset(size_class, offset_in_slab);
    unsigned block = size_class_block_index(size_class, offset);
    bool is_start = block * (size_t)size_class->block_bytes == offset && block < size_class->blocks_per_slab;
    uint64_t *bits = returning->bits + block / 64, word = *bits, bit = (uint64_t)1 << (block % 64);
    if (HAK_UNLIKELY(!is_start || (word & bit) != 0)) {
        report_not_live(returning->slab, pointer, is_start);
        return;
    }
    *bits = word | bit;
    returning->started_pages |= 1u << (offset_in_slab >> os_page_shift);
    returning->ended_pages |= 1u << ((offset_in_slab + size_class->block_bytes - 1) >> os_page_shift);
    returning->returned++;
}

/* Structures are often freed in the order of their allocation, or in the reverse order. Their blocks are neighbours
 * then, and one operation on the bitmap returns up to 64 of them. Returns the number of `blocks` returned; 0: not
 * neighbours. */
HAK_INLINE unsigned return_neighbours(Returning *returning, void *const *blocks, unsigned count) {
    size_t block_bytes = returning->size_class->block_bytes;
    if (count < 2) return 0;
    size_t stride = (uintptr_t)blocks[1] - (uintptr_t)blocks[0];
    bool is_ascending = stride == block_bytes;
    if (!is_ascending && stride != 0 - block_bytes) return 0;
    size_t offset = size_class_offset(returning->size_class, (uintptr_t)blocks[0] - returning->base);
    unsigned first = size_class_block_index(returning->size_class, offset);
    if (first * block_bytes != offset || first >= returning->size_class->blocks_per_slab) return 0;
    unsigned run = stride_run(blocks, count, stride);
    unsigned room = is_ascending ? returning->size_class->blocks_per_slab - first : first + 1u;
    if (run > room) run = room; /* the others lie in the neighbouring slab */
    unsigned lowest = is_ascending ? first : first + 1u - run;
    if (!bits_set_clear_range(returning->bits, lowest, run)) return 0;
    mark_pages(returning, lowest, run);
    return run;
}

/* The OS pages that returned blocks touched and no used block touches any more. A block larger than an OS page may
 * touch some that are neither its first nor its last one, so for these classes all OS pages of the slab are
 * checked. */
static unsigned freed_pages(const Returning *returning) {
    const SizeClass *size_class = returning->size_class;
    unsigned touched = returning->started_pages | returning->ended_pages, freed = 0;
    if (size_class->block_bytes > os_page_bytes) touched = os_page_set_all();
    for (unsigned rest = touched & ~(unsigned)returning->slab->free_pages; rest != 0; rest &= rest - 1) {
        unsigned page = lowest_bit_index(rest);
        if (bits_are_all_set(returning->bits, size_class->first_touching[page], size_class->first_starting[page + 1]))
            freed |= 1u << page;
    }
    return freed;
}

static void add_free_pages(Slab *slab, unsigned freed) {
    if (freed == 0) return;
    slab->free_pages |= (OsPageSet)freed;
    atomic_fetch_add(&backed_free_bytes, os_page_set_bytes((OsPageSet)freed));
}

unsigned slab_return_blocks(Slab *slab, void *const *blocks, unsigned count, unsigned *dealt_with) {
    Returning returning = {slab, &size_classes[slab->class_index], slab_free_bits(slab), slab_address(slab), 0, 0, 0};
    unsigned number = 0;
    do {
        unsigned run = return_neighbours(&returning, blocks + number, count - number);
        if (run == 0) {
            return_one(&returning, blocks[number]);
            run = 1;
        }
        number += run;
    } while (number < count && (uintptr_t)blocks[number] - returning.base < SLAB_BYTES);
    *dealt_with = number;
    slab->available_pages |= (OsPageSet)returning.started_pages;
    slab->used_blocks = (uint16_t)(slab->used_blocks - returning.returned);
    add_free_pages(slab, freed_pages(&returning));
    return returning.returned;
}

/* ---- Checks ---- */

OsPageSet slab_free_pages_from_bits(Slab *slab) {
    const SizeClass *size_class = &size_classes[slab->class_index];
    unsigned free_pages = 0;
    for (unsigned page = 0; page < SLAB_BYTES >> os_page_shift; page++) {
        unsigned first = size_class->first_touching[page], end = size_class->first_starting[page + 1];
        if (first >= end || bits_are_all_set(slab_free_bits(slab), first, end)) free_pages |= 1u << page;
    }
    return (OsPageSet)free_pages;
}
