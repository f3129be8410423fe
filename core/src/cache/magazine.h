/*
 * cache/magazine.h - a magazine, the stack of free blocks of one class; and the magazines of a heap.
 *
 * Layer: cache. Does not know slabs; does not refill or flush itself. Thread rule: the owner pushes and pops, between
 * the two announcements of alloc/malloc.h and free.h. Any thread closes, under the heap lock. The owner alone opens,
 * under the heap lock: another thread that opened could let the owner pair an old top with the new floor.
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

/* Usable bytes of a block of the magazine's class; 0: no size class. */
HAK_INLINE size_t magazine_usable_bytes(const Magazine *magazine) { return magazine->usable_bytes; }

/* With capacity 0 pops and pushes take the slow path, which notes that the class is in use. */
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

/* ---- The magazines of a heap: under the heap lock, by the owner unless another thread is named ---- */

/* Bytes that the magazines in use of all heaps hold when full. */
extern _Atomic int64_t magazine_capacity_bytes;

/* Where the magazine's blocks lie: the few small slots, or those of its own after it has grown. Any thread. */
HAK_INLINE void **magazine_slots(Heap *heap, unsigned class_index) {
    return heap->magazine[class_index].is_grown ? heap->cache.grown_slots[class_index] : heap->small_slots[class_index];
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

/* Sets the constants of all magazines, before the heap's first use. Without the lock. */
void magazines_initialize(Heap *heap);

/* Takes the class into use, and opens its magazine with its capacity. */
void magazines_open_class(Heap *heap, unsigned class_index);

/* Moves a small magazine with its blocks to slots of its own. It stays small if there is no memory for them. */
void magazines_grow_class(Heap *heap, unsigned class_index);

/* The class begins anew: out of use, small, empty. Blocks in the magazine are forgotten. Also for reclaim. */
void magazines_reset_class(Heap *heap, unsigned class_index);
void magazines_reset_all(Heap *heap);

/* Takes the oldest `count` blocks out of a magazine. Returns where they lie: in the magazine's slots, until the owner
 * pushes or refills. Not a copy, which would take 2 KiB of the stack. Also for reclaim, which copies them. */
void **magazines_detach_oldest(Heap *heap, unsigned class_index, unsigned count);

/* Opens all magazines after reclaim closed them. */
void magazines_open(Heap *heap);

#endif
