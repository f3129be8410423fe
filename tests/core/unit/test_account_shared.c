/*
 * unit/test_account_shared.c - an account that threads share: limits and figures are as where one thread counts alone,
 * a former user that does not leave the allocator is awaited for a bounded time, and a kernel without barriers costs
 * the speed alone.
 *
 * In unit because it looks into the account, and because the link wraps the OS calls that map and that issue a barrier.
 */
#include <errno.h>
#include <string.h>

#include "api/account.h"
#include "cache/owner.h"
#include "heap/heap_all.h"
#include "platform/os.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

/* ---- What refuses ---- */

static bool refuses_maps, refuses_barriers;

void *__real_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes) {
    return refuses_maps ? NULL : __real_hak_core_os_map(hint, bytes);
}

bool __real_hak_core_os_barrier_in_all_threads(void);
bool __wrap_hak_core_os_barrier_in_all_threads(void);
bool __wrap_hak_core_os_barrier_in_all_threads(void) {
    return !refuses_barriers && __real_hak_core_os_barrier_in_all_threads();
}

/* ---- An account that another thread has used alone, and that this one has shared since ---- */

enum { FIRST_BYTES = 1000, MAPPING_BYTES = 5 << 20, MANY = 20000 };

static void *malloc_alone(void *heap) {
    hak_free(hak_malloc(1)); /* a thread that has no heap yet shares */
    void *block = hak_heap_malloc(heap, FIRST_BYTES);
    REQUIRE(((hak_heap_t *)heap)->user == heap_of_thread);
    return block;
}

static bool is_shared(const hak_heap_t *heap) { return heap->user == NULL; }

/* `block` is the one that the other thread has made. */
static hak_heap_t *shared_heap(void **block) {
    hak_heap_t *heap = hak_heap_new(NULL);
    REQUIRE_EQUAL(pthread_join(threads_start(malloc_alone, heap), block), 0);
    hak_heap_free(heap, hak_heap_malloc(heap, 1));
    REQUIRE(*block != NULL && is_shared(heap));
    return heap;
}

static void *malloc_refused(hak_heap_t *heap, size_t bytes) {
    errno = 0;
    void *block = hak_heap_malloc(heap, bytes);
    REQUIRE_EQUAL(errno, block == NULL ? ENOMEM : 0);
    return block;
}

/* ---- Limits ---- */

static void test_a_soft_limit_refuses_again_after_a_fall(void **state) {
    (void)state;
    void *first;
    hak_heap_t *heap = shared_heap(&first);
    REQUIRE_EQUAL(hak_heap_set_limit(heap, 4096, 0), 0);
    for (unsigned round = 1; round <= 3; round++) {
        REQUIRE(malloc_refused(heap, 4000) == NULL);
        REQUIRE_EQUAL(stats_of_heap(heap).soft_refusals, round);
        void *block = malloc_refused(heap, 4000), *other = malloc_refused(heap, 100);
        REQUIRE(block != NULL && other != NULL);
        hak_heap_free(heap, other); /* still above the limit */
        REQUIRE((other = malloc_refused(heap, 100)) != NULL);
        hak_heap_free(heap, other);
        hak_heap_free(heap, block);
    }
    REQUIRE_EQUAL(stats_of_heap(heap).soft_refusals, 3);
    hak_heap_free(heap, first);
    REQUIRE(is_shared(heap));
    REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, 0);
    hak_heap_destroy(heap);
}

