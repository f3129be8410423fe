/*
 * api/account_threads.c - one thread that counts alone in an account, or several that share it.
 *
 * Layer: api. Does not know limits (account.c). Thread rule: any thread, outside of the allocator, no lock held.
 *
 * Where one thread counts alone, counting costs it two plain additions. Other threads find their heap unequal to
 * `user`, and then:
 *   1. Revoke: `user` becomes NULL, and a barrier is issued in all threads. The former user enters no fast path from
 *      now on; if it was within one, that shows (owner_is_outside), and the others wait for its end. So they see all
 *      that it has counted when they compare with a limit.
 *   2. Share: what they count goes elsewhere, so a former user that is still inside loses no count, nor do they.
 *   3. Claim: after many requests of one thread in succession it counts alone. An account that was opened in one
 *      thread and is used by another is as fast as before, and one that several threads use is not handed to and fro:
 *      each revocation doubles the number.
 * A new account is shared, with a number of 0: the first thread claims it.
 */
#include "api/account.h"

#include <errno.h>

#include "cache/owner.h"
#include "heap/heap_all.h"
#include "platform/os.h"

/* ---- Revoke ---- */

enum { CLAIM_COUNT_MIN = 4096, CLAIM_COUNT_MAX = 1 << 20, WAITS_MAX = 200, WAIT_MS = 1, POLLS = 100 };

/* The next generation, with no shared bytes. */
static uint64_t next_shared(uint64_t shared) { return account_generation(account_generation(shared) + 1); }

static void revoke(hak_heap_t *heap, Heap *user) {
    lock_acquire(&heap_list_lock);
    if (heap->user == user) {
        uint32_t count = LOAD_RELAXED(heap->claim_count) * 2;
        STORE_RELAXED(heap->claim_count, count < CLAIM_COUNT_MIN   ? CLAIM_COUNT_MIN
                                         : count > CLAIM_COUNT_MAX ? CLAIM_COUNT_MAX
                                                                   : count);
        STORE_RELAXED(heap->recent_count, 0);
        STORE_RELAXED(heap->is_former_findable, false);
        heap->former = user;
        heap->user = NULL;
        bool is_findable = os_barrier_in_all_threads();
        STORE_RELAXED(heap->is_former_awaited, is_findable);
        STORE_RELAXED(heap->is_former_findable, is_findable);
        account_note_peak(heap, account_held_bytes(heap));
        account_update_ceiling(heap);
        STORE_RELAXED(heap->watch_bytes, 0);
        heap->shared = next_shared(heap->shared);
    }
    lock_release(&heap_list_lock);
}

/* ---- The end of the former user's last fast path ---- */

/* Waits, a bounded time: the former user may be in a long slow path, or stopped by a debugger. Each thread counts its
 * own waits, so that many at once wait as long as one, and the first to give up ends the wait of all. */
static bool await_outside(hak_heap_t *heap, const Heap *former) {
    if (!LOAD_RELAXED(heap->is_former_findable)) return false;
    for (unsigned poll = 0; poll < POLLS; poll++)
        if (owner_is_outside(former)) return true;
    for (unsigned wait = 0; wait < WAITS_MAX && LOAD_RELAXED(heap->is_former_awaited); wait++) {
        os_sleep_ms(WAIT_MS);
        if (owner_is_outside(former)) return true;
    }
    return false;
}

/* True: nobody waits any more, and the former user is not known to be outside. */
static bool is_wait_over(hak_heap_t *heap, const Heap *former, const Heap *thread) {
    if (former == thread || LOAD_RELAXED(heap->is_former_awaited)) return false;
    return !LOAD_RELAXED(heap->is_former_findable) || !owner_is_outside(former);
}

static void settle(hak_heap_t *heap, const Heap *thread) {
    const Heap *former = heap->former;
    if (former == NULL || is_wait_over(heap, former, thread)) return;
    lock_acquire(&heap_list_lock); /* after the barrier of another thread that is revoking */
    former = heap->former;
    uint64_t generation = account_generation(heap->shared);
    lock_release(&heap_list_lock);
    if (former == NULL) return;
    bool is_outside = former == thread || await_outside(heap, former);
    lock_acquire(&heap_list_lock);
    if (account_generation(heap->shared) == generation) {
        STORE_RELAXED(heap->is_former_awaited, false);
        if (is_outside) {
            heap->former = NULL;
            STORE_RELAXED(heap->watch_bytes, 0); /* the former user may have stored another value */
        }
    }
    lock_release(&heap_list_lock);
}

