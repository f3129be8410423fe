/*
 * stress/test_scattered_frees.c - blocks of many slabs that are freed in random order: every invariant holds after each
 * part of them, survivors keep their contents, and an OS page without a survivor goes back.
 */
#include <string.h>

#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { BLOCKS_MAX = 200000, PARTS = 10 };

static unsigned char *blocks[BLOCKS_MAX];

static unsigned char content(size_t number) { return (unsigned char)(number * 7 + 1); }

static void allocate(size_t first, size_t count, size_t bytes) {
    for (size_t number = first; number < first + count; number++) {
        blocks[number] = hak_malloc(bytes);
        REQUIRE(blocks[number] != NULL);
        memset(blocks[number], content(number), bytes);
    }
}

static void require_content(size_t number, size_t bytes) {
    REQUIRE_EQUAL(blocks[number][0], content(number));
    REQUIRE_EQUAL(blocks[number][bytes - 1], content(number));
}

static size_t order[BLOCKS_MAX];

static void shuffle(Random *random, size_t count) {
    for (size_t number = 0; number < count; number++) order[number] = number;
    for (size_t left = count; left > 1; left--) {
        size_t other = random_below(random, left), moved = order[left - 1];
        order[left - 1] = order[other];
        order[other] = moved;
    }
}

/* All but one in `survivor_step`, each of which then stands alone. */
static void free_in_random_order(Random *random, size_t count, size_t bytes, size_t survivor_step) {
    shuffle(random, count);
    size_t live_before = stats_now().live_blocks, freed = 0;
    for (size_t part = 0; part < PARTS; part++) {
        for (size_t place = part * count / PARTS; place < (part + 1) * count / PARTS; place++) {
            size_t number = order[place];
            if (number % survivor_step == 0) continue;
            require_content(number, bytes);
            hak_free(blocks[number]);
            freed++;
        }
        REQUIRE_EQUAL(hak_check(), 0);
        REQUIRE_EQUAL(stats_checked().live_blocks, live_before - freed);
    }
    (void)hak_trim();
    hak_stats_t stats = stats_checked();
    uint64_t survivors = (count + survivor_step - 1) / survivor_step;
    /* A survivor pins one OS page, or as many as it touches: no more are left. */
    uint64_t page_bytes = resident_os_page_bytes();
    uint64_t pinned_bytes_max = survivors * ((bytes + page_bytes - 1) / page_bytes + 1) * page_bytes;
    REQUIRE_AT_MOST(stats.pinned_bytes, pinned_bytes_max);
    REQUIRE_EQUAL(stats.free_resident_bytes, 0);
    for (size_t number = 0; number < count; number += survivor_step) {
        require_content(number, bytes);
        hak_free(blocks[number]);
    }
    REQUIRE_EQUAL(stats_checked().live_blocks, 0);
    stats_require_all_returned();
}

static void test_each_kind_of_class(void **state) {
    (void)state;
    static const size_t sizes[] = {8, 16, 24, 48, 136, 512, 1000, 2048, 4096, 5000, 20000};
    Random random = random_start(random_seed());
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        size_t count = ((size_t)12 << 20) / sizes[index];
        if (count > BLOCKS_MAX) count = BLOCKS_MAX;
        allocate(0, count, sizes[index]);
        free_in_random_order(&random, count, sizes[index], 211);
    }
}

/* ---- Slabs of several threads ---- */

enum { THREADS = 3, BLOCKS_OF_A_THREAD = 60000, BYTES = 64 };

static Story story = STORY_START;

static void *allocate_and_live(void *context) {
    size_t thread = (size_t)(uintptr_t)context;
    story_await(&story, (unsigned)thread);
    allocate(thread * BLOCKS_OF_A_THREAD, BLOCKS_OF_A_THREAD, BYTES);
    story_reach(&story, (unsigned)thread + 1);
    story_await(&story, THREADS + 1);
    return NULL;
}

static void test_blocks_of_other_threads(void **state) {
    (void)state;
    Random random = random_start(random_seed());
    pthread_t threads[THREADS];
    for (size_t thread = 1; thread < THREADS; thread++)
        threads[thread] = threads_start(allocate_and_live, (void *)(uintptr_t)thread);
    allocate(0, BLOCKS_OF_A_THREAD, BYTES);
    story_reach(&story, 1);
    story_await(&story, THREADS);
    free_in_random_order(&random, (size_t)THREADS * BLOCKS_OF_A_THREAD, BYTES, 211);
    story_reach(&story, THREADS + 1);
    for (size_t thread = 1; thread < THREADS; thread++) threads_join(threads[thread]);
    stats_require_all_returned();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_of_class),
        cmocka_unit_test(test_blocks_of_other_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
