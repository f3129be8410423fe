/*
 * unit/test_account_threads.c - who counts in an account: a lone thread does so alone, two share it, and the one that
 * stays counts alone again.
 *
 * In unit because it looks into the account.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/account.h"
#include "cache/owner.h"
#include "heap/heap_all.h"
#include "platform/os.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

/* More requests in succession than a thread needs to count alone after one revocation. */
enum { MANY = 20000 };

static void use(hak_heap_t *heap, size_t requests) {
    for (size_t request = 0; request < requests / 2; request++)
        hak_heap_free(heap, hak_heap_malloc(heap, request % 2000));
}

static bool counts_alone(const hak_heap_t *heap) { return heap->user == heap_of_thread && heap->ceiling_bytes != 0; }

static uint64_t used_bytes(const hak_heap_t *heap) { return stats_of_heap(heap).used_bytes; }

/* Each claim and each revocation raises the generation. */
static uint64_t revocations(const hak_heap_t *heap) { return account_generation(heap->shared) / 2; }

static void test_a_lone_thread_counts_alone(void **state) {
    (void)state;
    hak_heap_t *heap = hak_heap_new(NULL);
    void *block = hak_heap_malloc(heap, 100);
    use(heap, 10);
    REQUIRE(counts_alone(heap));
    REQUIRE_EQUAL(revocations(heap), 0);
    hak_heap_free(heap, block);
    REQUIRE_EQUAL(used_bytes(heap), 0);
    hak_heap_destroy(heap);
}

static void *use_for_long(void *heap) {
    use(heap, 10);
    REQUIRE(!counts_alone(heap));
    use(heap, MANY);
    REQUIRE(counts_alone(heap));
    return NULL;
}

/* A host opens a state in one thread and runs it in another. */
static void test_an_account_that_moves_is_fast_again(void **state) {
    (void)state;
    hak_heap_t *heap = hak_heap_new(NULL);
    void *block = hak_heap_malloc(heap, 100);
    use(heap, MANY);
    REQUIRE(counts_alone(heap));
    threads_join(threads_start(use_for_long, heap));
    REQUIRE_EQUAL(revocations(heap), 1);
    REQUIRE_EQUAL(account_shared_bytes(heap->shared), 0);
    REQUIRE_EQUAL(used_bytes(heap), hak_usable_size(block));
    hak_heap_free(heap, block);
    REQUIRE_EQUAL(used_bytes(heap), 0);
    hak_heap_destroy(heap);
}

static void use_by_turns(void *heap, size_t number) {
    (void)number;
    for (size_t turn = 0; turn < 100; turn++) {
        use(heap, 200);
        sched_yield();
    }
}

/* Each revocation stops all threads for a moment, so an account does not go to and fro. */
static void test_an_account_of_two_threads_stays_shared(void **state) {
    (void)state;
    hak_heap_t *heap = hak_heap_new(NULL);
    for (size_t round = 0; round < 50; round++) threads_run(2, use_by_turns, heap);
    REQUIRE_AT_MOST(revocations(heap), 12);
    REQUIRE_EQUAL(used_bytes(heap), 0);
    hak_heap_destroy(heap);
}

typedef struct Claimed {
    hak_heap_t *heap;
    void *block;
} Claimed;

static void *free_claimed(void *context) {
    const Claimed *claimed = context;
    hak_heap_free(claimed->heap, claimed->block);
    return NULL;
}

/* A claim moves the counts: for a moment they are in neither place, and a block that is held is no misuse to free. */
static void test_a_free_during_a_claim_is_no_misuse(void **state) {
    (void)state;
    hak_heap_t *heap = hak_heap_new(NULL);
    Claimed claimed = {heap, hak_heap_malloc(heap, 100)};
    lock_acquire(&heap_list_lock);
    uint64_t bytes = heap->used_bytes;
    heap->used_bytes = 0;
    pthread_t thread = threads_start(free_claimed, &claimed);
    os_sleep_ms(50);
    heap->used_bytes = bytes;
    lock_release(&heap_list_lock);
    threads_join(thread);
    REQUIRE_EQUAL(used_bytes(heap), 0);
    hak_heap_destroy(heap);
}

/* ---- A former user that stays within a request ---- */

enum { WAITERS = 16, WAIT_MS_MIN = 180 };

typedef struct Stopped {
    hak_heap_t *heap;
    _Atomic bool is_inside, may_leave;
    _Atomic uint64_t first_begin_ms, first_end_ms;
} Stopped;

static void *stop_within_a_request(void *context) {
    Stopped *stopped = context;
    hak_free(hak_malloc(8)); /* gives the thread a heap */
    void *block = hak_heap_malloc(stopped->heap, 100);
    owner_enter(heap_of_thread);
    stopped->is_inside = true;
    while (!stopped->may_leave) os_sleep_ms(1);
    owner_leave(heap_of_thread);
    return block;
}

static void set_if_lower(_Atomic uint64_t *lowest, uint64_t value) {
    uint64_t lower = *lowest;
    while (value < lower && !atomic_compare_exchange_weak(lowest, &lower, value)) continue;
}

static void join_the_account(void *context, size_t number) {
    (void)number;
    Stopped *stopped = context;
    set_if_lower(&stopped->first_begin_ms, os_now_ms());
    void *block = hak_heap_malloc(stopped->heap, 100);
    set_if_lower(&stopped->first_end_ms, os_now_ms());
    hak_heap_free(stopped->heap, block);
}

