/*
 * stress/test_shared_accounts.c - several threads use one account, at once or by turns: its figures are exact when they
 * rest, no figure ever wraps, and the blocks that all threads hold together never exceed the hard limit.
 *
 * HAK_TEST_SCALE makes it longer.
 */
#include <string.h>

#include "support/random.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { SLOTS = 200, THREADS = 4, HARD_LIMIT = 200000 };

static hak_heap_t *limited_heap(uint64_t hard_limit_bytes) {
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.alignment_bytes = 8;
    options.hard_limit_bytes = hard_limit_bytes;
    hak_heap_t *heap = hak_heap_new(&options);
    REQUIRE(heap != NULL);
    return heap;
}

/* What one thread, or several by turns, holds of the account. */
typedef struct Holder {
    void *blocks[SLOTS];
    Random random;
} Holder;

/* What all threads hold together, counted by the test: after a block was got, before it is given back. */
static _Atomic int64_t tally_bytes, tally_blocks, tally_highest;

static void tally(int64_t bytes, int64_t blocks) {
    int64_t held = atomic_fetch_add(&tally_bytes, bytes) + bytes;
    atomic_fetch_add(&tally_blocks, blocks);
    int64_t highest = atomic_load(&tally_highest);
    while (held > highest && !atomic_compare_exchange_weak(&tally_highest, &highest, held)) continue;
}

static void take(hak_heap_t *heap, void **slot, size_t size) {
    *slot = hak_heap_malloc(heap, size);
    if (*slot != NULL) tally((int64_t)hak_usable_size(*slot), 1);
}

static void give_back(hak_heap_t *heap, void **slot) {
    if (*slot != NULL) tally(-(int64_t)hak_usable_size(*slot), -1);
    hak_heap_free(heap, *slot);
    *slot = NULL;
}

/* The tally is short of the block while it is resized, which is what a thread may hold at least. */
static void resize(hak_heap_t *heap, void **slot, size_t size) {
    int64_t before = *slot == NULL ? 0 : (int64_t)hak_usable_size(*slot);
    bool is_shrinking = *slot != NULL && size < (size_t)before;
    if (is_shrinking) tally(-before, -1);
    void *resized = hak_heap_realloc(heap, *slot, size);
    if (resized == NULL) return;
    tally((int64_t)hak_usable_size(resized) - (is_shrinking ? 0 : before), is_shrinking || before == 0);
    *slot = resized;
}

static void step_once(hak_heap_t *heap, Holder *holder) {
    size_t slot = random_below(&holder->random, SLOTS), kind = random_below(&holder->random, 16);
    size_t size = kind == 15 ? 40000 : random_below(&holder->random, 3000);
    if (kind >= 11)
        resize(heap, &holder->blocks[slot], size);
    else if (holder->blocks[slot] != NULL)
        give_back(heap, &holder->blocks[slot]);
    else
        take(heap, &holder->blocks[slot], size);
}

static void give_all_back(hak_heap_t *heap, Holder *holder) {
    for (size_t slot = 0; slot < SLOTS; slot++) give_back(heap, &holder->blocks[slot]);
}

static void require_exact(const hak_heap_t *heap) {
    hak_heap_stats_t stats = stats_of_heap(heap);
    REQUIRE_EQUAL(stats.used_bytes, atomic_load(&tally_bytes));
    REQUIRE_EQUAL(stats.used_blocks, atomic_load(&tally_blocks));
    REQUIRE_AT_LEAST(stats.peak_bytes, atomic_load(&tally_highest));
    REQUIRE_AT_MOST(stats.peak_bytes, HARD_LIMIT);
}

/* All that was held came back: a block of nearly the whole limit can be had. */
static void require_unused_and_end(hak_heap_t *heap) {
    REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, 0);
    REQUIRE_EQUAL(stats_of_heap(heap).used_blocks, 0);
    void *block = hak_heap_malloc(heap, HARD_LIMIT / 65536 * 65536);
    REQUIRE(block != NULL);
    hak_heap_free(heap, block);
    REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, 0);
    hak_heap_destroy(heap);
    atomic_store(&tally_highest, 0);
    REQUIRE_EQUAL(atomic_load(&tally_bytes), 0);
    REQUIRE_EQUAL(atomic_load(&tally_blocks), 0);
}

/* ---- At once ---- */

static Holder holders[THREADS];
static _Atomic bool is_over;

static void use(void *heap, size_t number) {
    holders[number].random = random_start(random_seed() + number);
    for (size_t step = 0; step < 30000 * suite_scale(); step++) {
        step_once(heap, &holders[number]);
        if (step % 100 == 0) REQUIRE_AT_MOST(atomic_load(&tally_highest), HARD_LIMIT);
    }
}

static void *watch(void *heap) {
    while (!atomic_load(&is_over)) {
        hak_heap_stats_t stats = stats_of_heap(heap);
        REQUIRE_AT_MOST(stats.used_bytes, HARD_LIMIT + THREADS * 65536); /* a request that a claim has sent back */
        REQUIRE_AT_MOST(stats.used_blocks, THREADS * SLOTS);
    }
    return NULL;
}

