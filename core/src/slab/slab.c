/*
 * slab/slab.c - the bitmap work: take, return, and which OS pages became free.
 *
 * Layer: slab. Placement inside a slab is decided here and nowhere else. Thread rule: the owner's lock is held.
 */
#include "slab/slab.h"

#include "platform/message.h"
#include "platform/option.h"

/* Bits [first, end) of one 64-bit word, relative to that word. */
static uint64_t word_mask(unsigned word, unsigned first, unsigned end) {
    uint64_t mask = UINT64_MAX;
    if (first > word * 64) mask &= UINT64_MAX << (first - word * 64);
    if (end < word * 64 + 64) mask &= UINT64_MAX >> (word * 64 + 64 - end);
    return mask;
}

static bool bits_are_all_set(const uint64_t *bits, unsigned first, unsigned end) {
    for (unsigned word = first / 64; word * 64 < end; word++) {
        uint64_t mask = word_mask(word, first, end);
        if ((bits[word] & mask) != mask) return false;
    }
    return true;
}

/* OS pages first .. last of a slab. */
static unsigned page_span(size_t first_page, size_t last_page) { return (2u << last_page) - (1u << first_page); }

void slab_initialize(TinySlabMeta *meta) {
    const SizeClass *size_class = &size_classes[meta->class_index];
    uint64_t *bits = slab_free_bits(meta);
    unsigned blocks = size_class->blocks_per_slab;
    for (unsigned word = 0; word * 64 < blocks; word++) bits[word] = word_mask(word, 0, blocks);
    meta->used_blocks = 0;
    meta->available_pages = size_class->starting_pages;
    meta->free_pages = os_page_set_all();
    meta->purging_pages = 0;
    meta->is_queued = false;
    meta->list = SLAB_LIST_NONE;
}

/* ---- Take ---- */

typedef struct Taking {
    void **end;
    unsigned taken;
    unsigned last_block; /* highest index taken in this OS page */
} Taking;

/* Takes free blocks that start in [first, end_block); false when the wanted number was reached with some left. */
static bool take_range(uint64_t *bits, uintptr_t base, unsigned block_bytes, unsigned first, unsigned end_block,
                       unsigned want, Taking *taking) {
    void **end = taking->end;
    unsigned taken = taking->taken, block = taking->last_block;
    bool is_exhausted = true;
    for (unsigned word = first / 64; word * 64 < end_block; word++) {
        uint64_t found = bits[word] & word_mask(word, first, end_block);
        uint64_t left = found;
        while (left != 0 && taken < want) {
            block = word * 64 + lowest_bit_index(left);
            *--end = (void *)(base + (uintptr_t)block * block_bytes);
            left &= left - 1;
            taken++;
        }
        bits[word] &= ~(found ^ left);
        if (left != 0) {
            is_exhausted = false;
            break;
        }
    }
    *taking = (Taking){end, taken, block};
    return is_exhausted;
}

unsigned slab_take_blocks(TinySlabMeta *meta, void **end, unsigned want) {
    const SizeClass *size_class = &size_classes[meta->class_index];
    uint64_t *bits = slab_free_bits(meta);
    uintptr_t base = slab_address(meta);
    unsigned block_bytes = size_class->block_bytes;
    Taking taking = {end, 0, 0};
    HAK_ASSERT_OP(meta->purging_pages, ==, 0);
    while (taking.taken < want) {
        unsigned available = meta->available_pages;
        unsigned partly_used = available & ~(unsigned)meta->free_pages;
        unsigned backed = available & ~(unsigned)meta->unbacked_pages;
        unsigned choice = partly_used != 0 ? partly_used : backed != 0 ? backed : available;
        if (choice == 0) break;
        unsigned page = lowest_bit_index(choice);
        if (take_range(bits, base, block_bytes, size_class->first_starting[page], size_class->first_starting[page + 1],
                       want, &taking))
            meta->available_pages &= (OsPageSet)~(1u << page);
        size_t last_page = ((size_t)taking.last_block * block_bytes + block_bytes - 1) >> os_page_shift;
        unsigned touched = page_span(page, last_page) & meta->free_pages;
        if (touched != 0) {
            int64_t reused_bytes = os_page_set_bytes((OsPageSet)(touched & ~(unsigned)meta->unbacked_pages));
            if (reused_bytes != 0)
                atomic_fetch_sub_explicit(&backed_free_bytes, reused_bytes, memory_order_relaxed);
            meta->free_pages &= (OsPageSet)~touched;
            meta->unbacked_pages &= (OsPageSet)~touched;
        }
    }
    meta->used_blocks = (uint16_t)(meta->used_blocks + taking.taken);
    return taking.taken;
}