/* ---- Claim ---- */

static bool has_come_often(hak_heap_t *heap, Heap *thread) {
    uint32_t count = LOAD_RELAXED(heap->recent) == thread ? LOAD_RELAXED(heap->recent_count) + 1 : 0;
    STORE_RELAXED(heap->recent, thread);
    STORE_RELAXED(heap->recent_count, count);
    return count >= LOAD_RELAXED(heap->claim_count);
}

/* Who reads what was moved here reads the new generation, too (account_held_bytes_with). Release is for that. */
static void claim(hak_heap_t *heap, Heap *thread) {
    lock_acquire(&heap_list_lock);
    if (heap->user == NULL && heap->former == NULL) {
        uint64_t shared = heap->shared;
        while (!atomic_compare_exchange_weak(&heap->shared, &shared, next_shared(shared))) continue;
        ADD_RELEASE(heap->used_bytes, account_shared_bytes(shared));
        ADD_RELEASE(heap->used_blocks, atomic_exchange(&heap->shared_blocks, 0));
        heap->user = thread;
        account_update_ceiling(heap);
    }
    lock_release(&heap_list_lock);
}

bool account_holds(const hak_heap_t *heap, uint64_t bytes) {
    if (HAK_LIKELY(account_held_bytes(heap) >= bytes && account_held_blocks(heap) > 0)) return true;
    lock_acquire(&heap_list_lock); /* another thread may be within a claim */
    bool is_held = account_held_bytes(heap) >= bytes && account_held_blocks(heap) > 0;
    lock_release(&heap_list_lock);
    return is_held;
}

/* True: the calling thread, whose heap is `thread`, counts alone. It announces itself and asks once more. False: it
 * shares, as long as `generation` does not change. */
static bool counts_alone(hak_heap_t *heap, Heap *thread, uint64_t *generation) {
    Heap *user = heap->user;
    if (user == thread) return true;
    if (user != NULL) revoke(heap, user);
    *generation = account_generation(heap->shared);
    settle(heap, thread);
    if (thread->kind == HEAP_THREAD && has_come_often(heap, thread)) claim(heap, thread);
    return heap->user == thread;
}

/* ---- Counting ---- */

static bool add_plainly(hak_heap_t *heap, uint64_t bytes, uint64_t blocks) {
    if (!account_is_within_limits(heap, LOAD_RELAXED(heap->used_bytes) + bytes)) return false;
    account_add_plainly(heap, bytes, blocks);
    return true;
}

/* Unnoted: the bytes were added for a block that was not made, so neither the peak nor the soft limit knows of them. */
typedef enum Fall { FALL_NOTED, FALL_UNNOTED } Fall;

static void subtract_plainly(hak_heap_t *heap, uint64_t bytes, uint64_t blocks, Fall fall) {
    if (fall == FALL_NOTED)
        account_subtract_plainly(heap, bytes, blocks);
    else
        account_add_plainly(heap, -bytes, -blocks);
}

typedef enum Shared { SHARED_DONE, SHARED_REFUSED, SHARED_AGAIN } Shared;

/* What a thread that shares has read of the account. */
typedef struct Seen {
    uint64_t shared, held_bytes;
} Seen;

/* False: the account is in another generation since, or not shared; who is changing that is awaited. */
static bool see(hak_heap_t *heap, uint64_t generation, Seen *seen) {
    seen->held_bytes = account_held_bytes_with(heap, &seen->shared);
    if (HAK_LIKELY(account_generation(seen->shared) == generation && generation % 2 == 0)) return true;
    lock_acquire(&heap_list_lock);
    lock_release(&heap_list_lock);
    return false;
}

/* False: the account has changed since it was seen. */
static bool change_shared_bytes(hak_heap_t *heap, Seen *seen, int64_t bytes) {
    uint64_t changed = seen->shared + ((uint64_t)bytes << ACCOUNT_GENERATION_BITS);
    return atomic_compare_exchange_weak(&heap->shared, &seen->shared, changed);
}

