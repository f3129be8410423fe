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

static void lists_in_use_set(HeapClass *class, unsigned list, bool is_in_use) {
    unsigned bit = 1u << list;
    class->lists_in_use = (uint16_t)(is_in_use ? class->lists_in_use | bit : class->lists_in_use & ~bit);
}

void heap_slab_insert(Heap *heap, TinySlabMeta *meta) {
    HeapClass *class = &heap->class[meta->class_index];
    unsigned list = heap_fullness_list(meta, &size_classes[meta->class_index]);
    meta->list = (uint8_t)list;
    meta->previous = NULL;
    meta->next = class->list[list];
    if (meta->next != NULL) meta->next->previous = meta;
    class->list[list] = meta;
    if (list != SLAB_LIST_FULL) lists_in_use_set(class, list, true);
}

void heap_slab_remove(Heap *heap, TinySlabMeta *meta) {
    HeapClass *class = &heap->class[meta->class_index];
    if (meta->list == SLAB_LIST_NONE) {
        if (class->tls.meta == meta) class->tls = (TinyTLSSlab){NULL, NULL, 0};
        return;
    }
    if (meta->previous != NULL)
        meta->previous->next = meta->next;
    else
        class->list[meta->list] = meta->next;
    if (meta->next != NULL) meta->next->previous = meta->previous;
    if (class->list[meta->list] == NULL && meta->list != SLAB_LIST_FULL) lists_in_use_set(class, meta->list, false);
    meta->list = SLAB_LIST_NONE;
}

void heap_slab_move(Heap *heap, TinySlabMeta *meta) {
    if (meta->list == SLAB_LIST_NONE) return;
    if (meta->list == heap_fullness_list(meta, &size_classes[meta->class_index])) return;
    heap_slab_remove(heap, meta);
    heap_slab_insert(heap, meta);
}

static void queue_remove(Heap *heap, TinySlabMeta *meta) {
    if (meta->purge_previous != NULL)
        meta->purge_previous->purge_next = meta->purge_next;
    else
        heap->slabs.purge_oldest = meta->purge_next;
    if (meta->purge_next != NULL)
        meta->purge_next->purge_previous = meta->purge_previous;
    else
        heap->slabs.purge_newest = meta->purge_previous;
    meta->is_queued = false;
}

void heap_slab_queue_update(Heap *heap, TinySlabMeta *meta) {
    bool belongs_in_queue = slab_backed_free_pages(meta) != 0 && meta->purging_pages == 0;
    if (belongs_in_queue == meta->is_queued) return;
    if (!belongs_in_queue) {
        queue_remove(heap, meta);
        return;
    }
    meta->is_queued = true;
    meta->purge_since_ms = (uint32_t)os_now_ms();
    meta->purge_next = NULL;
    meta->purge_previous = heap->slabs.purge_newest;
    if (heap->slabs.purge_newest != NULL)
        heap->slabs.purge_newest->purge_next = meta;
    else
        heap->slabs.purge_oldest = meta;
    heap->slabs.purge_newest = meta;
}

void heap_slab_became_empty(Heap *heap, TinySlabMeta *meta) {
    HAK_ASSERT_OP(meta->used_blocks, ==, 0);
    heap_slab_remove(heap, meta);
    if (meta->is_queued) queue_remove(heap, meta);
    superslab_slab_return(meta);
}

void heap_slab_change_owner(Heap *to, Heap *from, TinySlabMeta *meta) {
    int64_t used_bytes = (int64_t)meta->used_blocks * size_classes[meta->class_index].block_bytes;
    heap_slab_remove(from, meta);
    if (meta->is_queued) queue_remove(from, meta);
    STORE_RELAXED(from->used_bytes, LOAD_RELAXED(from->used_bytes) - used_bytes);
    STORE_RELAXED(to->used_bytes, LOAD_RELAXED(to->used_bytes) + used_bytes);
    STORE_RELAXED(meta->owner, to);
    heap_slab_queue_update(to, meta);
}

void heap_slab_to_purging(Heap *heap, TinySlabMeta *meta) {
    meta->purging_pages = slab_backed_free_pages(meta);
    heap->slabs.purging_slabs++;
    heap_slab_remove(heap, meta);
    heap_slab_queue_update(heap, meta);
}

size_t heap_slab_from_purging(Heap *heap, TinySlabMeta *meta, OsPageSet refused) {
    OsPageSet purged = (OsPageSet)(meta->purging_pages & ~refused);
    meta->unbacked_pages |= purged;
    meta->purging_pages = 0;
    heap->slabs.purging_slabs--;
    atomic_fetch_sub_explicit(&backed_free_bytes, os_page_set_bytes(purged), memory_order_relaxed);
    if (meta->used_blocks == 0) {
        heap_slab_became_empty(heap, meta);
    } else if (heap->kind == HEAP_POOLED) { /* its thread ended meanwhile */
        os_lock(&heap_shared.lock);
        heap_slab_change_owner(&heap_shared, heap, meta);
        heap_slab_insert(&heap_shared, meta);
        os_unlock(&heap_shared.lock);
    } else {
        heap_slab_insert(heap, meta);
        heap_slab_queue_update(heap, meta);
    }
    return (size_t)os_page_set_bytes(purged);
}

TinySlabMeta *heap_slabs_take_all(Heap *heap) {
    TinySlabMeta *taken = NULL;
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) {
        HeapClass *class = &heap->class[index];
        for (unsigned list = 0; list <= SLAB_LIST_FULL + 1; list++) {
            TinySlabMeta *meta;
            while ((meta = list <= SLAB_LIST_FULL ? class->list[list] : class->tls.meta) != NULL) {
                heap_slab_remove(heap, meta);
                if (meta->is_queued) queue_remove(heap, meta);
                meta->next = taken;
                taken = meta;
            }
        }
    }
    STORE_RELAXED(heap->used_bytes, 0);
    return taken;
}

static void slab_adopt(Heap *to, Heap *from, TinySlabMeta *meta) {
    heap_slab_change_owner(to, from, meta);
    heap_slab_insert(to, meta);
}

bool heap_slabs_share(Heap *from, unsigned slabs_max) {
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) {
        HeapClass *class = &from->class[index];
        for (; class->tls.meta != NULL || class->lists_in_use != 0; slabs_max--) {
            if (slabs_max == 0) return false;
            slab_adopt(&heap_shared, from,
                       class->tls.meta != NULL ? class->tls.meta : class->list[lowest_bit_index(class->lists_in_use)]);
        }
    }
    return true;
}

void heap_slabs_adopt(Heap *to, Heap *from) {
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) {
        HeapClass *class = &from->class[index];
        if (class->tls.meta != NULL) slab_adopt(to, from, class->tls.meta);
        for (unsigned list = 0; list <= SLAB_LIST_FULL; list++)
            while (class->list[list] != NULL) slab_adopt(to, from, class->list[list]);
    }
}
