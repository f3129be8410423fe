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
 *   peak so far = the larger of peak_bytes and used_bytes
 *
 * A fast path compares once:
 *   malloc: used_bytes + size <= ceiling_bytes, which is the soft limit until it has refused, then the hard one
 *   free:   used_bytes < watch_bytes, which is peak_bytes + 1; 0 while soft_refused and for private heaps, so that each of
 *           their frees is checked
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

/* ---- Where the comparison of a fast path fails ---- */

/* False, and reported: the heap was destroyed, as far as its memory shows. Its ceiling is 0, so each malloc comes here. */
bool account_is_alive(const hak_heap_t *heap);

/* The heap would hold `wanted_bytes`, more than its ceiling. True: refused and counted, errno is ENOMEM. */
bool account_refuses(hak_heap_t *heap, uint64_t wanted_bytes);

/* Keeps the peak: `used_bytes`, at least watch_bytes, are about to fall by `bytes`. */
void account_note_peak(hak_heap_t *heap, uint64_t used_bytes, uint64_t bytes);

/* ---- On the fast paths ---- */

/* True: the heap may not grow by `more_bytes`; see account_refuses. */
HAK_INLINE bool account_forbids(hak_heap_t *heap, uint64_t more_bytes) {
    uint64_t wanted_bytes = LOAD_RELAXED(heap->used_bytes) + more_bytes;
    return HAK_UNLIKELY(wanted_bytes > LOAD_RELAXED(heap->ceiling_bytes)) && account_refuses(heap, wanted_bytes);
}

/* Growing does not touch the peak: it is noted when the count falls, and computed by whoever asks for it. */
HAK_INLINE void account_add_bytes(hak_heap_t *heap, uint64_t bytes) { ADD_RELAXED(heap->used_bytes, bytes); }

HAK_INLINE void account_subtract_bytes(hak_heap_t *heap, uint64_t bytes) {
    uint64_t used_bytes = LOAD_RELAXED(heap->used_bytes);
    if (HAK_UNLIKELY(used_bytes >= heap->watch_bytes)) account_note_peak(heap, used_bytes, bytes);
    STORE_RELAXED(heap->used_bytes, used_bytes - bytes);
}

HAK_INLINE void account_add_blocks(hak_heap_t *heap, uint64_t more) { ADD_RELAXED(heap->used_blocks, more); }

#endif
