/*
 * stress/test_hammer.c - trim, check, stats, flush and option changes from some threads while others allocate, free
 * and pass blocks on at full speed. Attacks the reclaiming of caches (cache/reclaim.c): a thread is found outside the
 * allocator, its magazines are taken, and it comes back in that very moment. Every block carries its pattern, so a
 * block that is handed out twice, or purged while it lives, shows.
 *
 *   HAK_TEST_SCALE=n   n times as long
 */
#include <stdio.h>
#include <time.h>

#include "support/child.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { WORKERS_MAX = 8, OWN_SLOTS = 2000, EXCHANGE_SLOTS = 512 };

typedef struct Parcel {
    size_t bytes;
    uint64_t key;
} Parcel;

typedef struct Hammer {
    uint64_t seed;
    size_t workers;
    size_t size_max;
    unsigned burst;   /* operations between two naps; 0: none */
    bool is_checking; /* hak_check too, which stops slow paths */
    _Atomic bool is_over;
    Parcel *_Atomic exchange[EXCHANGE_SLOTS];
} Hammer;

static Parcel *parcel_make(Random *random, size_t size_max) {
    size_t bytes = sizeof(Parcel) + random_below(random, random_below(random, 50) == 0 ? size_max : 200);
    Parcel *parcel = hak_malloc(bytes);
    REQUIRE(parcel != NULL);
    *parcel = (Parcel){bytes, random_next(random)};
    pattern_fill(parcel + 1, bytes - sizeof *parcel, parcel->key);
    return parcel;
}

static void parcel_end(Parcel *parcel) {
    if (parcel == NULL) return;
    REQUIRE(pattern_holds(parcel + 1, parcel->bytes - sizeof *parcel, parcel->key));
    parcel->key = ~parcel->key; /* a second owner would see this */
    hak_free(parcel);
}

static void work(Hammer *hammer, Random *random) {
    Parcel **own = calloc(OWN_SLOTS, sizeof *own);
    REQUIRE(own != NULL);
    for (size_t operation = 1; !atomic_load_explicit(&hammer->is_over, memory_order_relaxed); operation++) {
        size_t slot = random_below(random, OWN_SLOTS), choice = random_below(random, 100);
        if (choice < 10) { /* pass one on; what another left comes back */
            own[slot] = atomic_exchange(&hammer->exchange[slot % EXCHANGE_SLOTS], own[slot]);
        } else if (own[slot] != NULL && choice < 90) {
            parcel_end(own[slot]);
            own[slot] = NULL;
        } else {
            parcel_end(own[slot]);
            own[slot] = parcel_make(random, hammer->size_max);
        }
        if (choice == 99 && random_below(random, 200) == 0) /* drop nearly all: SuperSlabs die */
            for (slot = 0; slot < OWN_SLOTS - 3; slot++) {
                parcel_end(own[slot]);
                own[slot] = NULL;
            }
        if (hammer->burst != 0 && operation % hammer->burst == 0) resident_sleep_ms(1);
    }
    for (size_t slot = 0; slot < OWN_SLOTS; slot++) parcel_end(own[slot]);
    free(own);
}

/* One thread that looks and gives back; `seed` decides in which order. */
static void look(Hammer *hammer, Random *random) {
    while (!atomic_load_explicit(&hammer->is_over, memory_order_relaxed)) {
        switch (random_below(random, hammer->is_checking ? 6 : 5)) {
        case 0: (void)hak_trim(); break;
        case 1: hak_thread_flush(); break;
        case 2: (void)stats_now(); break;
        case 3: {
            hak_class_stats_t rows[STATS_CLASSES_MAX];
            (void)hak_stats_classes(rows, STATS_CLASSES_MAX);
            break;
        }
        case 4: stats_option_set("purge_delay_ms", random_below(random, 2) == 0 ? "0" : "4"); break;
        default: REQUIRE_EQUAL(hak_check(), 0); break;
        }
        for (unsigned number = 0; number < 20; number++) hak_free(hak_malloc(random_below(random, 300)));
    }
}

static void run_one(void *context, size_t number) {
    Hammer *hammer = context;
    Random random = random_start(hammer->seed + number);
    if (number < hammer->workers) {
        work(hammer, &random);
    } else if (number + 1 < hammer->workers + 3) {
        look(hammer, &random);
    } else {
        resident_sleep_ms((unsigned)(1500 * suite_scale()));
        atomic_store(&hammer->is_over, true);
    }
}

static void hammer_here(void *context) {
    Hammer *hammer = context;
    threads_run(hammer->workers + 3, run_one, hammer); /* two that look, one with the clock */
    for (size_t slot = 0; slot < EXCHANGE_SLOTS; slot++) parcel_end(atomic_load(&hammer->exchange[slot]));
    stats_require_all_returned();
}

static void hammer(size_t workers, size_t size_max, unsigned burst, bool is_checking) {
    static Hammer hammers[8];
    static size_t used;
    Hammer *one = &hammers[used++];
    *one = (Hammer){
        .seed = random_seed(), .workers = workers, .size_max = size_max, .burst = burst, .is_checking = is_checking};
    ChildResult result = child_run(hammer_here, one);
    child_require_success(&result);
    assert_string_equal(result.errors, "");
}

static void test_small_blocks_full_speed(void **state) {
    (void)state;
    hammer(2, 1000, 0, false);
}

static void test_small_blocks_with_checks(void **state) {
    (void)state;
    hammer(3, 1000, 0, true);
}

static void test_many_threads_that_nap(void **state) {
    (void)state;
    hammer(WORKERS_MAX, 8000, 3, true);
}

static void test_mid_and_large_blocks(void **state) {
    (void)state;
    hammer(3, 3 * MIB, 0, false);
}

static void test_mid_and_large_blocks_with_checks(void **state) {
    (void)state;
    hammer(3, 3 * MIB, 50, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_blocks_full_speed),
        cmocka_unit_test(test_small_blocks_with_checks),
        cmocka_unit_test(test_many_threads_that_nap),
        cmocka_unit_test(test_mid_and_large_blocks),
        cmocka_unit_test(test_mid_and_large_blocks_with_checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
