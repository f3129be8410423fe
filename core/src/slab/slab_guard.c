/*
 * slab/slab_guard.c - debug level 2: canaries behind blocks and poison in free ones.
 *
 * Layer: slab. Does not guard large blocks. Thread rule: see slab_guard.h.
 *
 * Debug level 2 has no magazines (size_class_initialize), so every malloc and free takes the slow path, which comes
 * here; fast paths have no test for it. A free block is all poison, or zeros in OS pages that were purged. A canary
 * byte is a function of its address, so a copy of another canary is found, too.
 */
#include "slab/slab_guard.h"

#include <string.h>

#include "platform/misuse.h"
#include "platform/os_memory_tool.h"
#include "slab/slab.h"

enum { POISON_FREE = 0xDB, POISON_NEW = 0xCA, NOTHING = -1 };

void slab_guard_poison(Slab *slab) {
    uint8_t *memory = (uint8_t *)slab_address(slab);
    if (os_memory_tool_is_present()) {
        os_memory_tool_hide(memory, SLAB_BYTES);
        return;
    }
    for (unsigned page = 0; page < SLAB_BYTES >> os_page_shift; page++)
        if ((slab->unbacked_pages >> page & 1) == 0)
            memset(memory + ((size_t)page << os_page_shift), POISON_FREE, os_page_bytes);
}

/* ---- Written to after it was freed ---- */

/* The offset of the first byte that is not `value`; NOTHING: all are. */
static int64_t first_other_byte(const uint8_t *memory, size_t bytes, uint8_t value) {
    bool is_alike = memory[0] == value && memcmp(memory, memory + 1, bytes - 1) == 0; /* many bytes at a time */
    if (HAK_LIKELY(is_alike)) return NOTHING;
    for (size_t offset = 0; offset < bytes; offset++)
        if (memory[offset] != value) return (int64_t)offset;
    return NOTHING;
}

/* The offset of a byte that was written while the block was free; NOTHING: none. Without such writes the block's
 * part in each OS page is all poison or all zero. */
static int64_t written_while_free(const uint8_t *block, size_t block_bytes) {
    for (size_t offset = 0, part_bytes; offset < block_bytes; offset += part_bytes) {
        part_bytes = os_page_bytes - (uintptr_t)(block + offset) % os_page_bytes;
        if (part_bytes > block_bytes - offset) part_bytes = block_bytes - offset;
        int64_t not_poison = first_other_byte(block + offset, part_bytes, POISON_FREE);
        int64_t not_zero = first_other_byte(block + offset, part_bytes, 0);
        if (not_poison != NOTHING && not_zero != NOTHING)
            return (int64_t)offset + (not_poison > not_zero ? not_poison : not_zero);
    }
    return NOTHING;
}

/* ---- Written beyond its end ---- */

static uint8_t canary_byte(const uint8_t *address) {
    uint64_t mixed = (uint64_t)(uintptr_t)address * 0x9E3779B97F4A7C15u;
    return (uint8_t)(mixed >> 56 | 1); /* never 0, the byte that overflows write most often */
}

static void canary_set(uint8_t *end) {
    for (size_t offset = 0; offset < SIZE_CLASS_CANARY_BYTES; offset++) end[offset] = canary_byte(end + offset);
}

/* The offset of the first damaged byte of a canary; NOTHING: none. */
static int64_t canary_damage(const uint8_t *end) {
    for (size_t offset = 0; offset < SIZE_CLASS_CANARY_BYTES; offset++)
        if (end[offset] != canary_byte(end + offset)) return (int64_t)offset;
    return NOTHING;
}

/* ---- A block is taken, returned, discarded ---- */

void slab_guard_begin(void *block, unsigned class_index) {
    const SizeClass *size_class = &size_classes[class_index];
    size_t usable_bytes = size_class_usable_bytes[class_index];
    if (os_memory_tool_is_present()) {
        os_memory_tool_begin(block, usable_bytes);
        return;
    }
    int64_t offset = written_while_free(block, size_class->block_bytes);
    if (offset != NOTHING)
        misuse_report("corruption: %p was written to after it was freed, at byte %u (size class %u bytes, thread %u)",
                      block, (uint64_t)offset, (uint64_t)size_class->block_bytes, os_thread_id());
    memset(block, POISON_NEW, usable_bytes);
    canary_set((uint8_t *)block + usable_bytes);
}

void slab_guard_end(void *block, unsigned class_index) {
    const SizeClass *size_class = &size_classes[class_index];
    size_t usable_bytes = size_class_usable_bytes[class_index];
    if (os_memory_tool_is_present()) {
        os_memory_tool_end(block, size_class->block_bytes);
        return;
    }
    int64_t offset = canary_damage((const uint8_t *)block + usable_bytes);
    if (offset != NOTHING)
        misuse_report("corruption: %p was written to beyond its end, at byte %u (size class %u bytes, thread %u)",
                      block, (uint64_t)usable_bytes + (uint64_t)offset, (uint64_t)size_class->block_bytes,
                      os_thread_id());
    memset(block, POISON_FREE, size_class->block_bytes);
}

void slab_guard_discard(Slab *slab) {
    const SizeClass *size_class = &size_classes[slab->class_index];
    if (!os_memory_tool_is_present()) return;
    uint8_t *first_block = (uint8_t *)slab_address(slab) + size_class->first_block_offset;
    for (unsigned block = 0; block < size_class->blocks_per_slab; block++)
        if ((slab_free_bits(slab)[block / 64] >> (block % 64) & 1) == 0)
            os_memory_tool_end(first_block + (size_t)block * size_class->block_bytes, size_class->block_bytes);
}
