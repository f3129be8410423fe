/*
 * heap/heap_take.c - blocks out of slabs: decides which slab a refill takes.
 *
 * Layer: heap. Does not know magazines. Thread rule: see heap_take.h.
 */
#include "heap/heap_take.h"

#include "heap/heap_all.h"
#include "heap/heap_slabs.h"
#include "platform/message.h"
#include "slab/slab.h"
#include "slab/slab_guard.h"

/* ---- The TLS slab ---- */

static void tls_slab_set(HeapClass *class, Slab *slab) {
    class->tls = (TlsSlab){superslab_of_slab(slab), slab, slab->slab_index};
}

static bool tls_slab_has_free_blocks(const HeapClass *class, unsigned class_index) {
    return class->tls.slab != NULL && class->tls.slab->used_blocks < size_classes[class_index].blocks_per_slab;
}

/* The heap's fullest partly used slab, taken out of its list. NULL: none. */
static Slab *fullest_slab(Heap *heap, unsigned class_index) {
    HeapClass *class = &heap->class[class_index];
    if (class->lists_in_use == 0) return NULL;
    Slab *slab = class->list[31 - __builtin_clz(class->lists_in_use)];
    heap_slab_remove(heap, slab);
    return slab;
}

/* The shared heap's fullest slab, else its TLS slab: left by an ended thread, or shared by cold classes. NULL: none. */
static Slab *adopted_slab(Heap *heap, unsigned class_index) {
    if (heap->kind != HEAP_THREAD) return NULL;
    HeapClass *class = &heap_shared.class[class_index];
    lock_acquire(&heap_shared.lock);
    Slab *slab = fullest_slab(&heap_shared, class_index);
    if (slab == NULL && tls_slab_has_free_blocks(class, class_index)) slab = class->tls.slab;
    if (slab != NULL) heap_slab_change_owner(heap, &heap_shared, slab);
    lock_release(&heap_shared.lock);
    return slab;
}

bool superslab_refill(Heap *heap, unsigned class_index) {
    HeapClass *class = &heap->class[class_index];
    Slab *slab = class->tls.slab;
    if (tls_slab_has_free_blocks(class, class_index)) {
        heap_count_if_on(heap, COUNTER_refill_tls_slab, 1);
        return true;
    }
    if (slab != NULL) { /* full */
        class->tls = (TlsSlab){NULL, NULL, 0};
        heap_slab_insert(heap, slab);
    }
    HeapCounter stage = COUNTER_refill_partial_slab;
    slab = fullest_slab(heap, class_index);
    if (slab == NULL) {
        stage = COUNTER_refill_adopted_slab;
        slab = adopted_slab(heap, class_index);
    }
    if (slab == NULL) {
        SlabSource source;
        slab = superslab_slab_take(heap, class_index, &source);
        if (slab == NULL) return false;
        stage = source == SLAB_RECYCLED ? COUNTER_refill_recycled_slab : COUNTER_refill_new_superslab;
        if (source == SLAB_OF_NEW_SUPERSLAB)
            atomic_fetch_add_explicit(&heap_superslabs_born_count, 1, memory_order_relaxed);
        slab_initialize(slab);
        heap->slabs.taken_count++;
        if (HAK_UNLIKELY(slab_is_guarded())) slab_guard_poison(slab);
    }
    tls_slab_set(class, slab);
    heap_count_if_on(heap, stage, 1);
    return true;
}

unsigned heap_take_blocks(Heap *heap, unsigned class_index, void **end, unsigned want) {
    HeapClass *class = &heap->class[class_index];
    if (!superslab_refill(heap, class_index)) return 0;
    unsigned taken = slab_take_blocks(class->tls.slab, end, want);
    HAK_ASSERT_OP(taken, >, 0);
    int64_t taken_bytes = (int64_t)taken * size_classes[class_index].block_bytes;
    STORE_RELAXED(heap->used_bytes, LOAD_RELAXED(heap->used_bytes) + taken_bytes);
    heap_slab_queue_update(heap, class->tls.slab);
    return taken;
}

unsigned heap_take_shared_blocks(unsigned class_index, void **end, unsigned want) {
    lock_acquire(&heap_shared.lock);
    unsigned taken = heap_take_blocks(&heap_shared, class_index, end, want);
    lock_release(&heap_shared.lock);
    return taken;
}

bool heap_has_free_blocks(const Heap *heap, unsigned class_index) {
    const HeapClass *class = &heap->class[class_index];
    return class->lists_in_use != 0 || tls_slab_has_free_blocks(class, class_index);
}
