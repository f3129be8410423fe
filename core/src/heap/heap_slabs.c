/*
 * heap/heap_slabs.c - which list of its heap a slab is in: by fullness for refills, by age for purges.
 *
 * Layer: heap. Does not lock. Thread rule: see heap_slabs.h.
 *
 * States of a slab of a heap: TLS slab (in no list), in the list of its fullness, full, or being purged (in no list).
 */
#include "heap/heap_slabs.h"

#include "heap/heap_all.h"
#include "platform/message.h"
#include "slab/slab.h"

static _Atomic uint64_t purged_bytes; /* of slabs in use, ever */

uint64_t heap_slabs_purged_bytes(void) { return LOAD_RELAXED(purged_bytes); }

static void lists_in_use_set(HeapClass *class, unsigned list, bool is_in_use) {
    unsigned bit = 1u << list;
    class->lists_in_use = (uint16_t)(is_in_use ? class->lists_in_use | bit : class->lists_in_use & ~bit);
}

void heap_slab_insert(Heap *heap, Slab *slab) {
    HeapClass *class = &heap->class[slab->class_index];
    unsigned list = heap_fullness_list(slab, &size_classes[slab->class_index]);
    slab->list = (uint8_t)list;
    slab->previous = NULL;
    slab->next = class->list[list];
    if (slab->next != NULL) slab->next->previous = slab;
    class->list[list] = slab;
    if (list != SLAB_LIST_FULL) lists_in_use_set(class, list, true);
}

void heap_slab_remove(Heap *heap, Slab *slab) {
    HeapClass *class = &heap->class[slab->class_index];
    if (slab->list == SLAB_LIST_NONE) {
        if (class->tls.slab == slab) class->tls = (TlsSlab){NULL, NULL, 0};
        return;
    }
    if (slab->previous != NULL)
        slab->previous->next = slab->next;
    else
        class->list[slab->list] = slab->next;
    if (slab->next != NULL) slab->next->previous = slab->previous;
    if (class->list[slab->list] == NULL && slab->list != SLAB_LIST_FULL) lists_in_use_set(class, slab->list, false);
    slab->list = SLAB_LIST_NONE;
}

void heap_slab_move(Heap *heap, Slab *slab) {
    if (slab->list == SLAB_LIST_NONE) return;
    if (slab->list == heap_fullness_list(slab, &size_classes[slab->class_index])) return;
    heap_slab_remove(heap, slab);
    heap_slab_insert(heap, slab);
}

static void queue_remove(Heap *heap, Slab *slab) {
    if (slab->purge_previous != NULL)
        slab->purge_previous->purge_next = slab->purge_next;
    else
        heap->slabs.purge_oldest = slab->purge_next;
    if (slab->purge_next != NULL)
        slab->purge_next->purge_previous = slab->purge_previous;
    else
        heap->slabs.purge_newest = slab->purge_previous;
    slab->is_queued = false;
}

void heap_slab_queue_update(Heap *heap, Slab *slab) {
    bool belongs_in_queue = slab_backed_free_pages(slab) != 0 && slab->purging_pages == 0;
    if (belongs_in_queue == slab->is_queued) return;
    if (!belongs_in_queue) {
        queue_remove(heap, slab);
        return;
    }
    slab->is_queued = true;
    slab->purge_since_ms = (uint32_t)os_now_ms();
    slab->purge_next = NULL;
    slab->purge_previous = heap->slabs.purge_newest;
    if (heap->slabs.purge_newest != NULL)
        heap->slabs.purge_newest->purge_next = slab;
    else
        heap->slabs.purge_oldest = slab;
    heap->slabs.purge_newest = slab;
}

void heap_slab_became_empty(Heap *heap, Slab *slab) {
    HAK_ASSERT_OP(slab->used_blocks, ==, 0);
    heap_slab_remove(heap, slab);
    if (slab->is_queued) queue_remove(heap, slab);
    superslab_slab_return(slab);
}

void heap_slab_change_owner(Heap *to, Heap *from, Slab *slab) {
    int64_t used_bytes = (int64_t)slab->used_blocks * size_classes[slab->class_index].block_bytes;
    heap_slab_remove(from, slab);
    if (slab->is_queued) queue_remove(from, slab);
    STORE_RELAXED(from->used_bytes, LOAD_RELAXED(from->used_bytes) - used_bytes);
    STORE_RELAXED(to->used_bytes, LOAD_RELAXED(to->used_bytes) + used_bytes);
    STORE_RELAXED(slab->owner, to);
    heap_slab_queue_update(to, slab);
}

void heap_slab_to_purging(Heap *heap, Slab *slab) {
    slab->purging_pages = slab_backed_free_pages(slab);
    heap->slabs.purging_slabs++;
    heap_slab_remove(heap, slab);
    heap_slab_queue_update(heap, slab);
}

size_t heap_slab_from_purging(Heap *heap, Slab *slab, OsPageSet refused) {
    OsPageSet purged = (OsPageSet)(slab->purging_pages & ~refused);
    slab->unbacked_pages |= purged;
    slab->purging_pages = 0;
    heap->slabs.purging_slabs--;
    atomic_fetch_sub_explicit(&backed_free_bytes, os_page_set_bytes(purged), memory_order_relaxed);
    atomic_fetch_add_explicit(&purged_bytes, (uint64_t)os_page_set_bytes(purged), memory_order_relaxed);
    if (slab->used_blocks == 0) {
        heap_slab_became_empty(heap, slab);
    } else if (heap->kind == HEAP_POOLED) { /* its thread ended meanwhile */
        lock_acquire(&heap_shared.lock);
        heap_slab_change_owner(&heap_shared, heap, slab);
        heap_slab_insert(&heap_shared, slab);
        lock_release(&heap_shared.lock);
    } else {
        heap_slab_insert(heap, slab);
        heap_slab_queue_update(heap, slab);
    }
    return (size_t)os_page_set_bytes(purged);
}

Slab *heap_slabs_take_all(Heap *heap) {
    Slab *taken = NULL;
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) {
        HeapClass *class = &heap->class[index];
        for (unsigned list = 0; list <= SLAB_LIST_FULL + 1; list++) {
            Slab *slab;
            while ((slab = list <= SLAB_LIST_FULL ? class->list[list] : class->tls.slab) != NULL) {
                heap_slab_remove(heap, slab);
                if (slab->is_queued) queue_remove(heap, slab);
                slab->next = taken;
                taken = slab;
            }
        }
    }
    STORE_RELAXED(heap->used_bytes, 0);
    return taken;
}

static void slab_adopt(Heap *to, Heap *from, Slab *slab) {
    heap_slab_change_owner(to, from, slab);
    heap_slab_insert(to, slab);
}

bool heap_slabs_share(Heap *from, unsigned slabs_max) {
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) {
        HeapClass *class = &from->class[index];
        for (; class->tls.slab != NULL || class->lists_in_use != 0; slabs_max--) {
            if (slabs_max == 0) return false;
            slab_adopt(&heap_shared, from,
                       class->tls.slab != NULL ? class->tls.slab : class->list[lowest_bit_index(class->lists_in_use)]);
        }
    }
    return true;
}

void heap_slabs_adopt(Heap *to, Heap *from) {
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) {
        HeapClass *class = &from->class[index];
        if (class->tls.slab != NULL) slab_adopt(to, from, class->tls.slab);
        for (unsigned list = 0; list <= SLAB_LIST_FULL; list++)
            while (class->list[list] != NULL) slab_adopt(to, from, class->list[list]);
    }
}
