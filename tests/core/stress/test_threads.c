/*
 * stress/test_threads.c - threads that come and go: queues between them, exits in any order, thread-specific-data
 * destructors that allocate and free after hakmem's own ran, thousands of short threads without growth, and the pattern
 * of the larson benchmark (each thread frees what its predecessor made), every block verified.
 *
 *   HAK_TEST_SEED=n, HAK_TEST_SCALE=n   as everywhere
 */
#include <sched.h>
#include <string.h>

#include "support/child.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

static void run_story(void (*story)(void *)) {
    ChildResult result = child_run(story, NULL);
    child_require_success(&result);
    REQUIRE(strstr(result.errors, "hakmem: ") == NULL);
}

/* ---- Larson: a chain of threads hands its blocks on ---- */

enum { CHAINS = 4, LARSON_SLOTS = 1000, GENERATIONS = 20, LARSON_STEPS = 5000 };

typedef struct Chain {
    Random random;
    char *blocks[LARSON_SLOTS];
    size_t bytes[LARSON_SLOTS];
    uint64_t keys[LARSON_SLOTS];
} Chain;

static void *larson_generation(void *chain_pointer) {
    Chain *chain = chain_pointer;
    for (size_t step = 0; step < LARSON_STEPS; step++) {
        size_t slot = random_below(&chain->random, LARSON_SLOTS);
        if (chain->blocks[slot] != NULL) {
            REQUIRE(pattern_holds(chain->blocks[slot], chain->bytes[slot], chain->keys[slot]));
            hak_free(chain->blocks[slot]);
        }
        chain->bytes[slot] = random_size(&chain->random, 300000);
        chain->keys[slot] = random_next(&chain->random);
        chain->blocks[slot] = hak_malloc(chain->bytes[slot]);
        pattern_fill(chain->blocks[slot], chain->bytes[slot], chain->keys[slot]);
    }
    return NULL;
}

static void larson_chain(void *seed, size_t number) {
    Chain *chain = calloc(1, sizeof *chain);
    REQUIRE(chain != NULL);
    chain->random = random_start(*(uint64_t *)seed + number);
    for (size_t generation = 0; generation < GENERATIONS * suite_scale(); generation++)
        threads_join(threads_start(larson_generation, chain));
    for (size_t slot = 0; slot < LARSON_SLOTS; slot++) hak_free(chain->blocks[slot]);
    free(chain);
}

static void larson(void *unused) {
    (void)unused;
    uint64_t seed = random_seed();
    threads_run(CHAINS, larson_chain, &seed);
    stats_require_all_returned();
}

static void test_larson(void **state) {
    (void)state;
    run_story(larson);
}

/* ---- A ring of queues: each block is freed three threads further on ---- */

enum { RING = 4, QUEUE_SLOTS = 256, RING_BLOCKS = 40000 };

static char *_Atomic queues[RING][QUEUE_SLOTS];

static void put(size_t ring, size_t number, char *block) {
    char *empty = NULL;
    while (!atomic_compare_exchange_weak(&queues[ring][number % QUEUE_SLOTS], &empty, block)) {
        empty = NULL;
        sched_yield();
    }
}

static char *get(size_t ring, size_t number) {
    for (;;) {
        char *block = atomic_exchange(&queues[ring][number % QUEUE_SLOTS], NULL);
        if (block != NULL) return block;
        sched_yield();
    }
}

static void ring_thread(void *unused, size_t ring) {
    (void)unused;
    for (size_t number = 0; number < RING_BLOCKS; number++) {
        size_t bytes = 8 + number % 777;
        if (ring == 0) {
            char *block = hak_malloc(bytes);
            pattern_fill(block, bytes, number);
            put(0, number, block);
        } else {
            char *block = get(ring - 1, number);
            REQUIRE(pattern_holds(block, bytes, number));
            if (ring + 1 < RING) {
                if (number % 3 == ring) { /* a copy travels on, the original dies here */
                    char *copy = hak_malloc(bytes);
                    memcpy(copy, block, bytes);
                    hak_free(block);
                    block = copy;
                }
                put(ring, number, block);
            } else {
                hak_free(block);
            }
        }
    }
}

static void ring_of_queues(void *unused) {
    threads_run(RING, ring_thread, unused);
    stats_require_all_returned();
}

static void test_ring_of_queues(void **state) {
    (void)state;
    run_story(ring_of_queues);
}

/* ---- Short threads ---- */

static void *short_thread(void *unused) {
    (void)unused;
    void *blocks[100];
    for (size_t number = 0; number < 100; number++) memset(blocks[number] = hak_malloc(number * 11), 1, number * 11);
    for (size_t number = 0; number < 100; number++) hak_free(blocks[number]);
    return NULL;
}

