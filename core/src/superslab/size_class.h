/*
 * superslab/size_class.h - which block size serves a request.
 *
 * Layer: superslab. Thread rule: written once by size_class_initialize, then read-only. A fast path may read the
 * tables before that; it finds class 0, whose magazine is always empty, and takes the slow path.
 *
 * SIZE_CLASS_COUNT classes. Steps (step_bytes in size_class.c): 8 bytes up to 128, 16 up to 512, 32 up to 2 KiB,
 * 128 up to 4 KiB, then an eighth of a power of two up to 32 KiB. Between 512 bytes and 2 KiB most allocators have
 * larger steps; 32 wastes about as much as glibc's malloc, which rounds to 16 and adds a header of 8.
 */
#ifndef HAK_SUPERSLAB_SIZE_CLASS_H
#define HAK_SUPERSLAB_SIZE_CLASS_H

#include "base/types.h"

#define SIZE_CLASS_TABLE_BYTES_MAX 1024u /* size_class_small serves sizes up to here, size_class_medium larger ones */

/*
 * Blocks of a cache line begin SHIFT_BYTES behind a multiple of it; those of all other classes lie at multiples of
 * their size from the slab's start.
 *
 * CPython's collector walks a list through the 16 bytes in front of each object, and looks at the object. In blocks of
 * 64 bytes (dict, list, tuples of 2 and 3) these 16 bytes are the end of one cache line, and the object is in the next
 * one, whose end are the 16 bytes of the next block. So the look at an object loads the line with the next block's
 * link, before the walk gets there. pymalloc's pools, whose header has 48 bytes, have the same effect.
 */
#define SHIFTED_CLASS_BYTES CACHE_LINE_BYTES
#define SHIFT_BYTES 48u

/* Capacities of magazines (cache/magazine.h), which each class has in magazine_blocks. */
#define MAGAZINE_BLOCKS_MAX 256u
#define MAGAZINE_BYTES_MAX 16384u  /* of blocks in a full magazine; one block where none is so small */
#define MAGAZINE_SMALL_BLOCKS 8u   /* at first, until it grows */
#define MAGAZINE_SLOTS_TOTAL 6144u /* at least the sum over all classes */

/* The least alignment, in bytes, that an entry point promises. */
typedef enum SizeClassAlignment {
    ALIGN_C,      /* 16; 8 for sizes up to 8 */
    ALIGN_OBJECT, /* 16; 8 for sizes up to 8 and from 17 to 24 */
    ALIGN_8,      /* 8 */
    ALIGN_16,     /* 16 */
    ALIGN_COUNT
} SizeClassAlignment;

extern SizeClass size_classes[SIZE_CLASS_COUNT + 1]; /* [0] is no class */
/* Bytes of a block of each class that a caller may use: all, or with `debug` 2 all but the canary; 0: the class
 * serves no request. Not in SizeClass, because fast paths need this alone. */
extern uint32_t size_class_usable_bytes[SIZE_CLASS_COUNT + 1];

/* The class by size in units of 8 and of 32 bytes, rounded up. */
extern _Atomic uint8_t size_class_small[ALIGN_COUNT][SIZE_CLASS_TABLE_BYTES_MAX / 8 + 1];
extern _Atomic uint8_t size_class_medium[SLAB_CLASS_BYTES_MAX / 32 + 1];

/* The canary at the end of each block, with `debug` 2. */
#define SIZE_CLASS_CANARY_BYTES 32u

/* `align_16_always`: option align=16. `is_guarded`: blocks have canaries, and classes have no magazines, so that
 * each block is checked when it is taken and when it is returned. */
void size_class_initialize(bool align_16_always, bool is_guarded);

/* 0, or SIZE_CLASS_CANARY_BYTES. */
HAK_INLINE size_t size_class_canary_bytes(void) {
    return size_classes[SIZE_CLASS_COUNT].block_bytes - size_class_usable_bytes[SIZE_CLASS_COUNT];
}

/* `size_bytes` up to SIZE_CLASS_TABLE_BYTES_MAX. */
HAK_INLINE unsigned size_class_of_small(size_t size_bytes, SizeClassAlignment alignment) {
    return LOAD_RELAXED(size_class_small[alignment][(size_bytes + 7) / 8]);
}

/* `size_bytes` above SIZE_CLASS_TABLE_BYTES_MAX. 0: no class is large enough. */
HAK_INLINE unsigned size_class_of_medium(size_t size_bytes) {
    return size_bytes <= SLAB_CLASS_BYTES_MAX ? LOAD_RELAXED(size_class_medium[(size_bytes + 31) / 32]) : 0;
}

/* `small` is the row of size_class_small for an alignment. 0: no class is large enough. */
HAK_INLINE unsigned size_class_in(const _Atomic uint8_t *small, size_t size_bytes) {
    if (HAK_LIKELY(size_bytes <= SIZE_CLASS_TABLE_BYTES_MAX)) return LOAD_RELAXED(small[(size_bytes + 7) / 8]);
    return size_class_of_medium(size_bytes);
}

HAK_INLINE unsigned size_class_of(size_t size_bytes, SizeClassAlignment alignment) {
    return size_class_in(size_class_small[alignment], size_bytes);
}

/* How far a byte of a slab lies behind the start of the first block; if it lies before it, as behind the last block. */
HAK_INLINE size_t size_class_offset(const SizeClass *size_class, size_t offset_in_slab) {
    return (offset_in_slab - size_class->first_block_offset) % SLAB_BYTES;
}

/* The index of the block in which the byte at a size_class_offset lies. It may be blocks_per_slab or more: behind the
 * last block. */
HAK_INLINE unsigned size_class_block_index(const SizeClass *size_class, size_t offset) {
    return (unsigned)((offset * size_class->reciprocal) >> 32);
}

#endif