static void test_threads_at_once(void **state) {
    (void)state;
    hak_heap_t *heap = limited_heap(HARD_LIMIT);
    atomic_store(&is_over, false);
    pthread_t watcher = threads_start(watch, heap);
    for (size_t round = 0; round < 3; round++) {
        threads_run(THREADS, use, heap);
        require_exact(heap);
    }
    atomic_store(&is_over, true);
    threads_join(watcher);
    REQUIRE_AT_LEAST(stats_of_heap(heap).hard_refusals, 1);
    REQUIRE_AT_MOST(atomic_load(&tally_highest), HARD_LIMIT);
    for (size_t number = 0; number < THREADS; number++) give_all_back(heap, &holders[number]);
    require_unused_and_end(heap);
}

/* Without a tally, which would slow the threads down and keep them apart. */
static void make_and_free(void *heap, size_t number) {
    for (size_t step = 0; step < 3000000 * suite_scale(); step++) {
        void *block = hak_heap_malloc(heap, 100 + number * 100);
        REQUIRE(block != NULL);
        hak_heap_free(heap, block);
    }
}

static void test_no_count_is_lost(void **state) {
    (void)state;
    hak_heap_t *heap = limited_heap(HARD_LIMIT);
    threads_run(2, make_and_free, heap);
    REQUIRE_AT_MOST(stats_of_heap(heap).peak_bytes, 1000);
    require_unused_and_end(heap);
}

/* ---- A second thread joins one that is busy at the limit ---- */

static void *fill_and_churn(void *heap) {
    static void *blocks[HARD_LIMIT / 1000];
    for (size_t step = 0; !atomic_load(&is_over); step++) {
        void **slot = &blocks[step * 7 % (HARD_LIMIT / 1000)];
        if (step % 3 == 0) give_back(heap, slot);
        if (*slot == NULL) take(heap, slot, 1000);
        REQUIRE_AT_MOST(atomic_load(&tally_highest), HARD_LIMIT);
    }
    for (size_t slot = 0; slot < HARD_LIMIT / 1000; slot++) give_back(heap, &blocks[slot]);
    return NULL;
}

static void test_a_second_thread_joins(void **state) {
    (void)state;
    for (size_t round = 0; round < 100 * suite_scale(); round++) {
        hak_heap_t *heap = limited_heap(HARD_LIMIT);
        void *blocks[100] = {NULL};
        atomic_store(&is_over, false);
        pthread_t first = threads_start(fill_and_churn, heap);
        while (stats_of_heap(heap).hard_refusals == 0) continue;
        for (size_t step = 0; step < 1000; step++) {
            void **slot = &blocks[step % 100];
            give_back(heap, slot);
            take(heap, slot, 1000);
            REQUIRE_AT_MOST(atomic_load(&tally_highest), HARD_LIMIT);
        }
        atomic_store(&is_over, true);
        threads_join(first);
        require_exact(heap);
        for (size_t slot = 0; slot < 100; slot++) give_back(heap, &blocks[slot]);
        require_unused_and_end(heap);
    }
}

/* ---- By turns ---- */

typedef struct Turns {
    pthread_mutex_t lock;
    hak_heap_t *heap;
    Holder holder;
} Turns;

/* Long turns and short ones, so that threads come to count alone, and share again. */
static void take_turns(void *context, size_t number) {
    Turns *turns = context;
    Random random = random_start(random_seed() + number);
    for (size_t turn = 0; turn < 60 * suite_scale(); turn++) {
        size_t steps = random_below(&random, 4) == 0 ? 20000 : 20;
        pthread_mutex_lock(&turns->lock);
        for (size_t step = 0; step < steps; step++) {
            step_once(turns->heap, &turns->holder);
            REQUIRE_EQUAL(stats_of_heap(turns->heap).used_bytes, atomic_load(&tally_bytes));
            REQUIRE_EQUAL(stats_of_heap(turns->heap).used_blocks, atomic_load(&tally_blocks));
        }
        require_exact(turns->heap);
        pthread_mutex_unlock(&turns->lock);
    }
}

static void test_threads_by_turns(void **state) {
    (void)state;
    static Turns turns = {.lock = PTHREAD_MUTEX_INITIALIZER};
    turns.heap = limited_heap(HARD_LIMIT);
    turns.holder.random = random_start(random_seed());
    threads_run(THREADS, take_turns, &turns);
    give_all_back(turns.heap, &turns.holder);
    require_unused_and_end(turns.heap);
}

/* ---- Threads that end ---- */

static void *use_and_end(void *heap) {
    void *blocks[50];
    for (size_t slot = 0; slot < 50; slot++) take(heap, &blocks[slot], slot * 20);
    for (size_t slot = 0; slot < 50; slot++) give_back(heap, &blocks[slot]);
    return NULL;
}

static void test_threads_that_end(void **state) {
    (void)state;
    hak_heap_t *heap = limited_heap(HARD_LIMIT);
    for (size_t round = 0; round < 200; round++) {
        pthread_t one = threads_start(use_and_end, heap), other = threads_start(use_and_end, heap);
        if (round % 3 == 0) (void)use_and_end(heap);
        threads_join(one);
        threads_join(other);
        require_exact(heap);
    }
    require_unused_and_end(heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_at_once),       cmocka_unit_test(test_no_count_is_lost),
        cmocka_unit_test(test_a_second_thread_joins), cmocka_unit_test(test_threads_by_turns),
        cmocka_unit_test(test_threads_that_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
