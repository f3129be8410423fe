/*
 * superslab/size_class.h - which block size serves a request.
 *
 * Layer: superslab. The steps are data (size_class.c); a larger class is a row. Thread rule: written once by
 * size_class_initialize, then read-only. A fast path may read the tables before that: class 0, and the slow path.
 *
 * Steps: 8 bytes to 128, 16 to 512, 32 to 2 KiB, 128 to 4 KiB, then an eighth of the power of two to 32 KiB. Finer than
 * most allocators' above 512 bytes: there the C library's malloc, which a class must not waste more than, rounds to 16.
 */
#ifndef HAK_SUPERSLAB_SIZE_CLASS_H
#define HAK_SUPERSLAB_SIZE_CLASS_H

#include "base/types.h"

#define SIZE_CLASS_TINY_COUNT 8u                 /* the Tiny Pool: 8 to 64 bytes */
#define SIZE_CLASS_TABLE_BYTES_MAX 1024u         /* sizes up to here find their class by one table look-up */
#define MAGAZINE_BLOCKS_MAX 256u
#define MAGAZINE_BYTES_MAX 16384u
#define MAGAZINE_SMALL_BLOCKS 8u                 /* until it needs more */
#define MAGAZINE_SLOTS_TOTAL 6144u

/* How strict an entry point is about alignment. */
typedef enum SizeClassAlignment {
    ALIGN_C,      /* 16; up to 8 bytes: 8 */
    ALIGN_OBJECT, /* 16; up to 8 and 17 to 24 bytes: 8 */
    ALIGN_8,      /* 8 */
    ALIGN_COUNT
} SizeClassAlignment;

extern SizeClass size_classes[SIZE_CLASS_COUNT + 1]; /* [0] is no class */
/* What a caller may use of a block of each class: all, or less with `debug` 2, where the rest is a canary. Apart from the
 * rest, of which fast paths need nothing. */
extern uint32_t size_class_usable_bytes[SIZE_CLASS_COUNT + 1];
extern _Atomic uint8_t size_class_small[ALIGN_COUNT][SIZE_CLASS_TABLE_BYTES_MAX / 8 + 1];
extern _Atomic uint8_t size_class_medium[SLAB_CLASS_BYTES_MAX / 32 + 1];

/* With `debug` 2 the last so many bytes of a block are a canary. */
#define SIZE_CLASS_CANARY_BYTES 32u

/* `is_guarded`: blocks have canaries, and there are no magazines, so that each block is looked at when it comes and goes. */
void size_class_initialize(bool align_16_always, bool is_guarded);

/* 0, or SIZE_CLASS_CANARY_BYTES. */
HAK_INLINE size_t size_class_canary_bytes(void) {
    return size_classes[SIZE_CLASS_COUNT].block_bytes - size_class_usable_bytes[SIZE_CLASS_COUNT];
}

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

HAK_INLINE unsigned size_class_block_index(const SizeClass *size_class, size_t offset_in_slab) {
    return (unsigned)((offset_in_slab * size_class->reciprocal) >> 32);
}

#endif
