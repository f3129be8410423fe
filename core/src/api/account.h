/*
 * api/account.h - what a heap of a host holds, and what it may: counted and compared on the fast paths of api_heap.c.
 *
 * Layer: api. Does not know how blocks are made. Thread rule: a heap is used by one thread at a time; limits and stats by
 * any, so these fields are relaxed atomics.
 */
#ifndef HAK_API_ACCOUNT_H
#define HAK_API_ACCOUNT_H

#include <hakmem.h>

#include "heap/heap.h"
#include "superslab/size_class.h"

/*
 *   used_bytes <= hard_limit_bytes, unless the limit was lowered below what was held
 *   soft_refused: the soft limit has refused once since used_bytes was last below it
 *   the peak so far is the larger of peak_bytes and used_bytes
 *
 * So that a fast path compares once:
 *   ceiling_bytes: a request that leads beyond it needs a look; the hard limit, or the soft one until that has refused
 *   watch_bytes: a free from so many bytes or more needs a look; 0, so each free, while soft_refused and for private heaps;
 *   else peak_bytes + 1
 */
struct hak_heap {
    Heap *private_heap; /* NULL: blocks come from the calling thread's heap */
    const _Atomic uint8_t *small_classes; /* size_class_small for its alignment */
    SizeClassAlignment alignment;
    bool soft_refused;
    _Atomic uint64_t used_bytes, used_blocks, ceiling_bytes;
    uint64_t watch_bytes;
    _Atomic uint64_t peak_bytes, soft_limit_bytes, hard_limit_bytes; /* UINT64_MAX: none */
    _Atomic uint64_t soft_refusals, hard_refusals;
    uint64_t mark; /* ACCOUNT_MARK until its end */
};

#define ACCOUNT_MARK UINT64_C(0x68656170206f6b21)

/* ---- account.c: where a fast path needs a look ---- */

/* False, and reported: it was destroyed. As far as its memory shows; a fast path comes here, for the ceiling is 0 then. */
bool account_is_alive(const hak_heap_t *heap);

/* The heap would hold so much, which is beyond its ceiling. True: refused, and counted; errno is ENOMEM. */
bool account_refuses(hak_heap_t *heap, uint64_t wanted_bytes);

/* A free of so many bytes brings used_bytes down from watch_bytes or more. */
void account_look_before_less(hak_heap_t *heap, uint64_t used_bytes, uint64_t bytes);

/* ---- On the fast paths ---- */

/* May the heap grow by so much? */
HAK_INLINE bool is_refused(hak_heap_t *heap, uint64_t more_bytes) {
    uint64_t wanted_bytes = LOAD_RELAXED(heap->used_bytes) + more_bytes;
    return HAK_UNLIKELY(wanted_bytes > LOAD_RELAXED(heap->ceiling_bytes)) && account_refuses(heap, wanted_bytes);
}

/* The peak is looked at when the count falls, and by those who ask for it: growing costs nothing. */
HAK_INLINE void count_more(hak_heap_t *heap, uint64_t bytes) {
    ADD_RELAXED(heap->used_bytes, bytes);
}

HAK_INLINE void count_less(hak_heap_t *heap, uint64_t bytes) {
    uint64_t used_bytes = LOAD_RELAXED(heap->used_bytes);
    if (HAK_UNLIKELY(used_bytes >= heap->watch_bytes)) account_look_before_less(heap, used_bytes, bytes);
    STORE_RELAXED(heap->used_bytes, used_bytes - bytes);
}

HAK_INLINE void count_blocks(hak_heap_t *heap, uint64_t more) {
    ADD_RELAXED(heap->used_blocks, more);
}

#endif
