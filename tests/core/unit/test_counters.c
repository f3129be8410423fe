/*
 * unit/test_counters.c - the debug counters: each one is made to count, by the stage or way it is named after.
 *
 * Each story is a child process, so that it begins with a heap that knows nothing.
 */
#include <errno.h>
#include <string.h>

#include "heap/heap.h"
#include "support/child.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

static void hold(size_t count, size_t block_bytes, void **blocks) {
    for (size_t number = 0; number < count; number++) REQUIRE((blocks[number] = hak_malloc(block_bytes)) != NULL);
}

static void release(size_t count, void **blocks) {
    for (size_t number = 0; number < count; number++) hak_free(blocks[number]);
}

enum { MANY = 200000 };
static void *blocks[MANY];

/* ---- Refills ---- */

static void story_new_superslab(void *unused) {
    (void)unused;
    stats_counters_on();
    hold(1, 16, blocks);
    REQUIRE_EQUAL(stats_counter("refill_new_superslab"), 1);
    hold(MANY, 64, blocks); /* more than six SuperSlabs */
    REQUIRE_EQUAL(stats_counter("refill_new_superslab"), stats_now().superslabs_born);
    REQUIRE_AT_LEAST(stats_now().superslabs_born, 6);
}

static void story_recycled_slab(void *unused) {
    (void)unused;
    stats_counters_on();
    hold(1, 16, blocks);
    hold(1, 32, blocks); /* another class: another slab of the same SuperSlab */
    REQUIRE_EQUAL(stats_counter("refill_new_superslab"), 1);
    REQUIRE_EQUAL(stats_counter("refill_recycled_slab"), 1);
}

static void story_magazine_and_tls_slab(void *unused) {
    (void)unused;
    stats_counters_on();
    hold(1000, 16, blocks);
    uint64_t refills = stats_counter("refill_tls_slab");
    REQUIRE_AT_LEAST(refills, 5);
    REQUIRE_AT_MOST(refills, 100);
    REQUIRE_EQUAL(stats_counter("refill_new_superslab"), 1);
    uint64_t adopted = stats_counter("refill_adopted_slab"); /* the first blocks came from a slab of the shared heap */
    REQUIRE_AT_MOST(adopted, 1);
    REQUIRE_EQUAL(stats_counter("refill_magazine") + refills + adopted + 1, 1000);
}

/* The TLS slab is full, others of the class have room again. */
static void story_partial_slab(void *unused) {
    (void)unused;
    hold(MANY, 64, blocks);
    for (size_t number = 0; number < MANY / 2; number += 2) hak_free(blocks[number]);
    hak_thread_flush();
    stats_counters_on();
    hold(5000, 64, blocks + MANY - 5000);
    REQUIRE_AT_LEAST(stats_counter("refill_partial_slab"), 1);
    REQUIRE_EQUAL(stats_counter("refill_new_superslab"), 0);
    REQUIRE_EQUAL(stats_counter("refill_recycled_slab"), 0);
}

/* Leaves slabs that are half full. */
static void *hold_and_end(void *unused) {
    (void)unused;
    hold(MANY / 2, 64, blocks);
    for (size_t number = 0; number < MANY / 2; number += 2) hak_free(blocks[number]);
    return NULL;
}

static void story_adopted_slab(void *unused) {
    (void)unused;
    stats_counters_on();
    threads_join(threads_start(hold_and_end, NULL));
    uint64_t adopted = stats_counter("refill_adopted_slab");
    hold(10, 64, blocks + MANY / 2); /* few: from a slab that stays the shared heap's */
    REQUIRE_EQUAL(stats_counter("refill_adopted_slab"), adopted);
    hold(MANY / 8, 64, blocks + MANY / 2 + 10); /* more than an OS page's worth, whatever the OS page */
    REQUIRE_AT_LEAST(stats_counter("refill_adopted_slab"), adopted + 1);
}

static void test_refill_stages(void **state) {
    (void)state;
    child_must_succeed(story_new_superslab, NULL);
    child_must_succeed(story_recycled_slab, NULL);
    child_must_succeed(story_magazine_and_tls_slab, NULL);
    child_must_succeed(story_partial_slab, NULL);
    child_must_succeed(story_adopted_slab, NULL);
}

/* ---- Frees ---- */

static void story_tls_sll(void *unused) {
    (void)unused;
    stats_counters_on();
    hold(101, 16, blocks);
    release(100, blocks);
    REQUIRE_EQUAL(stats_counter("tls_sll"), 100);
    REQUIRE_EQUAL(stats_counter("ss_local"), 0);
    REQUIRE_EQUAL(stats_counter("ss_remote"), 0);
}

static void story_tls_sll_of_the_largest(void *unused) {
    (void)unused;
    stats_counters_on();
    hold(2, SLAB_CLASS_BYTES_MAX, blocks);
    release(1, blocks);
    REQUIRE_EQUAL(stats_counter("tls_sll"), 1);
    REQUIRE_EQUAL(stats_counter("ss_local"), 0);
}

static void story_ss_local(void *unused) {
    (void)unused;
    stats_counters_on();
    hold(6000, 16, blocks); /* the first ones, an OS page's worth, come from the shared heap */
    release(1000, blocks + 5000);
    uint64_t returned = stats_counter("ss_local");
    REQUIRE_AT_LEAST(returned, 1000 - size_classes[size_class_of(16, ALIGN_C)].magazine_blocks);
    REQUIRE_EQUAL(stats_counter("tls_sll") + returned, 1000);
    REQUIRE_EQUAL(stats_counter("ss_remote"), 0);
}

