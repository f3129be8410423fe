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

/* Without COMPILER_FORGETS gcc for x86-64 keeps the address of the class's element in a register, and spends an
 * instruction on it. */

/* False when the magazine is empty or closed. */
HAK_INLINE bool magazine_pop(Heap *heap, size_t class_index, void **block) {
    Magazines *magazines = &heap->magazines;
    COMPILER_FORGETS(class_index);
    void **top = LOAD_RELAXED(magazines->top[class_index]);
    COMPILER_FORGETS(class_index);
    if (HAK_UNLIKELY(!IS_BELOW_RELAXED(magazines->floor[class_index], top))) return false;
    *block = top[-1];
    if (*block == NULL) __builtin_unreachable(); /* so that a caller's test for NULL costs nothing */
    STORE_RELAXED(magazines->top[class_index], top - 1);
    return true;
}

/* False when the magazine is full or closed. */
HAK_INLINE bool magazine_push(Heap *heap, size_t slab_class, void *block) {
    Magazines *magazines = &heap->magazines;
    COMPILER_FORGETS(slab_class);
    void **top = LOAD_RELAXED(magazines->top[slab_class]);
    COMPILER_FORGETS(slab_class);
    if (HAK_UNLIKELY(!IS_ABOVE_RELAXED(magazines->ceiling[slab_class], top))) return false;
    *top = block;
    STORE_RELAXED(magazines->top[slab_class], top + 1);
    return true;
}

/* Usable bytes of a block of the class; 0: no size class. */
HAK_INLINE size_t magazine_usable_bytes(const Heap *heap, size_t slab_class) {
    return heap->magazines.state[slab_class].usable_bytes;
}

/* ---- The magazines of a heap: under the heap lock, by the owner unless another thread is named ---- */

/* Bytes that the magazines in use of all heaps hold when full. */
extern _Atomic int64_t magazine_capacity_bytes;

/* Where the magazine's blocks lie: the few small slots, or those of its own after it has grown. Any thread. */
HAK_INLINE void **magazine_slots(Heap *heap, unsigned class_index) {
    return heap->magazines.state[class_index].is_grown ? heap->cache.grown_slots[class_index]
                                                       : heap->small_slots[class_index];
}

HAK_INLINE size_t magazine_slot_piece_bytes(void) {
    return os_page_bytes > SLOT_PIECE_BYTES_MIN ? os_page_bytes : SLOT_PIECE_BYTES_MIN;
}

HAK_INLINE unsigned magazine_capacity(const Heap *heap, unsigned class_index) {
    unsigned blocks = size_classes[class_index].magazine_blocks;
    return blocks <= MAGAZINE_SMALL_BLOCKS || heap->magazines.state[class_index].is_grown ? blocks
                                                                                          : MAGAZINE_SMALL_BLOCKS;
}

HAK_INLINE bool magazine_is_in_use(const Heap *heap, unsigned class_index) {
    return (heap->cache.classes_in_use[class_index / 64] >> (class_index % 64) & 1) != 0;
}

/* With capacity 0 pops and pushes take the slow path, which notes that the class is in use. */
HAK_INLINE void magazine_open(Heap *heap, unsigned class_index, unsigned capacity) {
    void **slots = magazine_slots(heap, class_index);
    STORE_RELAXED(heap->magazines.floor[class_index], slots);
    STORE_RELAXED(heap->magazines.ceiling[class_index], slots + capacity);
}

HAK_INLINE void magazine_close(Heap *heap, unsigned class_index) {
    STORE_RELAXED(heap->magazines.floor[class_index], (void **)UINTPTR_MAX);
    STORE_RELAXED(heap->magazines.ceiling[class_index], (void **)NULL);
}

/* Also for any thread. */
HAK_INLINE unsigned magazine_count(Heap *heap, unsigned class_index) {
    return (unsigned)(LOAD_RELAXED(heap->magazines.top[class_index]) - magazine_slots(heap, class_index));
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