/* The account is as before: neither the peak nor the soft limit knows of a block that was not made. */
static void test_a_block_that_is_not_made_is_taken_back(void **state) {
    (void)state;
    void *first;
    hak_heap_t *heap = shared_heap(&first);
    refuses_maps = true;
    hak_heap_stats_t before = stats_of_heap(heap);
    REQUIRE(malloc_refused(heap, MAPPING_BYTES) == NULL);
    hak_heap_stats_t after = stats_of_heap(heap);
    REQUIRE_EQUAL(memcmp(&before, &after, sizeof before), 0);
    REQUIRE_EQUAL(hak_heap_set_limit(heap, MAPPING_BYTES / 2, 0), 0);
    REQUIRE(malloc_refused(heap, MAPPING_BYTES) == NULL);
    REQUIRE_EQUAL(stats_of_heap(heap).soft_refusals, 1);
    REQUIRE(malloc_refused(heap, MAPPING_BYTES) == NULL); /* within the limits now, but no memory */
    refuses_maps = false;
    REQUIRE_EQUAL(stats_of_heap(heap).peak_bytes, before.peak_bytes);
    void *block = malloc_refused(heap, MAPPING_BYTES);
    REQUIRE(block != NULL);
    REQUIRE_EQUAL(stats_of_heap(heap).soft_refusals, 1);
    hak_heap_free(heap, block);
    hak_heap_free(heap, first);
    REQUIRE(is_shared(heap));
    hak_heap_destroy(heap);
}

/* Another thread has taken more between this one's count and its refusal: nothing is awaited. */
static void test_a_refusal_below_what_is_held(void **state) {
    (void)state;
    void *first;
    hak_heap_t *heap = shared_heap(&first);
    void *block = hak_heap_malloc(heap, 3000);
    REQUIRE_EQUAL(hak_heap_set_limit(heap, 2000, 0), 0);
    errno = 0;
    REQUIRE(account_refuses(heap, account_held_bytes(heap) - 8));
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE_EQUAL(heap->awaited_bytes, 0);
    void *other = malloc_refused(heap, 100);
    REQUIRE(other != NULL);
    hak_heap_free(heap, block); /* below the limit, which refuses again */
    REQUIRE(malloc_refused(heap, 3000) == NULL);
    REQUIRE_EQUAL(stats_of_heap(heap).soft_refusals, 2);
    hak_heap_free(heap, other);
    hak_heap_free(heap, first);
    hak_heap_destroy(heap);
}

/* Another thread has raised the limits since this one compared them. */
static void test_no_refusal_below_raised_limits(void **state) {
    (void)state;
    void *first;
    hak_heap_t *heap = shared_heap(&first);
    REQUIRE_EQUAL(hak_heap_set_limit(heap, 5000, 6000), 0);
    errno = 0;
    REQUIRE(!account_refuses(heap, 5000));
    REQUIRE_EQUAL(errno, 0);
    REQUIRE_EQUAL(stats_of_heap(heap).soft_refusals + stats_of_heap(heap).hard_refusals, 0);
    REQUIRE(!heap->soft_refused);
    hak_heap_free(heap, first);
    hak_heap_destroy(heap);
}

/* ---- Figures ---- */

/* What a claim moves is in neither place for a moment: too little then, and never too much. */
static void test_figures_within_a_claim(void **state) {
    (void)state;
    void *first;
    hak_heap_t *heap = shared_heap(&first);
    hak_heap_free(heap, first);
    REQUIRE_OP((uint64_t)-account_shared_bytes(heap->shared), >=, FIRST_BYTES);
    uint64_t used_bytes = heap->used_bytes;
    heap->used_bytes = 0;
    REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, 0);
    heap->used_bytes = used_bytes;
    REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, 0);
    hak_heap_destroy(heap);
}

/* In a private heap, which counts plainly. */
static void test_more_than_is_held_is_not_subtracted(void **state) {
    (void)state;
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = 1;
    hak_heap_t *heap = hak_heap_new(&options);
    REQUIRE(account_add(heap, 100, 1));
    account_subtract(heap, 101, 2);
    REQUIRE_EQUAL(heap->used_bytes, 0);
    REQUIRE_EQUAL(heap->used_blocks, 0);
    REQUIRE_EQUAL(stats_of_heap(heap).peak_bytes, 100);
    hak_heap_destroy(heap);
}

/* ---- A former user that stays inside ---- */

