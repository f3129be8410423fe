/*
 * unit/test_huge_pages.c - which SuperSlabs ask for a huge page, and what a slow first touch changes. What the kernel
 * gave is read from AnonHugePages.
 */
#include "unit/huge_pages.h"

#include <pthread.h>

#include "superslab/huge_pages.h"

/* ---- Who asks ---- */

static void small_then_grown(void *unused) {
    (void)unused;
    begin_with("auto");
    grow_from(0, 15);
    REQUIRE_EQUAL(touches(), 0);
    REQUIRE_EQUAL(huge_bytes_more(), 0);
    grow_from(15, 64);
    /* Not the first 16 MiB, nor the SuperSlab that was born as they were full. */
    REQUIRE_AT_LEAST(touches(), (64 - 16) / 2 - 2);
    REQUIRE_AT_MOST(touches(), (64 - 16) / 2);
    REQUIRE_AT_LEAST(huge_bytes_more(), touches() / 2 * SUPERSLAB_BYTES);
    REQUIRE_AT_MOST(huge_bytes_more(), touches() * SUPERSLAB_BYTES);
    require_survivors_intact(64 * BLOCKS_PER_MIB, 1);
    REQUIRE_EQUAL(hak_check(), 0);
    for (size_t number = 0; number < 64 * BLOCKS_PER_MIB; number++) hak_free(blocks[number]);
    stats_require_all_returned();
    REQUIRE_EQUAL(huge_bytes_more(), 0);
}

static void test_only_beyond_16_mib(void **state) {
    (void)state;
    run(small_then_grown, NULL);
}

static void none_at_never(void *unused) {
    (void)unused;
    begin_with("never");
    grow_from(0, 64);
    REQUIRE_EQUAL(touches(), 0);
    REQUIRE_EQUAL(huge_bytes_more(), 0);
}

static void from_the_first_at_always(void *unused) {
    (void)unused;
    begin_with("always");
    grow_from(0, 8);
    REQUIRE_EQUAL(touches(), 4);
    REQUIRE_AT_LEAST(huge_bytes_more(), SUPERSLAB_BYTES);
}

static void test_never_and_always(void **state) {
    (void)state;
    run(none_at_never, NULL);
    run(from_the_first_at_always, NULL);
}

/* With less than a SuperSlab that may stay resident when it is free. */
static void none_above_the_bound(void *unused) {
    (void)unused;
    begin_with("auto");
    hak_free(hak_malloc(BLOCK_BYTES));
    stats_option_set("retain_bytes", "1048576");
    stats_option_set("retain_percent", "0");
    grow_from(0, 64);
    REQUIRE_EQUAL(touches(), 0);
    REQUIRE_EQUAL(huge_bytes_more(), 0);
}

static void test_none_above_the_bound(void **state) {
    (void)state;
    run(none_above_the_bound, NULL);
}

/* Pages of another size than 4 KiB make huge pages that no SuperSlab fits: none is asked for, whatever they are. */
static void grown_without(void *unused) {
    (void)unused;
    begin_with("always");
    grow_from(0, 32);
    REQUIRE_EQUAL(touches(), 0);
    require_survivors_intact(32 * BLOCKS_PER_MIB, 1);
}

static void test_none_of_another_size(void **state) {
    (void)state;
    size_t page_bytes = resident_os_page_bytes();
    if (page_bytes / sizeof(void *) * page_bytes == SUPERSLAB_BYTES || resident_is_distorted()) skip();
    child_must_succeed(grown_without, NULL);
}

/* ---- A slow first touch ---- */

/* Untouched blocks, until the next SuperSlab has been touched as huge. Returns how many births that took. */
static uint64_t births_until_touch(void) {
    enum { LARGEST_CLASS_BYTES = 32768, BIRTHS_MAX = 1000 };
    uint64_t born = superslab_counts().born;
    for (unsigned before = touches(); touches() == before;) {
        REQUIRE(hak_malloc(LARGEST_CLASS_BYTES) != NULL);
        REQUIRE_AT_MOST(superslab_counts().born - born, BIRTHS_MAX);
    }
    return superslab_counts().born - born;
}

