/*
 * cache/magazine.h - a stack of free blocks of one class: the fast path; and the magazines of a heap.
 *
 * Layer: cache. Does not know slabs; does not refill or flush itself. Thread rule: push and pop by the owning thread only, between the two
 * announcements of alloc/malloc.h and free.h; close under the heap lock by anybody, open under it by the owner alone (were another to
 * open it, the owner could pair an old top with the new floor).
 */
#ifndef HAK_CACHE_MAGAZINE_H
#define HAK_CACHE_MAGAZINE_H

#include "heap/heap.h"

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

/* ---- The magazines of a heap: for the owner, under the heap lock, but where it is said ---- */

extern _Atomic int64_t magazine_capacity_bytes;   /* what the magazines of all heaps hold at most */

/* Both under the heap lock. */
HAK_INLINE void **magazine_slots(Heap *heap, unsigned class_index) {
    return heap->magazine[class_index].is_grown ? heap->cache.grown_slots[class_index]
                                                : heap->small_slots[class_index];
}

HAK_INLINE size_t magazine_slot_piece_bytes(void) {
    return os_page_bytes > SLOT_PIECE_BYTES_MIN ? os_page_bytes : SLOT_PIECE_BYTES_MIN;
}

HAK_INLINE unsigned magazine_capacity(const Heap *heap, unsigned class_index) {
    unsigned blocks = size_classes[class_index].magazine_blocks;
    return blocks <= MAGAZINE_SMALL_BLOCKS || heap->magazine[class_index].is_grown ? blocks : MAGAZINE_SMALL_BLOCKS;
}

HAK_INLINE bool magazine_is_in_use(const Heap *heap, unsigned class_index) {
    return (heap->cache.classes_in_use[class_index / 64] >> (class_index % 64) & 1) != 0;
}

void magazines_initialize(Heap *heap); /* the constants, before its first use; no lock */

void magazines_open_class(Heap *heap, unsigned class_index); /* its magazine may be used from now on */

/* Gives a small magazine the slots of its class, its blocks included. Without memory for them it stays small. */
void magazines_grow_class(Heap *heap, unsigned class_index);

/* As at its first use; what is in the magazine is forgotten. */
void magazines_reset_class(Heap *heap, unsigned class_index);
void magazines_reset_all(Heap *heap);

/* Takes the oldest `count` blocks of a magazine into `out`. Also for whoever reclaims. */
void magazines_take_oldest(Heap *heap, unsigned class_index, unsigned count, void **out);

/* Opens the magazines of the classes in use after a reclaimer closed them. */
void magazines_open(Heap *heap);

#endif