/* Until then none of them may count, or the hard limit would not hold. */
static void test_many_threads_wait_as_long_as_one(void **state) {
    (void)state;
    Stopped stopped = {.heap = hak_heap_new(NULL), .first_begin_ms = UINT64_MAX, .first_end_ms = UINT64_MAX};
    pthread_t thread = threads_start(stop_within_a_request, &stopped);
    while (!stopped.is_inside) os_sleep_ms(1);
    REQUIRE(stopped.heap->user != NULL);
    threads_run(WAITERS, join_the_account, &stopped);
    if (stopped.heap->is_former_findable) REQUIRE_AT_LEAST(stopped.first_end_ms - stopped.first_begin_ms, WAIT_MS_MIN);
    stopped.may_leave = true;
    void *block;
    REQUIRE_EQUAL(pthread_join(thread, &block), 0);
    hak_heap_free(stopped.heap, block);
    REQUIRE_EQUAL(used_bytes(stopped.heap), 0);
    hak_heap_destroy(stopped.heap);
}

/* ---- Requests that are about to fail ---- */

enum { ASKING_THREADS = 300, ASKING_THREADS_MIN = 100 };

/* Each of them has been counted, and no memory has been found yet. */
static void test_many_failing_requests_leave_room(void **state) {
    (void)state;
    hak_heap_t *heap = hak_heap_new(NULL);
    heap->claim_count = UINT32_MAX;
    void *block = hak_heap_malloc(heap, 100);
    size_t counted = 0;
    for (size_t thread = 0; thread < ASKING_THREADS; thread++) {
        errno = 0;
        bool is_counted = account_add(heap, ACCOUNT_REQUEST_BYTES_MAX, 1);
        REQUIRE_EQUAL(errno, is_counted ? 0 : ENOMEM);
        counted += is_counted;
    }
    REQUIRE_AT_LEAST(counted, ASKING_THREADS_MIN);
    REQUIRE_EQUAL(used_bytes(heap), hak_usable_size(block) + counted * ACCOUNT_REQUEST_BYTES_MAX);
    void *other = hak_heap_malloc(heap, 100000);
    REQUIRE(other != NULL);
    for (size_t thread = 0; thread < counted; thread++) account_take_back(heap, ACCOUNT_REQUEST_BYTES_MAX, 1);
    REQUIRE_EQUAL(stats_of_heap(heap).used_blocks, 2);
    hak_heap_free(heap, other);
    hak_heap_free(heap, block);
    REQUIRE_EQUAL(used_bytes(heap), 0);
    hak_heap_destroy(heap);
}

/* ---- To and fro ---- */

enum { LIMITED_BYTES = 4096, LIMITED_THREADS = 4 };

static void use_limited(void *context, size_t number) {
    hak_heap_t *heap = context;
    void *blocks[4] = {NULL};
    for (size_t turn = 0; turn < 20000; turn++) {
        void **slot = &blocks[turn % 4];
        hak_heap_free(heap, *slot);
        *slot = hak_heap_malloc(heap, 500 + 100 * number);
        heap->claim_count = 0; /* the next request of this thread claims the account */
        if (turn % 8 == number) sched_yield();
    }
    for (size_t slot = 0; slot < 4; slot++) hak_heap_free(heap, blocks[slot]);
}

static void test_an_account_that_goes_to_and_fro_is_exact(void **state) {
    (void)state;
    hak_heap_t *heap = hak_heap_new(NULL);
    REQUIRE_EQUAL(hak_heap_set_limit(heap, 0, LIMITED_BYTES), 0);
    threads_run(LIMITED_THREADS, use_limited, heap);
    hak_heap_stats_t stats = stats_of_heap(heap);
    REQUIRE_EQUAL(stats.used_bytes, 0);
    REQUIRE_EQUAL(stats.used_blocks, 0);
    REQUIRE_AT_LEAST(stats.hard_refusals, 1);
    REQUIRE_AT_MOST(stats.peak_bytes, LIMITED_BYTES);
    REQUIRE_AT_LEAST(revocations(heap), 1);
    hak_heap_destroy(heap);
}

static void *hold_a_block(void *heap) { return hak_heap_malloc(heap, 1000); }

/* The child does not have the thread that counted alone. */
static void test_a_forked_child_goes_on(void **state) {
    (void)state;
    hak_heap_t *heap = hak_heap_new(NULL);
    pthread_t thread = threads_start(hold_a_block, heap);
    void *block;
    REQUIRE_EQUAL(pthread_join(thread, &block), 0);
    pid_t child = fork();
    if (child == 0) {
        use(heap, MANY);
        REQUIRE(counts_alone(heap));
        REQUIRE_EQUAL(used_bytes(heap), hak_usable_size(block));
        hak_heap_free(heap, block);
        REQUIRE_EQUAL(used_bytes(heap), 0);
        _exit(0);
    }
    int status;
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
    hak_heap_free(heap, block);
    hak_heap_destroy(heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lone_thread_counts_alone),
        cmocka_unit_test(test_an_account_that_moves_is_fast_again),
        cmocka_unit_test(test_an_account_of_two_threads_stays_shared),
        cmocka_unit_test(test_a_free_during_a_claim_is_no_misuse),
        cmocka_unit_test(test_many_threads_wait_as_long_as_one),
        cmocka_unit_test(test_many_failing_requests_leave_room),
        cmocka_unit_test(test_an_account_that_goes_to_and_fro_is_exact),
        cmocka_unit_test(test_a_forked_child_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
