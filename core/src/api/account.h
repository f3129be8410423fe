/*
 * api/account.h - counts the bytes and blocks of a host's heap, and compares them with its limits, on the fast paths
 * of api_heap.c.
 *
 * Layer: api. Does not know how blocks are made. Thread rule: one thread at a time uses a heap, its owner. Any
 * thread may set limits and read stats, so the fields that either touches are atomics.
 */
#ifndef HAK_API_ACCOUNT_H
#define HAK_API_ACCOUNT_H

#include <hakmem.h>

#include "heap/heap.h"
#include "superslab/size_class.h"

/*
 *   used_bytes <= hard_limit_bytes, unless the limit was set below used_bytes
 *   soft_refused <=> the soft limit has refused a request since used_bytes last fell to it or below
 *   ceiling_bytes = soft_refused ? hard_limit_bytes : min(soft_limit_bytes, hard_limit_bytes);
 *                   the minimum also after hak_heap_set_limit, until the next account_refuses
 *   watch_bytes = peak_bytes + 1; 0 at first, while soft_refused, and in private heaps
 *   highest used_bytes so far = max(peak_bytes, used_bytes)
 *
 * Each fast path makes one comparison:
 *   malloc: used_bytes + block bytes <= ceiling_bytes, else account_refuses decides
 *   free:   used_bytes < watch_bytes, else account_note_peak
 */
struct hak_heap {
    Heap *private_heap;                   /* NULL: blocks come from the calling thread's heap */
    const _Atomic uint8_t *small_classes; /* size_class_small for its alignment */
    SizeClassAlignment alignment;
    bool soft_refused;
    _Atomic uint64_t used_bytes, used_blocks, ceiling_bytes;
    uint64_t watch_bytes;
    _Atomic uint64_t peak_bytes, soft_limit_bytes, hard_limit_bytes; /* UINT64_MAX: none */
    _Atomic uint64_t soft_refusals, hard_refusals;
    uint64_t mark; /* ACCOUNT_MARK until hak_heap_destroy */
};

#define ACCOUNT_MARK UINT64_C(0x68656170206f6b21)

/* ---- Slow paths: the comparison of a fast path failed ---- */

/* False: the heap was destroyed, which is reported as misuse; found as long as its memory was not used again. A
 * destroyed heap has a ceiling of 0, so each malloc calls this. */
bool account_is_alive(const hak_heap_t *heap);

/* Called when used_bytes would become `wanted_bytes`, above the ceiling. True: refused and counted, with errno
 * ENOMEM. */
bool account_refuses(hak_heap_t *heap, uint64_t wanted_bytes);

/* Called before used_bytes falls from `used_bytes`, at least watch_bytes, by `bytes`: stores the peak, ends
 * soft_refused at the soft limit, and sets watch_bytes. */
void account_note_peak(hak_heap_t *heap, uint64_t used_bytes, uint64_t bytes);

/* ---- Fast paths ---- */

/* True: used_bytes may not grow by `more_bytes`; refused as account_refuses does. */
HAK_INLINE bool account_forbids(hak_heap_t *heap, uint64_t more_bytes) {
    uint64_t wanted_bytes = LOAD_RELAXED(heap->used_bytes) + more_bytes;
    return HAK_UNLIKELY(wanted_bytes > LOAD_RELAXED(heap->ceiling_bytes)) && account_refuses(heap, wanted_bytes);
}

/* Does not store the peak: account_subtract_bytes does before used_bytes falls, and hak_heap_stats_get computes
 * it. */
HAK_INLINE void account_add_bytes(hak_heap_t *heap, uint64_t bytes) { ADD_RELAXED(heap->used_bytes, bytes); }

HAK_INLINE void account_subtract_bytes(hak_heap_t *heap, uint64_t bytes) {
    uint64_t used_bytes = LOAD_RELAXED(heap->used_bytes);
    if (HAK_UNLIKELY(used_bytes >= heap->watch_bytes)) account_note_peak(heap, used_bytes, bytes);
    STORE_RELAXED(heap->used_bytes, used_bytes - bytes);
}

HAK_INLINE void account_add_blocks(hak_heap_t *heap, uint64_t more) { ADD_RELAXED(heap->used_blocks, more); }

#endif
