/*
 * api/account.h - what a host's heap holds, in bytes and blocks, and its limits: the struct, and what the fast paths of
 * api_heap.c and api_heap_realloc.c need.
 *
 * Layer: api. Does not know how blocks are made. Thread rule: any thread; a private heap's by one thread at a time.
 * Any thread may set limits and read stats.
 */
#ifndef HAK_API_ACCOUNT_H
#define HAK_API_ACCOUNT_H

#include <hakmem.h>

#include "heap/heap.h"
#include "superslab/size_class.h"

/*
 * Who counts, and where. account_threads.c moves an account between the first two.
 *   alone     `user` is the heap of a thread. That thread counts in used_bytes and used_blocks with plain stores, and
 *             is inside the allocator (cache/owner.h) from before it compares `user` until after its stores.
 *   shared    `user` is NULL. Any thread counts in `shared` and shared_blocks, with atomic read-modify-writes.
 *             used_bytes and used_blocks are what the former user has left.
 *   private   `user` is NULL. The thread that uses the heap counts in used_bytes and used_blocks with plain stores.
 *
 *   shared = shared bytes * 2^ACCOUNT_GENERATION_BITS + generation, in one word: so a thread adds bytes only to what it
 *            has compared with a limit
 *   generation: one more when a thread begins to count alone, and one more when that was revoked; odd between them
 *   held bytes = used_bytes + shared bytes; shared bytes may be negative, and are 0 while one thread counts alone
 *   held bytes <= hard_limit_bytes, unless the limit was set below the held bytes
 *   soft_refused <=> the soft limit has refused a request since the held bytes last fell so far that this request
 *                    would not exceed it; once a later request has exceeded it: fell to it or below
 *   awaited_bytes = those of the request that was refused softly; 0 once a later one has exceeded the soft limit
 *   ceiling_bytes = 0 unless one thread counts alone; then
 *                   soft_refused and awaited_bytes = 0 ? hard_limit_bytes : min(soft_limit_bytes, hard_limit_bytes)
 *   watch_bytes = 0 unless one thread counts alone; then peak_bytes + 1, and 0 at first and while soft_refused
 *   highest held bytes so far = max(peak_bytes, held bytes)
 *
 * A fast path goes on while
 *   malloc: `user` is the thread's heap, and used_bytes + block bytes <= ceiling_bytes
 *   free:   `user` is the thread's heap, used_bytes < watch_bytes, and the account holds a block of that size
 */
struct hak_heap {
    Heap *_Atomic user;
    const _Atomic uint8_t *small_classes; /* size_class_small for its alignment */
    _Atomic uint64_t used_bytes, used_blocks, ceiling_bytes, watch_bytes;
    Heap *private_heap; /* NULL: blocks come from the calling thread's heap */
    SizeClassAlignment alignment;
    _Atomic bool soft_refused;
    _Atomic uint64_t peak_bytes, soft_limit_bytes, hard_limit_bytes; /* UINT64_MAX: none */
    _Atomic uint64_t soft_refusals, hard_refusals;
    _Atomic uint64_t shared;
    _Atomic int64_t shared_blocks;

    /* account_threads.c. Changes of `user` and `former` are made under heap_list_lock, which a fork takes, too. */
    Heap *_Atomic former;            /* the last user, until it was seen outside of the allocator; NULL: it was */
    _Atomic bool is_former_findable; /* the kernel has given a barrier in all threads since the user had to share */
    _Atomic bool is_former_awaited;  /* threads that find it inside wait; false: one has waited for long enough */
    Heap *_Atomic recent;            /* shared: whose thread made the last request ... */
    _Atomic uint32_t recent_count;   /* ... and how many in succession */
    _Atomic uint32_t claim_count;    /* after so many in succession that thread counts alone */

    _Atomic uint64_t awaited_bytes; /* behind the rest, which fast paths read */
    uint64_t mark;                  /* ACCOUNT_MARK until hak_heap_destroy */
};

#define ACCOUNT_MARK UINT64_C(0x68656170206f6b21)

/* Two equal generations are the same one, unless all others came between two reads of them: each takes thousands of
 * requests. */
#define ACCOUNT_GENERATION_BITS 12

#define ACCOUNT_SHARED_BYTES_MAX ((UINT64_C(1) << (63 - ACCOUNT_GENERATION_BITS)) - 1)

/* A larger request is refused before it is counted. One that is counted before memory turns out to be missing may fail
 * those of other threads; a hundred at once do not. */
#define ACCOUNT_REQUEST_BYTES_MAX ((size_t)1 << 44)

HAK_INLINE uint64_t account_generation(uint64_t shared) {
    return shared & ((UINT64_C(1) << ACCOUNT_GENERATION_BITS) - 1);
}

HAK_INLINE int64_t account_shared_bytes(uint64_t shared) { return (int64_t)shared >> ACCOUNT_GENERATION_BITS; }

/* `held` plus `change`; a sum below 0 counts as 0. */
HAK_INLINE uint64_t account_sum(uint64_t held, int64_t change) {
    int64_t sum = (int64_t)(held + (uint64_t)change);
    return sum < 0 ? 0 : (uint64_t)sum;
}

