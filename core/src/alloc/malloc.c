/*
 * alloc/malloc.c - malloc of a small block where the magazine is empty, closed, or none.
 *
 * Layer: alloc. Does not choose slabs (heap/heap_take.c). Thread rule: for the heap's owner; takes the heap's lock
 * for one refill.
 */
#include "alloc/malloc.h"

#include <errno.h>
#include <string.h>

#include "cache/magazine.h"
#include "cache/owner.h"
#include "heap/heap.h"
#include "heap/heap_all.h"
#include "heap/heap_take.h"
#include "lifecycle/thread.h"
#include "retention/retention.h"
#include "slab/slab_guard.h"

/* ---- Refill ---- */

/* A class is cold until the heap has taken an OS page's worth of its blocks. Cold classes of all threads share slabs:
 * a slab of its own would cost each an OS page at least, and SLAB_BYTES of addresses. */
static bool is_cold(const MagazineState *state, unsigned class_index) {
    enum { COLD_BLOCKS_MIN = 12 };
    size_t blocks = state->shared_blocks;
    return blocks < COLD_BLOCKS_MIN || blocks * size_classes[class_index].block_bytes < os_page_bytes;
}

static unsigned take_own_or_shared(Heap *heap, unsigned class_index, void **end, unsigned want) {
    MagazineState *state = &heap->magazines.state[class_index];
    if (heap->kind != HEAP_THREAD || heap_has_free_blocks(heap, class_index) || !is_cold(state, class_index))
        return heap_take_blocks(heap, class_index, end, want);
    unsigned taken = heap_take_shared_blocks(class_index, end, want);
    state->shared_blocks = (uint16_t)(state->shared_blocks + taken);
    return taken;
}

/* ---- The slow path of malloc ---- */

static void *out_of_memory(Heap *heap) {
    uint64_t number = LOAD_RELAXED(heap->requests.mallocs) - 1; /* the request is not served and not counted */
    STORE_RELAXED(heap->requests.mallocs, number);
    owner_malloc_done(heap, number);
    heap_count_if_on(heap, COUNTER_early_return_out_of_memory, 1);
    errno = ENOMEM;
    return NULL;
}

static unsigned first_refill_blocks(unsigned block_bytes) {
    enum { FIRST_REFILL_BYTES = 512, FIRST_REFILL_BLOCKS_MAX = 4 };
    unsigned blocks = FIRST_REFILL_BYTES / block_bytes;
    return blocks > FIRST_REFILL_BLOCKS_MAX ? FIRST_REFILL_BLOCKS_MAX : blocks > 1 ? blocks : 1;
}

/* Doubles from refill to refill, up to half a magazine: a thread that allocates once caches little. */
static unsigned next_refill_blocks(MagazineState *state, const SizeClass *size_class) {
    unsigned half = size_class->magazine_blocks > 1 ? size_class->magazine_blocks / 2u : 1;
    unsigned want = state->refill_blocks != 0 ? state->refill_blocks : first_refill_blocks(size_class->block_bytes);
    if (want > half) want = half;
    state->refill_blocks = (uint16_t)(want * 2);
    return want;
}

static void *refill_and_pop(Heap *heap, unsigned class_index) {
    MagazineState *state = &heap->magazines.state[class_index];
    state->flushes = 0;
    unsigned want = next_refill_blocks(state, &size_classes[class_index]);
    if (want > magazine_capacity(heap, class_index)) magazines_grow_class(heap, class_index);
    if (want > magazine_capacity(heap, class_index)) want = magazine_capacity(heap, class_index);
    magazines_open_class(heap, class_index);
    void **slots = magazine_slots(heap, class_index);
    unsigned taken = take_own_or_shared(heap, class_index, slots + want, want);
    if (taken == 0) return NULL;
    if (taken < want) memmove(slots, slots + (want - taken), taken * sizeof *slots);
    STORE_RELAXED(heap->magazines.top[class_index], slots + (taken - 1));
    return slots[taken - 1];
}

static void *pop_or_refill(Heap *heap, unsigned class_index) {
    void *block;
    lock_acquire(&heap->lock);
    if (HAK_UNLIKELY(heap->cache.is_closed)) magazines_open(heap);
    if (magazine_pop(heap, class_index, &block))
        heap_count_if_on(heap, COUNTER_early_return_magazine_closed, 1);
    else
        block = refill_and_pop(heap, class_index);
    lock_release(&heap->lock);
    retention_after_refill(heap);
    return block;
}

/* The thread has no heap yet, or no more. */
static HAK_NOINLINE void *malloc_first(unsigned class_index) {
    Heap *heap = thread_heap_attach();
    if (heap == NULL) return heap_malloc_direct(&heap_shared, class_index);
    void *block;
    return heap_malloc(heap, class_index, &block) ? block : heap_malloc_slow(heap, class_index);
}

void *heap_malloc_slow(Heap *heap, unsigned class_index) {
    if (HAK_UNLIKELY(heap->kind == HEAP_NONE)) return malloc_first(class_index);
    if (size_classes[class_index].magazine_blocks == 0) {
        STORE_RELAXED(heap->requests.mallocs,
                      LOAD_RELAXED(heap->requests.mallocs) - 1); /* heap_malloc_direct counts it */
        void *block = heap_malloc_direct(heap, class_index);
        owner_malloc_done(heap, LOAD_RELAXED(heap->requests.mallocs));
        return block;
    }
    void *block = pop_or_refill(heap, class_index);
    if (HAK_UNLIKELY(block == NULL) && retention_make_room(heap)) block = pop_or_refill(heap, class_index);
    if (HAK_UNLIKELY(block == NULL)) return out_of_memory(heap);
    owner_malloc_done(heap, LOAD_RELAXED(heap->requests.mallocs));
    return block;
}

static bool take_one(Heap *heap, unsigned class_index, void **block) {
    lock_acquire(&heap->lock);
    unsigned taken = take_own_or_shared(heap, class_index, block + 1, 1);
    if (taken != 0) STORE_RELAXED(heap->requests.mallocs, LOAD_RELAXED(heap->requests.mallocs) + 1);
    lock_release(&heap->lock);
    retention_after_birth();
    retention_after_use(SLAB_BYTES); /* of which it may have taken one */
    return taken != 0;
}

void *heap_malloc_direct(Heap *heap, unsigned class_index) {
    void *block;
    if (take_one(heap, class_index, &block) || (retention_make_room(NULL) && take_one(heap, class_index, &block))) {
        if (HAK_UNLIKELY(slab_is_guarded())) slab_guard_begin(block, class_index);
        return block;
    }
    heap_count_if_on(heap, COUNTER_early_return_out_of_memory, 1);
    errno = ENOMEM;
    return NULL;
}
