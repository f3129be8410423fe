/*
 * cache/magazine.c - the magazines of a heap: where their slots lie, opening, growing, beginning anew.
 *
 * Layer: cache. Does not know slabs. Thread rule: see magazine.h.
 */
#include "cache/magazine.h"

#include <string.h>

#include "platform/message.h"
#include "superslab/metadata.h"

void magazines_initialize(Heap *heap) {
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++)
        heap->magazines.state[index].usable_bytes = (uint16_t)size_class_usable_bytes[index];
}

/* In portions, by way of the stack: the C library copies many words with one instruction. */
static HAK_NOINLINE void swap_blocks(void **one, void **other, unsigned count) {
    enum { PORTION_BLOCKS = 64 };
    void *portion[PORTION_BLOCKS];
    for (unsigned done = 0; done < count; done += PORTION_BLOCKS) {
        size_t bytes = (count - done < PORTION_BLOCKS ? count - done : PORTION_BLOCKS) * sizeof *portion;
        memcpy(portion, one + done, bytes);
        memcpy(one + done, other + done, bytes);
        memcpy(other + done, portion, bytes);
    }
}

/* The older blocks change places with the younger ones above them, and the top falls below them. */
void **magazines_detach_oldest(Heap *heap, unsigned class_index, unsigned count) {
    void **slots = magazine_slots(heap, class_index);
    unsigned total = magazine_count(heap, class_index), left = total - count;
    HAK_ASSERT(count == total || count <= left);
    if (count < total) swap_blocks(slots, slots + left, count);
    STORE_RELAXED(heap->magazines.top[class_index], slots + left);
    return slots + left;
}

_Atomic int64_t magazine_capacity_bytes;

/* Counts a magazine as full: its count changes without a lock. */
static void capacity_bytes_add(const Heap *heap, unsigned class_index, int64_t sign) {
    int64_t bytes = (int64_t)magazine_capacity(heap, class_index) * size_classes[class_index].block_bytes;
    atomic_fetch_add_explicit(&magazine_capacity_bytes, sign * bytes, memory_order_relaxed);
}

void magazines_open_class(Heap *heap, unsigned class_index) {
    if (!magazine_is_in_use(heap, class_index)) {
        heap->cache.classes_in_use[class_index / 64] |= (uint64_t)1 << (class_index % 64);
        capacity_bytes_add(heap, class_index, 1);
        heap->cache.growth_count++;
    }
    magazine_open(heap, class_index, magazine_capacity(heap, class_index));
}

/* Slots for a class, cut once in the heap's life from a piece of memory that classes share: a thread that uses few
 * classes maps and touches few OS pages. NULL: no memory. */
static void **grown_slots_of(Heap *heap, unsigned class_index) {
    size_t wanted = size_classes[class_index].magazine_blocks;
    if (heap->cache.grown_slots[class_index] != NULL) return heap->cache.grown_slots[class_index];
    if (heap->cache.slot_piece_left < wanted) {
        size_t piece_bytes = magazine_slot_piece_bytes();
        void *piece = heap->cache.slot_piece_count < SLOT_PIECES_MAX ? metadata_map(piece_bytes) : NULL;
        if (piece == NULL) return NULL;
        heap->cache.slot_piece[heap->cache.slot_piece_count++] = piece;
        heap->cache.slot_piece_left = piece_bytes / sizeof(void *);
    }
    void **piece = heap->cache.slot_piece[heap->cache.slot_piece_count - 1];
    heap->cache.slot_piece_left -= wanted;
    return heap->cache.grown_slots[class_index] = piece + heap->cache.slot_piece_left;
}

void magazines_grow_class(Heap *heap, unsigned class_index) {
    void **small = magazine_slots(heap, class_index), **slots = grown_slots_of(heap, class_index);
    if (slots == NULL) return;
    unsigned count = magazine_count(heap, class_index);
    bool is_in_use = magazine_is_in_use(heap, class_index);
    if (is_in_use) capacity_bytes_add(heap, class_index, -1);
    heap->magazines.state[class_index].is_grown = true;
    if (is_in_use) capacity_bytes_add(heap, class_index, 1);
    heap->cache.growth_count++;
    memcpy(slots, small, count * sizeof *slots);
    STORE_RELAXED(heap->magazines.top[class_index], slots + count);
    magazines_open_class(heap, class_index);
}

void magazines_reset_class(Heap *heap, unsigned class_index) {
    MagazineState *state = &heap->magazines.state[class_index];
    if (magazine_is_in_use(heap, class_index)) capacity_bytes_add(heap, class_index, -1);
    state->refill_blocks = 0;
    state->shared_blocks = 0;
    state->flushes = 0;
    state->is_grown = false;
    heap->cache.classes_in_use[class_index / 64] &= ~((uint64_t)1 << (class_index % 64));
    STORE_RELAXED(heap->magazines.top[class_index], magazine_slots(heap, class_index));
    if (!heap->cache.is_closed) magazine_open(heap, class_index, 0);
}

void magazines_reset_all(Heap *heap) {
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++)
        if (magazine_is_in_use(heap, index)) magazines_reset_class(heap, index);
}

void magazines_open(Heap *heap) {
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++)
        magazine_open(heap, index, magazine_is_in_use(heap, index) ? magazine_capacity(heap, index) : 0);
    heap->cache.is_closed = false;
}
