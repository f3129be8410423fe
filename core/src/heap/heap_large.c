/*
 * heap/heap_large.c - the list of a private heap's large blocks, through the metadata of their first slabs (I15).
 *
 * Layer: heap. Thread rule: see heap_large.h.
 */
#include "heap/heap_large.h"

void heap_large_insert(Heap *heap, Slab *first) {
    lock_acquire(&heap->lock);
    first->large_heap = heap;
    first->large_previous = NULL;
    first->large_next = heap->slabs.large;
    if (heap->slabs.large != NULL) heap->slabs.large->large_previous = first;
    heap->slabs.large = first;
    lock_release(&heap->lock);
}

void heap_large_remove(Heap *heap, Slab *first) {
    lock_acquire(&heap->lock);
    if (first->large_previous != NULL)
        first->large_previous->large_next = first->large_next;
    else
        heap->slabs.large = first->large_next;
    if (first->large_next != NULL) first->large_next->large_previous = first->large_previous;
    first->large_heap = NULL;
    lock_release(&heap->lock);
}

Slab *heap_large_take_all(Heap *heap) {
    Slab *taken = heap->slabs.large;
    heap->slabs.large = NULL;
    return taken;
}