static void slow_touches(void *unused) {
    (void)unused;
    begin_with("auto");
    grow_from(0, 16);
    atomic_store(&touch_us, SLOW_US);
    (void)births_until_touch();
    REQUIRE_AT_MOST(huge_bytes_more(), SUPERSLAB_BYTES);
    REQUIRE_EQUAL(births_until_touch(), 32 + 1);
    REQUIRE_AT_MOST(huge_bytes_more(), 2 * SUPERSLAB_BYTES); /* and the 32 between have none */
    REQUIRE_EQUAL(births_until_touch(), 64 + 1);
    REQUIRE_AT_MOST(huge_bytes_more(), 3 * SUPERSLAB_BYTES);
    atomic_store(&touch_us, SLOW_US - 1);
    REQUIRE_EQUAL(births_until_touch(), 128 + 1);
    REQUIRE_EQUAL(births_until_touch(), 1);
    REQUIRE_EQUAL(births_until_touch(), 1);
    atomic_store(&touch_us, SLOW_US); /* three quick ones: 256, 128, 64, 32 */
    REQUIRE_EQUAL(births_until_touch(), 1);
    REQUIRE_EQUAL(births_until_touch(), 32 + 1);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_slow_touches(void **state) {
    (void)state;
    run(slow_touches, NULL);
}

/* Touches that take so long, and how many births are skipped before each. */
typedef struct Touches {
    unsigned us, count, skipped[9];
} Touches;

/* Without SuperSlabs, for a thousand of them each time would be much. */
static void slower_and_slower(void *touches_pointer) {
    const Touches *touches_of = touches_pointer;
    begin_with("auto");
    hak_free(hak_malloc(1));
    static SuperSlab superslab;
    char *area = mmap(NULL, 2 * SUPERSLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(area != MAP_FAILED);
    superslab.base = round_up_bytes((uintptr_t)area, SUPERSLAB_BYTES);
    atomic_store(&touch_us, touches_of->us);
    REQUIRE(!huge_pages_begin(&superslab)); /* nobody has said that the heap is dense */
    for (unsigned index = 0; index < touches_of->count; index++) {
        for (unsigned birth = 0; birth < touches_of->skipped[index]; birth++) {
            huge_pages_expect_dense(true);
            REQUIRE(!huge_pages_begin(&superslab));
        }
        huge_pages_expect_dense(true);
        REQUIRE(huge_pages_begin(&superslab));
        huge_pages_touch((void *)superslab.base);
        huge_pages_end(&superslab);
        REQUIRE(!huge_pages_begin(&superslab)); /* it was said of one */
    }
}

static void test_slower_and_slower(void **state) {
    (void)state;
    static Touches touches_of[] = {{SLOW_US, 9, {0, 32, 64, 128, 256, 512, 1024, 1024, 1024}},
                                   {4500, 5, {0, 225, 450, 900, 1024}},
                                   {1000000, 3, {0, 1024, 1024}}};
    for (size_t index = 0; index < sizeof touches_of / sizeof *touches_of; index++)
        run(slower_and_slower, &touches_of[index]);
}

/* ---- A thread that is cancelled while it holds the supply's lock would hold it for ever ---- */

static void *grow_cancelled(void *unused) {
    REQUIRE_EQUAL(pthread_cancel(pthread_self()), 0); /* acted upon at the next cancellation point */
    grow_from(0, 64);
    REQUIRE_EQUAL(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL), 0);
    return unused;
}

static void grow_in_a_cancelled_thread(void *unused) {
    (void)unused;
    begin_with("auto");
    pthread_t thread;
    void *result;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, grow_cancelled, blocks), 0);
    REQUIRE_EQUAL(pthread_join(thread, &result), 0);
    REQUIRE(result == (void *)blocks);
    REQUIRE_AT_LEAST(touches(), 1);
}

static void test_cancelled_thread(void **state) {
    (void)state;
    run(grow_in_a_cancelled_thread, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_beyond_16_mib),   cmocka_unit_test(test_never_and_always),
        cmocka_unit_test(test_none_above_the_bound), cmocka_unit_test(test_none_of_another_size),
        cmocka_unit_test(test_slow_touches),         cmocka_unit_test(test_slower_and_slower),
        cmocka_unit_test(test_cancelled_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
