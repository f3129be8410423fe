/*
 * return/test_pauses.c - the thread that frees gives back a little at a time, also when it drops a large heap.
 */
#include <stdio.h>
#include <string.h>

#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { HEAP_BYTES = 256 << 20, BLOCKS_MAX = HEAP_BYTES / 64, HEAPS_MAX = 32, LOOK_BYTES = 4 << 10 };

typedef struct Drop {
    size_t block_bytes;
    unsigned heaps;          /* private ones, which take turns; 0: the thread's own */
    bool is_in_random_order; /* then most OS pages become free at the end */
} Drop;

typedef struct Slot {
    void *block;
    hak_heap_t *heap;
} Slot;

static Slot slots[BLOCKS_MAX];
static hak_heap_t *heaps[HEAPS_MAX];

static hak_heap_t *private_heap(void) {
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = 1;
    hak_heap_t *heap = hak_heap_new(&options);
    REQUIRE(heap != NULL);
    return heap;
}

static void fill(const Drop *drop, size_t count) {
    for (unsigned number = 0; number < drop->heaps; number++) heaps[number] = private_heap();
    for (size_t number = 0; number < count; number++) {
        Slot *slot = &slots[number];
        slot->heap = drop->heaps == 0 ? NULL : heaps[number % drop->heaps];
        slot->block = slot->heap == NULL ? hak_malloc(drop->block_bytes)
                                         : hak_heap_malloc(slot->heap, drop->block_bytes);
        REQUIRE(slot->block != NULL);
        memset(slot->block, 1, drop->block_bytes);
    }
}

static void shuffle(size_t count) {
    Random random = {1};
    for (size_t left = count; left > 1; left--) {
        Slot *other = &slots[random_below(&random, left)], last = slots[left - 1];
        slots[left - 1] = *other;
        *other = last;
    }
}

static void run_drop(void *given) {
    const Drop *drop = given;
    size_t count = HEAP_BYTES / drop->block_bytes;
    stats_option_set("purge_delay_ms", "3600000"); /* the helper thread waits for that long */
    /* At this size of heap as with the defaults in a larger one: a share of it is the bound. */
    stats_option_set("retain_percent", "25");
    stats_option_set("retain_bytes", "0");
    stats_option_set("retain_burst_bytes", "4194304");
    memset(slots, 1, count * sizeof *slots);
    size_t base = resident_bytes();
    fill(drop, count);
    if (drop->is_in_random_order) shuffle(count);
    size_t at_peak = resident_bytes(), before = at_peak, most_at_once = 0;
    uint64_t purged_bytes = stats_now().purged_bytes_total;
    for (size_t number = 0; number < count; number++) {
        if (slots[number].heap == NULL)
            hak_free(slots[number].block);
        else
            hak_heap_free(slots[number].heap, slots[number].block);
        if (number * drop->block_bytes % LOOK_BYTES != 0 || stats_now().purged_bytes_total == purged_bytes) continue;
        purged_bytes = stats_now().purged_bytes_total; /* resident_bytes takes a millisecond */
        size_t now = resident_bytes();
        if (now < before && before - now > most_at_once) most_at_once = before - now;
        before = now;
    }
    size_t left = before - base;
    fprintf(stderr, "%zu MiB at the peak, at most %zu KiB at once, %zu MiB left\n", (at_peak - base) / MIB,
            most_at_once / 1024, left / MIB);
    REQUIRE_AT_LEAST(at_peak - base, HEAP_BYTES);
    REQUIRE_AT_MOST(left, 12 * MIB);
    REQUIRE_AT_MOST(most_at_once, 6 * MIB);
}

static void require_drop(Drop drop) {
    if (drop.is_in_random_order && resident_os_page_bytes() > 4096)
        skip(); /* a flush may empty an OS page by each block */
    resident_run(run_drop, &drop);
}

static void test_order_of_birth(void **state) {
    (void)state;
    require_drop((Drop){16 << 10, 0, false});
}

static void test_random_order(void **state) {
    (void)state;
    require_drop((Drop){64, 0, true});
}

static void test_random_order_of_many_heaps(void **state) {
    (void)state;
    require_drop((Drop){256, HEAPS_MAX, true});
}

/* The bound has no share of them. */
static void test_large_blocks(void **state) {
    (void)state;
    require_drop((Drop){512 << 10, 0, false});
}

/* Blocks of the thread's own heap that are free and within the bound are not, when another heap with most of the
 * bytes goes. */
static void destroy_the_larger_heap(void *unused) {
    (void)unused;
    enum { BYTES = 4096, LARGER = 512 * 256, SMALLER = 24 * 256 };
    hak_heap_t *larger = private_heap();
    for (size_t number = 0; number < LARGER; number++) memset(hak_heap_malloc(larger, BYTES), 1, BYTES);
    for (size_t number = 0; number < SMALLER; number++) memset(slots[number].block = hak_malloc(BYTES), 1, BYTES);
    for (size_t number = 0; number < SMALLER; number++) hak_free(slots[number].block);
    REQUIRE_AT_LEAST(stats_now().free_resident_bytes, 20 * MIB);
    hak_heap_destroy(larger);
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, 16 * MIB);
}

static void test_destroyed_heap(void **state) {
    (void)state;
    resident_run(destroy_the_larger_heap, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_birth),
        cmocka_unit_test(test_random_order),
        cmocka_unit_test(test_random_order_of_many_heaps),
        cmocka_unit_test(test_large_blocks),
        cmocka_unit_test(test_destroyed_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