/* ---- Return ---- */

static HAK_COLD void report_not_live(const TinySlabMeta *meta, const void *block, bool is_start) {
    bool report_only = option_value(OPTION_ON_ERROR) == OPTION_ON_ERROR_REPORT;
    uint64_t block_bytes = size_classes[meta->class_index].block_bytes, thread = os_thread_id();
    if (is_start)
        message_misuse(report_only, "double free of %p (size class %u bytes, thread %u)", block, block_bytes, thread);
    else
        message_misuse(report_only, "invalid free of %p: not the start of a block (size class %u bytes, thread %u)",
                       block, block_bytes, thread);
}

unsigned slab_return_blocks(TinySlabMeta *meta, void *const *blocks, unsigned count) {
    const SizeClass *size_class = &size_classes[meta->class_index];
    uint64_t *bits = slab_free_bits(meta);
    uintptr_t base = slab_address(meta);
    size_t block_bytes = size_class->block_bytes;
    unsigned page_shift = os_page_shift;
    unsigned started_pages = 0, touched_pages = 0, returned = 0;
    for (unsigned number = 0; number < count; number++) {
        size_t offset = (uintptr_t)blocks[number] - base;
        unsigned block = size_class_block_index(size_class, offset);
        uint64_t bit = (uint64_t)1 << (block % 64);
        uint64_t word = bits[block / 64];
        bool is_start = block * block_bytes == offset && block < size_class->blocks_per_slab;
        if (HAK_UNLIKELY(!is_start || (word & bit) != 0)) {
            report_not_live(meta, blocks[number], is_start);
            continue;
        }
        bits[block / 64] = word | bit;
        size_t first_page = offset >> page_shift;
        started_pages |= 1u << first_page;
        touched_pages |= page_span(first_page, (offset + block_bytes - 1) >> page_shift);
        returned++;
    }
    unsigned freed_pages = 0;
    for (unsigned rest = touched_pages; rest != 0; rest &= rest - 1) {
        unsigned page = lowest_bit_index(rest);
        if (bits_are_all_set(bits, size_class->first_touching[page], size_class->first_starting[page + 1]))
            freed_pages |= 1u << page;
    }
    meta->available_pages |= (OsPageSet)started_pages;
    meta->free_pages |= (OsPageSet)freed_pages;
    meta->used_blocks = (uint16_t)(meta->used_blocks - returned);
    if (freed_pages != 0)
        atomic_fetch_add_explicit(&backed_free_bytes, os_page_set_bytes((OsPageSet)freed_pages), memory_order_relaxed);
    return returned;
}

/* ---- Questions ---- */

bool slab_block_is_used(TinySlabMeta *meta, const void *block) {
    const SizeClass *size_class = &size_classes[meta->class_index];
    size_t offset = (uintptr_t)block - slab_address(meta);
    unsigned index = size_class_block_index(size_class, offset);
    if (index * (size_t)size_class->block_bytes != offset || index >= size_class->blocks_per_slab) return false;
    return (slab_free_bits(meta)[index / 64] >> (index % 64) & 1) == 0;
}

OsPageSet slab_free_pages_from_bits(TinySlabMeta *meta) {
    const SizeClass *size_class = &size_classes[meta->class_index];
    unsigned free_pages = 0;
    for (unsigned page = 0; page < SLAB_BYTES >> os_page_shift; page++)
        if (bits_are_all_set(slab_free_bits(meta), size_class->first_touching[page],
                             size_class->first_starting[page + 1]))
            free_pages |= 1u << page;
    return (OsPageSet)free_pages;
}