/* A request is granted an eighth of the bytes that the word has left, so any number at once leave it room. */
static bool has_room(const Seen *seen, uint64_t bytes) {
    bool is_allowed = seen->held_bytes <= ACCOUNT_SHARED_BYTES_MAX &&
                      bytes <= (ACCOUNT_SHARED_BYTES_MAX - seen->held_bytes) / 8;
    if (HAK_UNLIKELY(!is_allowed)) errno = ENOMEM;
    return is_allowed;
}

static Shared add_shared_bytes(hak_heap_t *heap, uint64_t generation, uint64_t bytes) {
    Seen seen;
    do {
        if (!see(heap, generation, &seen)) return SHARED_AGAIN;
        if (!account_is_within_limits(heap, seen.held_bytes + bytes) || !has_room(&seen, bytes)) return SHARED_REFUSED;
    } while (!change_shared_bytes(heap, &seen, (int64_t)bytes));
    return SHARED_DONE;
}

/* The blocks first: a claim between the two moves no bytes without their block, which its thread could not free. */
static Shared add_shared(hak_heap_t *heap, uint64_t generation, uint64_t bytes, uint64_t blocks) {
    atomic_fetch_add_explicit(&heap->shared_blocks, (int64_t)blocks, memory_order_relaxed);
    Shared step = add_shared_bytes(heap, generation, bytes);
    if (step != SHARED_DONE) atomic_fetch_sub_explicit(&heap->shared_blocks, (int64_t)blocks, memory_order_relaxed);
    return step;
}

static Shared subtract_shared(hak_heap_t *heap, uint64_t generation, uint64_t bytes, uint64_t blocks, Fall fall) {
    Seen seen;
    uint64_t fallen_bytes;
    do {
        if (!see(heap, generation, &seen)) return SHARED_AGAIN;
        fallen_bytes = bytes < seen.held_bytes ? bytes : seen.held_bytes;
        if (fall == FALL_NOTED) account_note_peak(heap, seen.held_bytes);
    } while (!change_shared_bytes(heap, &seen, -(int64_t)fallen_bytes));
    atomic_fetch_sub_explicit(&heap->shared_blocks, (int64_t)blocks, memory_order_relaxed);
    if (fall == FALL_NOTED && LOAD_RELAXED(heap->soft_refused))
        account_note_fall(heap, seen.held_bytes, seen.held_bytes - fallen_bytes);
    return SHARED_DONE;
}

bool account_add(hak_heap_t *heap, uint64_t bytes, uint64_t blocks) {
    if (heap->private_heap != NULL) return add_plainly(heap, bytes, blocks);
    Heap *thread = heap_of_thread;
    Shared step = SHARED_AGAIN;
    uint64_t generation;
    while (step == SHARED_AGAIN) {
        if (!counts_alone(heap, thread, &generation)) {
            step = add_shared(heap, generation, bytes, blocks);
            continue;
        }
        owner_enter(thread);
        if (account_is_counted_by(heap, thread)) step = add_plainly(heap, bytes, blocks) ? SHARED_DONE : SHARED_REFUSED;
        owner_leave(thread);
    }
    return step == SHARED_DONE;
}

static void subtract(hak_heap_t *heap, uint64_t bytes, uint64_t blocks, Fall fall) {
    if (heap->private_heap != NULL) {
        subtract_plainly(heap, bytes, blocks, fall);
        return;
    }
    Heap *thread = heap_of_thread;
    Shared step = SHARED_AGAIN;
    uint64_t generation;
    while (step == SHARED_AGAIN) {
        if (!counts_alone(heap, thread, &generation)) {
            step = subtract_shared(heap, generation, bytes, blocks, fall);
            continue;
        }
        owner_enter(thread);
        if (account_is_counted_by(heap, thread)) {
            subtract_plainly(heap, bytes, blocks, fall);
            step = SHARED_DONE;
        }
        owner_leave(thread);
    }
}

void account_subtract(hak_heap_t *heap, uint64_t bytes, uint64_t blocks) { subtract(heap, bytes, blocks, FALL_NOTED); }

void account_take_back(hak_heap_t *heap, uint64_t bytes, uint64_t blocks) {
    subtract(heap, bytes, blocks, FALL_UNNOTED);
}
