/*
 * slab/magazine.h - a stack of free blocks of one class: the fast path.
 *
 * Layer: slab. Does not refill or flush itself. Thread rule: push and pop by the owning thread only, between the two
 * announcements of heap/fast.h; close under the heap lock by anybody, open under it by the owner alone (were another to
 * open it, the owner could pair an old top with the new floor).
 */
#ifndef HAK_SLAB_MAGAZINE_H
#define HAK_SLAB_MAGAZINE_H

#include "base/types.h"

/* False when the magazine is empty or closed. */
HAK_INLINE bool magazine_pop(Magazine *magazine, void **block) {
    void **top = LOAD_RELAXED(magazine->top);
    if (HAK_UNLIKELY(top <= LOAD_RELAXED(magazine->floor))) return false;
    *block = top[-1];
    if (*block == NULL) __builtin_unreachable(); /* so that a caller's test for NULL costs nothing */
    STORE_RELAXED(magazine->top, top - 1);
    return true;
}

/* False when the magazine is full or closed. */
HAK_INLINE bool magazine_push(Magazine *magazine, void *block) {
    void **top = LOAD_RELAXED(magazine->top);
    if (HAK_UNLIKELY(top >= LOAD_RELAXED(magazine->ceiling))) return false;
    *top = block;
    STORE_RELAXED(magazine->top, top + 1);
    return true;
}

/* Of a block of its class. 0: not a size class. */
HAK_INLINE size_t magazine_usable_bytes(const Magazine *magazine) { return (size_t)magazine->usable_granules * 8; }

/* `capacity` 0: pops and pushes take the slow path, which notes that the class is in use. */
HAK_INLINE void magazine_open(Magazine *magazine, void **slots, unsigned capacity) {
    STORE_RELAXED(magazine->floor, slots);
    STORE_RELAXED(magazine->ceiling, slots + capacity);
}

HAK_INLINE void magazine_close(Magazine *magazine) {
    STORE_RELAXED(magazine->floor, (void **)UINTPTR_MAX);
    STORE_RELAXED(magazine->ceiling, (void **)NULL);
}

HAK_INLINE unsigned magazine_count(const Magazine *magazine, void *const *slots) {
    return (unsigned)(LOAD_RELAXED(magazine->top) - (void **)slots);
}

#endif
