/*
 * api/host_heap.h - blocks of a host's heap without its account: what api_heap.c and api_heap_realloc.c share.
 *
 * Layer: api. Counts nothing (account.h). Thread rule: any thread; a private heap is used by one thread at a time.
 */
#ifndef HAK_API_HOST_HEAP_H
#define HAK_API_HOST_HEAP_H

#include "alloc/free.h"
#include "alloc/malloc.h"
#include "alloc/private_heap.h"
#include "api/account.h"
#include "api/block.h"

HAK_INLINE unsigned host_heap_class_of(const hak_heap_t *heap, size_t size_bytes) {
    return size_class_in(heap->small_classes, size_bytes);
}

/* Usable bytes of the block that serves the request of ACCOUNT_REQUEST_BYTES_MAX at most. */
HAK_INLINE uint64_t host_heap_usable_bytes(const hak_heap_t *heap, size_t size_bytes) {
    unsigned class_index = host_heap_class_of(heap, size_bytes);
    if (HAK_LIKELY(class_index != 0)) return size_class_usable_bytes[class_index];
    return round_up_bytes(size_bytes, os_page_bytes);
}

/* The heap whose magazines and slabs serve the calling thread's requests. */
HAK_INLINE Heap *host_heap_source(const hak_heap_t *heap) {
    return heap->private_heap != NULL ? heap->private_heap : heap_of_thread;
}

/* After heap_malloc failed; the request is announced (alloc/malloc.h). */
void *host_heap_malloc_slow(hak_heap_t *heap, size_t size_bytes, unsigned class_index);

/* NULL, errno ENOMEM: no memory. */
void *host_heap_malloc(hak_heap_t *heap, size_t size_bytes);

/* `block` is one of the heap's. */
void host_heap_free(hak_heap_t *heap, void *block);

/* Usable bytes of a block that the heap can free. 0: it is none, which is reported as misuse: a foreign address, one
 * without a live block, or a block of a private heap that is not this one. */
size_t host_heap_block_bytes(const hak_heap_t *heap, const void *block);

#endif
