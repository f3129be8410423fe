/*
 * superslab/size_class.c - builds the class table for this machine's OS page.
 *
 * Layer: superslab. Thread rule: size_class_initialize once, under the start lock (lifecycle/start.c).
 */
#include "superslab/size_class.h"

#include "platform/message.h"
#include "platform/os.h"

SizeClass size_classes[SIZE_CLASS_COUNT + 1];
uint32_t size_class_usable_bytes[SIZE_CLASS_COUNT + 1];
_Atomic uint8_t size_class_small[ALIGN_COUNT][SIZE_CLASS_TABLE_BYTES_MAX / 8 + 1];
_Atomic uint8_t size_class_medium[SLAB_CLASS_BYTES_MAX / 32 + 1];

static size_t step_bytes(size_t block_bytes) {
    if (block_bytes < 128) return 8;
    if (block_bytes < 512) return 16;
    if (block_bytes < 2048) return 32;
    if (block_bytes < 4096) return 128;
    size_t power_of_two = (size_t)1 << (63 - (unsigned)__builtin_clzll(block_bytes));
    return power_of_two / 8;
}

static uint16_t magazine_blocks_of(size_t block_bytes) {
    size_t blocks = MAGAZINE_BYTES_MAX / block_bytes;
    if (blocks == 0) return 1;
    return (uint16_t)(blocks < MAGAZINE_BLOCKS_MAX ? blocks : MAGAZINE_BLOCKS_MAX);
}

static void fill_class(SizeClass *size_class, size_t block_bytes, size_t canary_bytes) {
    size_class->block_bytes = (uint32_t)block_bytes;
    size_class->reciprocal = (uint32_t)((((uint64_t)1 << 32) + block_bytes - 1) / block_bytes);
    size_t first_offset = block_bytes == SHIFTED_CLASS_BYTES ? SHIFT_BYTES : 0;
    size_class->first_block_offset = (uint32_t)first_offset;
    size_t blocks_that_fit = (SLAB_BYTES - first_offset) / block_bytes;
    size_class->blocks_per_slab =
        (uint16_t)(blocks_that_fit < BLOCKS_PER_SLAB_MAX ? blocks_that_fit : BLOCKS_PER_SLAB_MAX);
    size_class->magazine_blocks = canary_bytes == 0 ? magazine_blocks_of(block_bytes) : 0;
    size_t block_count = size_class->blocks_per_slab;
    for (size_t page = 0; page <= OS_PAGES_PER_SLAB_MAX; page++) {
        size_t bytes_before = page > 0 ? page * os_page_bytes - first_offset : 0; /* from the first block on */
        size_t starting = (bytes_before + block_bytes - 1) / block_bytes;
        size_t touching = bytes_before / block_bytes;
        size_class->first_starting[page] = (uint16_t)(starting < block_count ? starting : block_count);
        if (page < OS_PAGES_PER_SLAB_MAX)
            size_class->first_touching[page] = (uint16_t)(touching < block_count ? touching : block_count);
    }
    for (size_t page = 0; page < SLAB_BYTES >> os_page_shift; page++)
        if (size_class->first_starting[page] < size_class->first_starting[page + 1])
            size_class->starting_pages |= (OsPageSet)(1u << page);
}

static bool serves(unsigned index, size_t size_bytes) {
    return size_class_usable_bytes[index] != 0 && size_class_usable_bytes[index] >= size_bytes;
}

/* The smallest class for `size_bytes` whose blocks all lie on `alignment_bytes`; 0: there is none. The search goes
 * on at `least`, the smallest class for the size before, because each process fills the tables when it starts: call
 * it with sizes in rising order. */
static uint8_t smallest_class(unsigned *least, size_t size_bytes, size_t alignment_bytes) {
    while (*least <= SIZE_CLASS_COUNT && !serves(*least, size_bytes)) (*least)++;
    unsigned index = *least;
    while (index <= SIZE_CLASS_COUNT && size_classes[index].block_bytes % alignment_bytes != 0) index++;
    return (uint8_t)(index <= SIZE_CLASS_COUNT ? index : 0);
}

static size_t alignment_of_request(size_t size_bytes, SizeClassAlignment alignment, bool align_16_always) {
    if (align_16_always || alignment == ALIGN_16) return 16;
    if (alignment == ALIGN_8 || size_bytes <= 8) return 8;
    if (alignment == ALIGN_OBJECT && size_bytes > 16 && size_bytes <= 24) return 8;
    return 16;
}

void size_class_initialize(bool align_16_always, bool is_guarded) {
    size_t canary_bytes = is_guarded ? SIZE_CLASS_CANARY_BYTES : 0;
    size_t block_bytes = 0;
    uint32_t slots = 0;
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) {
        block_bytes += step_bytes(block_bytes);
        fill_class(&size_classes[index], block_bytes, canary_bytes);
        size_class_usable_bytes[index] = block_bytes > canary_bytes ? (uint32_t)(block_bytes - canary_bytes) : 0;
        slots += size_classes[index].magazine_blocks;
    }
    HAK_ASSERT_OP(block_bytes, ==, SLAB_CLASS_BYTES_MAX);
    HAK_ASSERT_OP(slots, <=, MAGAZINE_SLOTS_TOTAL);
    for (unsigned alignment = 0; alignment < ALIGN_COUNT; alignment++) {
        unsigned least = 1;
        for (size_t size = 0; size <= SIZE_CLASS_TABLE_BYTES_MAX; size += 8) {
            size_t alignment_bytes = alignment_of_request(size, (SizeClassAlignment)alignment, align_16_always);
            STORE_RELAXED(size_class_small[alignment][size / 8], smallest_class(&least, size, alignment_bytes));
        }
    }
    unsigned least = 1;
    for (size_t size = 0; size <= SLAB_CLASS_BYTES_MAX; size += 32)
        STORE_RELAXED(size_class_medium[size / 32], smallest_class(&least, size, 16));
}