static void short_threads(void *unused) {
    for (unsigned number = 0; number < 100; number++) threads_join(threads_start(short_thread, unused));
    size_t base = resident_bytes();
    uint64_t metadata_bytes = stats_now().metadata_bytes;
    for (unsigned number = 0; number < 2000; number++) {
        pthread_t first = threads_start(short_thread, unused), second = threads_start(short_thread, unused);
        threads_join(first);
        threads_join(second);
    }
    REQUIRE_AT_MOST(stats_now().metadata_bytes, metadata_bytes + 2 * MIB);
    if (!resident_is_distorted()) REQUIRE_AT_MOST(resident_bytes(), base + 2 * MIB);
    stats_require_all_returned();
}

static void test_thousands_of_short_threads(void **state) {
    (void)state;
    run_story(short_threads);
}

/* ---- Destructors of other thread-specific data ---- */

static pthread_key_t early_key, late_key; /* made before and after hakmem's own */

typedef struct Tail {
    unsigned calls_left; /* the destructor asks to be called again as often as this */
    char *block;
} Tail;

static void destroy_with(pthread_key_t key, Tail *tail) {
    REQUIRE(pattern_holds(tail->block, 500, 3));
    hak_free(tail->block);
    tail->block = hak_realloc(hak_malloc(100), 500);
    pattern_fill(tail->block, 500, 3);
    hak_free(hak_malloc(100000));
    hak_free(hak_malloc(20000));
    hak_thread_flush();
    if (tail->calls_left-- > 0) {
        REQUIRE_EQUAL(pthread_setspecific(key, tail), 0);
        return;
    }
    hak_free(tail->block);
    hak_free(tail);
}

static void destroy_early(void *tail) { destroy_with(early_key, tail); }
static void destroy_late(void *tail) { destroy_with(late_key, tail); }

static Tail *tail_make(unsigned calls_left) {
    Tail *tail = hak_malloc(sizeof *tail);
    *tail = (Tail){calls_left, hak_malloc(500)};
    pattern_fill(tail->block, 500, 3);
    return tail;
}

static void *thread_with_tails(void *calls_left_pointer) {
    unsigned calls_left = *(unsigned *)calls_left_pointer;
    REQUIRE_EQUAL(pthread_setspecific(early_key, tail_make(calls_left)), 0);
    REQUIRE_EQUAL(pthread_setspecific(late_key, tail_make(calls_left)), 0);
    for (unsigned number = 0; number < 1000; number++) hak_free(hak_malloc(number));
    return NULL;
}

static void destructors(void *unused) {
    (void)unused;
    REQUIRE_EQUAL(pthread_key_create(&early_key, destroy_early), 0);
    hak_free(hak_malloc(1)); /* hakmem makes its key */
    REQUIRE_EQUAL(pthread_key_create(&late_key, destroy_late), 0);
    uint64_t metadata_bytes = 0;
    for (unsigned round = 0; round < 300; round++) {
        unsigned calls_left[4] = {0, 1, 2, 3}; /* four calls are all that POSIX promises */
        pthread_t threads[4];
        for (size_t number = 0; number < 4; number++)
            threads[number] = threads_start(thread_with_tails, &calls_left[number]);
        for (size_t number = 0; number < 4; number++) threads_join(threads[number]);
        if (round == 50) metadata_bytes = stats_now().metadata_bytes;
    }
    REQUIRE_AT_MOST(stats_now().metadata_bytes, metadata_bytes); /* every heap went back to the pool */
    stats_require_all_returned();
}

static void test_destructors_that_still_allocate(void **state) {
    (void)state;
    run_story(destructors);
}

/* ---- Exits in any order, of threads whose blocks others hold and whose caches others take ---- */

enum { CROWD = 24 };
static char *_Atomic crowd_blocks[CROWD][200];

static void crowd_member(void *seed, size_t number) {
    Random random = random_start(*(uint64_t *)seed + number);
    for (unsigned round = 0; round < 200; round++)
        for (size_t place = 0; place < 200; place++) {
            size_t of = random_below(&random, CROWD), bytes = 16 + (of + place) % 100 * 8;
            char *block = hak_malloc(bytes);
            pattern_fill(block, bytes, of * 1000 + place);
            char *former = atomic_exchange(&crowd_blocks[of][place], block);
            if (former != NULL) REQUIRE(pattern_holds(former, bytes, of * 1000 + place));
            hak_free(former);
            if (round == 5 * number) return; /* some leave early, the others go on with their blocks */
            if (random_below(&random, 5000) == 0) (void)hak_trim();
        }
}

static void crowd(void *unused) {
    (void)unused;
    uint64_t seed = random_seed();
    for (unsigned round = 0; round < 3; round++) {
        threads_run(CROWD, crowd_member, &seed);
        for (size_t of = 0; of < CROWD; of++)
            for (size_t place = 0; place < 200; place++) hak_free(atomic_exchange(&crowd_blocks[of][place], NULL));
        stats_require_all_returned();
    }
}

static void test_exits_in_any_order(void **state) {
    (void)state;
    run_story(crowd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_larson),
        cmocka_unit_test(test_ring_of_queues),
        cmocka_unit_test(test_thousands_of_short_threads),
        cmocka_unit_test(test_destructors_that_still_allocate),
        cmocka_unit_test(test_exits_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