/* Stores `shared`. It and used_bytes are of one generation: no claim moved what is shared between the two reads. */
HAK_INLINE uint64_t account_held_bytes_with(const hak_heap_t *heap, uint64_t *shared) {
    uint64_t used_bytes;
    do {
        *shared = heap->shared;
        used_bytes = atomic_load_explicit(&heap->used_bytes, memory_order_acquire);
    } while (account_generation(heap->shared) != account_generation(*shared));
    return account_sum(used_bytes, account_shared_bytes(*shared));
}

/* Both are too small while another thread is within a claim, and never too large. Blocks: used_blocks is read first,
 * since a claim takes from shared_blocks before it adds there. */
HAK_INLINE uint64_t account_held_bytes(const hak_heap_t *heap) {
    uint64_t shared;
    return account_held_bytes_with(heap, &shared);
}
HAK_INLINE uint64_t account_held_blocks(const hak_heap_t *heap) {
    uint64_t shared, held_blocks;
    do {
        shared = heap->shared;
        uint64_t used_blocks = atomic_load_explicit(&heap->used_blocks, memory_order_acquire);
        held_blocks = account_sum(used_blocks, LOAD_RELAXED(heap->shared_blocks));
    } while (account_generation(heap->shared) != account_generation(shared));
    return held_blocks;
}

/* ---- account.c: limits ---- */

/* False: the heap was destroyed, which is reported as misuse; found as long as its memory was not used again. No
 * thread counts in a destroyed heap alone, so each request asks. */
bool account_is_alive(const hak_heap_t *heap);

/* The account holds less than the block: it was made by hak_malloc, in another heap, or freed before. */
void account_report_not_held(const hak_heap_t *heap, const void *block, size_t usable_bytes);

/* Whether the held bytes may become `wanted_bytes`. True: refused and counted, with errno ENOMEM. */
bool account_refuses(hak_heap_t *heap, uint64_t wanted_bytes);

/* Called before the held bytes fall from `held_bytes` to `left_bytes`: stores the peak, ends soft_refused where they
 * fall far enough, and sets watch_bytes. */
void account_note_fall(hak_heap_t *heap, uint64_t held_bytes, uint64_t left_bytes);

/* Stores the peak. */
void account_note_peak(hak_heap_t *heap, uint64_t held_bytes);

/* Recomputes ceiling_bytes. Any thread. */
void account_update_ceiling(hak_heap_t *heap);

HAK_INLINE bool account_is_within_limits(hak_heap_t *heap, uint64_t wanted_bytes) {
    bool is_below = !IS_BELOW_RELAXED(heap->soft_limit_bytes, wanted_bytes) &&
                    !IS_BELOW_RELAXED(heap->hard_limit_bytes, wanted_bytes);
    return HAK_LIKELY(is_below) || !account_refuses(heap, wanted_bytes);
}

/* ---- account_threads.c: counting where a fast path does not ---- */

/* Adds; decides about limits. False: refused, with errno ENOMEM. Called before the block is made, so that two threads
 * cannot both take what is left below the limit. */
bool account_add(hak_heap_t *heap, uint64_t bytes, uint64_t blocks);

/* Subtracts; what the account does not hold is not subtracted. Called after the block is gone. */
void account_subtract(hak_heap_t *heap, uint64_t bytes, uint64_t blocks);

/* Whether the account holds a block, and `bytes` at least. Takes heap_list_lock where it seems not to. */
bool account_holds(const hak_heap_t *heap, uint64_t bytes);

/* Undoes account_add where no block could be made: the peak and the soft limit are as before. */
void account_take_back(hak_heap_t *heap, uint64_t bytes, uint64_t blocks);

/* ---- Fast paths ---- */

/* Between the announcement of a request and its end. True: `thread`, the calling thread's heap, counts alone. */
HAK_INLINE bool account_is_counted_by(const hak_heap_t *heap, const Heap *thread) {
    return IS_EQUAL_RELAXED(heap->user, thread);
}

/* For who counts alone, and for a private heap. Adds without a look at the limits. */
HAK_INLINE void account_add_plainly(hak_heap_t *heap, uint64_t bytes, uint64_t blocks) {
    ADD_RELAXED(heap->used_bytes, bytes);
    ADD_RELAXED(heap->used_blocks, blocks);
}

/* The same: subtracts; what the account does not hold is not subtracted. */
HAK_INLINE void account_subtract_plainly(hak_heap_t *heap, uint64_t bytes, uint64_t blocks) {
    uint64_t held_bytes = LOAD_RELAXED(heap->used_bytes), held_blocks = LOAD_RELAXED(heap->used_blocks);
    uint64_t left_bytes = HAK_LIKELY(bytes <= held_bytes) ? held_bytes - bytes : 0;
    bool is_noted = IS_BELOW_RELAXED(heap->peak_bytes, held_bytes) || LOAD_RELAXED(heap->soft_refused) ||
                    (heap->private_heap == NULL && LOAD_RELAXED(heap->watch_bytes) == 0);
    if (HAK_UNLIKELY(is_noted)) account_note_fall(heap, held_bytes, left_bytes);
    STORE_RELAXED(heap->used_bytes, left_bytes);
    STORE_RELAXED(heap->used_blocks, HAK_LIKELY(blocks <= held_blocks) ? held_blocks - blocks : 0);
}

#endif