static void *release_of_another(void *unused) {
    (void)unused;
    release(1000, blocks);
    return NULL;
}

static void story_ss_remote(void *unused) {
    (void)unused;
    stats_counters_on();
    hold(1001, 16, blocks);
    threads_join(threads_start(release_of_another, NULL));
    REQUIRE_EQUAL(stats_counter("ss_remote"), 1000); /* its end flushed the rest */
    REQUIRE_EQUAL(stats_counter("ss_local"), 0);
}

static void test_ways_of_a_free(void **state) {
    (void)state;
    child_must_succeed(story_tls_sll, NULL);
    child_must_succeed(story_tls_sll_of_the_largest, NULL);
    child_must_succeed(story_ss_local, NULL);
    child_must_succeed(story_ss_remote, NULL);
}

/* ---- Early returns ---- */

static void story_early_returns(void *unused) {
    (void)unused;
    stats_counters_on();
    REQUIRE_EQUAL(stats_counter("early_return_zero_size"), 0);
    hak_free(hak_malloc(0));
    REQUIRE_AT_LEAST(stats_counter("early_return_zero_size"), 1);

    volatile size_t too_large = SIZE_MAX;
    REQUIRE(hak_malloc(too_large) == NULL);
    REQUIRE_EQUAL(stats_counter("early_return_too_large"), 1);
    REQUIRE(hak_malloc(too_large / 2) == NULL); /* PTRDIFF_MAX: allowed, but nobody has it */
    REQUIRE_EQUAL(stats_counter("early_return_too_large"), 1);
    REQUIRE_EQUAL(stats_counter("early_return_out_of_memory"), 1);

    hak_free(NULL);
    hak_free(NULL);
    REQUIRE_EQUAL(stats_counter("early_return_null_free"), 2);

    void *block = hak_malloc(100);
    REQUIRE(hak_realloc(block, 101) == block);
    REQUIRE_EQUAL(stats_counter("early_return_realloc_in_place"), 1);
    hak_free(block);
}

static void story_foreign_free(void *unused) {
    (void)unused;
    stats_counters_on();
    char foreign[32];
    hak_free(hak_malloc(1));
    REQUIRE_EQUAL(hak_free_if_owned(foreign), 0);
    REQUIRE_EQUAL(stats_counter("early_return_foreign_free"), 1);
    REQUIRE_EQUAL(stats_counter("early_return_null_free"), 0);
}

static void story_out_of_memory(void *unused) {
    (void)unused;
    stats_counters_on();
    hak_free(hak_malloc(16));
    (void)hak_trim();
    uint64_t served = stats_now().served_requests;
    os_fault_at(1);
    errno = 0;
    REQUIRE(hak_malloc(64) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    os_fault_at(0);
    REQUIRE_EQUAL(stats_counter("early_return_out_of_memory"), 1);
    REQUIRE_EQUAL(stats_now().served_requests, served);
    hak_free(hak_malloc(64));
}

/* A thread at full speed finds its magazines closed, with blocks in them, while another trims. */
static _Atomic bool is_over;

static void *hurry(void *unused) {
    (void)unused;
    void *own[50];
    while (!atomic_load(&is_over)) {
        hold(50, 16, own);
        release(49, own);
        hak_free(own[49]);
    }
    return NULL;
}

static void story_magazine_closed(void *unused) {
    enum { SECONDS_MAX = 60 };
    (void)unused;
    stats_counters_on();
    void *keeper = hak_malloc(16);
    pthread_t thread = threads_start(hurry, NULL);
    uint64_t end_ms = os_now_ms() + SECONDS_MAX * 1000; /* on a busy machine the two seldom run side by side */
    while (stats_counter("early_return_magazine_closed") == 0 && os_now_ms() < end_ms) (void)hak_trim();
    atomic_store(&is_over, true);
    threads_join(thread);
    REQUIRE_AT_LEAST(stats_counter("early_return_magazine_closed"), 1);
    hak_free(keeper);
}

static void test_early_returns(void **state) {
    (void)state;
    child_must_succeed(story_early_returns, NULL);
    child_must_succeed(story_foreign_free, NULL);
    child_must_succeed(story_out_of_memory, NULL);
}

static void test_magazine_closed(void **state) {
    (void)state;
    if (!os_barrier_in_all_threads()) skip(); /* no membarrier: nothing is ever reclaimed */
    child_must_succeed(story_magazine_closed, NULL);
}

/* ---- The interface ---- */

static void story_interface(void *unused) {
    (void)unused;
    uint64_t value = 7;
    for (size_t index = 0; index < HEAP_COUNTER_COUNT; index++) {
        const char *name = hak_stats_counter(index, NULL);
        REQUIRE(name != NULL && name[0] != '\0');
        for (size_t other = 0; other < index; other++) REQUIRE(strcmp(name, hak_stats_counter(other, NULL)) != 0);
    }
    REQUIRE(hak_stats_counter(HEAP_COUNTER_COUNT, &value) == NULL);
    REQUIRE(hak_stats_counter(SIZE_MAX, &value) == NULL);
    hold(1000, 16, blocks);
    release(1000, blocks);
    for (size_t index = 0; index < HEAP_COUNTER_COUNT; index++) {
        (void)hak_stats_counter(index, &value);
        REQUIRE_EQUAL(value, 0); /* the option is off */
    }
}

static void test_interface(void **state) {
    (void)state;
    child_must_succeed(story_interface, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refill_stages), cmocka_unit_test(test_ways_of_a_free),
        cmocka_unit_test(test_early_returns), cmocka_unit_test(test_magazine_closed),
        cmocka_unit_test(test_interface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