enum { STEP_INSIDE = 1, STEP_LEAVE, STEP_OUTSIDE, STEP_END };
static Story story;

/* As if its last fast path took so long. It counts before it leaves. */
static void *stay_inside(void *context) {
    hak_heap_t *heap = context;
    hak_heap_free(heap, malloc_alone(heap));
    owner_enter(heap_of_thread);
    story_reach(&story, STEP_INSIDE);
    story_await(&story, STEP_LEAVE);
    account_add_plainly(heap, FIRST_BYTES, 1);
    owner_leave(heap_of_thread);
    story_reach(&story, STEP_OUTSIDE);
    story_await(&story, STEP_END);
    return NULL;
}

static void test_a_former_user_is_awaited_for_a_while(void **state) {
    (void)state;
    story = (Story)STORY_START;
    hak_heap_t *heap = hak_heap_new(NULL);
    pthread_t thread = threads_start(stay_inside, heap);
    story_await(&story, STEP_INSIDE);
    Heap *former = heap->user;
    void *block = hak_heap_malloc(heap, 100);
    REQUIRE(block != NULL && is_shared(heap));
    REQUIRE(heap->former == former);
    REQUIRE(!heap->is_former_awaited); /* so the next requests do not wait */
    for (unsigned request = 0; request < MANY; request++) hak_heap_free(heap, hak_heap_malloc(heap, 100));
    REQUIRE(is_shared(heap) && heap->former == former);
    REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, hak_usable_size(block));
    story_reach(&story, STEP_LEAVE);
    story_await(&story, STEP_OUTSIDE);
    REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, hak_usable_size(block) + FIRST_BYTES);
    hak_heap_free(heap, block);
    REQUIRE(heap->former == NULL);
    REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, FIRST_BYTES);
    account_subtract(heap, FIRST_BYTES, 1);
    story_reach(&story, STEP_END);
    threads_join(thread);
    REQUIRE_EQUAL(stats_of_heap(heap).used_blocks, 0);
    hak_heap_destroy(heap);
}

/* ---- A kernel without barriers ---- */

/* The former user is not found to be outside but by itself. */
static void *use_again(void *context) {
    hak_heap_t *heap = context;
    void *block = malloc_alone(heap);
    story_reach(&story, STEP_INSIDE);
    story_await(&story, STEP_LEAVE);
    REQUIRE(heap->former == heap_of_thread);
    hak_heap_free(heap, block);
    REQUIRE(heap->former == NULL);
    return NULL;
}

static void test_without_barriers_nobody_waits(void **state) {
    (void)state;
    story = (Story)STORY_START;
    refuses_barriers = true;
    hak_heap_t *heap = hak_heap_new(NULL);
    pthread_t thread = threads_start(use_again, heap);
    story_await(&story, STEP_INSIDE);
    uint64_t first_bytes = stats_of_heap(heap).used_bytes;
    for (unsigned request = 0; request < MANY; request++) hak_heap_free(heap, hak_heap_malloc(heap, 100));
    REQUIRE(is_shared(heap) && heap->former != NULL);
    REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, first_bytes);
    story_reach(&story, STEP_LEAVE);
    threads_join(thread);
    REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, 0);
    for (unsigned request = 0; request < MANY; request++) hak_heap_free(heap, hak_heap_malloc(heap, 100));
    REQUIRE(heap->user == heap_of_thread);
    refuses_barriers = false;
    hak_heap_destroy(heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_soft_limit_refuses_again_after_a_fall),
        cmocka_unit_test(test_a_block_that_is_not_made_is_taken_back),
        cmocka_unit_test(test_a_refusal_below_what_is_held),
        cmocka_unit_test(test_no_refusal_below_raised_limits),
        cmocka_unit_test(test_figures_within_a_claim),
        cmocka_unit_test(test_more_than_is_held_is_not_subtracted),
        cmocka_unit_test(test_a_former_user_is_awaited_for_a_while),
        cmocka_unit_test(test_without_barriers_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
