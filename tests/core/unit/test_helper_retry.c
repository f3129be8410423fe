/*
 * unit/test_helper_retry.c - a helper that ended because the kernel refuses what is left is started again after half a
 * minute, and one that the OS refused a thread after a second; not before, and not while a program wants no threads.
 * One that has nothing to give back because all that is free is in use again and again goes on.
 *
 * In unit because the link wraps the clock, the start of the helper, and the calls that give OS pages back.
 */
#include <errno.h>
#include <string.h>

#include "platform/os.h"
#include "support/await.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "unit/refused_purges.h"

/* ---- The machine ---- */

static _Atomic uint64_t passed_ms;
static _Atomic bool clock_runs; /* by itself, too; else a busy machine would pass the time of a retry */
static _Atomic bool refuses_threads;
static _Atomic unsigned starts; /* one that has given back all ends, and may be started again */

uint64_t __real_hak_core_os_now_ms(void);
uint64_t __wrap_hak_core_os_now_ms(void);
uint64_t __wrap_hak_core_os_now_ms(void) {
    static _Atomic uint64_t stands_at_ms;
    uint64_t unset = 0, now_ms = __real_hak_core_os_now_ms();
    (void)atomic_compare_exchange_strong(&stands_at_ms, &unset, now_ms);
    return passed_ms + (clock_runs ? now_ms : stands_at_ms);
}

int __real_hak_core_os_helper_start(void (*run)(void));
int __wrap_hak_core_os_helper_start(void (*run)(void));
int __wrap_hak_core_os_helper_start(void (*run)(void)) {
    starts++;
    return refuses_threads ? EAGAIN : __real_hak_core_os_helper_start(run);
}

/* ---- Free memory that wants a helper ---- */

enum { BLOCKS = 12000, BLOCK_BYTES = 1000, KEPT_EACH = 200, BROKEN_RETRY_MS = 1000, FUTILE_RETRY_MS = 30000 };
static void *blocks[BLOCKS];

/* The kept ones hold each SuperSlab, which would be unmapped otherwise. */
static void build_and_drop(void) {
    for (size_t number = 0; number < BLOCKS; number++) {
        if (blocks[number] == NULL) REQUIRE((blocks[number] = hak_malloc(BLOCK_BYTES)) != NULL);
        memset(blocks[number], 1, BLOCK_BYTES);
    }
    for (size_t number = 0; number < BLOCKS; number++) {
        if (number % KEPT_EACH == 0) continue;
        hak_free(blocks[number]);
        blocks[number] = NULL;
    }
    hak_thread_flush();
}

static void await_end_of_helper(void) { AWAIT_EQUAL(resident_thread_count(), 1); }

/* After 1 ms OS pages go at the next poll, though the clock stands. */
static void keep_little(void) {
    stats_option_set("retain_bytes", "0");
    stats_option_set("retain_percent", "0");
    stats_option_set("purge_delay_ms", "1");
}

/* ---- The retries ---- */

static void futile_helper(void *unused) {
    (void)unused;
    keep_little();
    refuses_purges = true;
    build_and_drop();
    REQUIRE_AT_LEAST(starts, 1);
    await_end_of_helper();
    unsigned starts_before = starts;
    build_and_drop();
    REQUIRE_EQUAL(starts, starts_before);
    passed_ms = FUTILE_RETRY_MS - 1;
    build_and_drop();
    REQUIRE_EQUAL(starts, starts_before);
    passed_ms = FUTILE_RETRY_MS;
    refuses_purges = false;
    clock_runs = true;
    build_and_drop();
    REQUIRE_AT_LEAST(starts, starts_before + 1);
    await_end_of_helper();
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, MIB);
    REQUIRE_EQUAL(hak_check(), 0);
}

/* A purge stops at the first OS pages that are refused, whatever lies behind them. */
static void futile_helper_of_large_tail(void *unused) {
    (void)unused;
    keep_little();
    refuses_purges = true;
    char *block = hak_malloc(60 * MIB);
    REQUIRE(block != NULL);
    memset(block, 1, 60 * MIB);
    REQUIRE((block = hak_realloc(block, 44 * MIB)) != NULL);
    REQUIRE_AT_LEAST(starts, 1);
    await_end_of_helper();
    REQUIRE_AT_LEAST(stats_now().free_resident_bytes, 15 * MIB);
    hak_free(block);
}

/* It churns for much longer than the polls after which a helper is futile, and rests, as a server does: most polls see
 * the same free bytes. */
static void helper_of_churn(void *unused) {
    enum { CHURN_MS = 2500 };
    (void)unused;
    keep_little();
    stats_option_set("purge_delay_ms", "100");
    stats_option_set("retain_burst_bytes", "1000000000");
    clock_runs = true;
    for (uint64_t since_ms = os_now_ms(); os_now_ms() - since_ms < CHURN_MS;) {
        build_and_drop();
        resident_sleep_ms(10);
    }
    AWAIT_AT_MOST(stats_now().free_resident_bytes, MIB);
    await_end_of_helper();
}

static void broken_helper(void *unused) {
    (void)unused;
    keep_little();
    refuses_threads = true;
    build_and_drop();
    REQUIRE_EQUAL(starts, 1);
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, MIB); /* the thread that freed has given back */
    passed_ms = BROKEN_RETRY_MS / 2;
    build_and_drop();
    REQUIRE_EQUAL(starts, 1);
    passed_ms = 2 * BROKEN_RETRY_MS;
    build_and_drop();
    REQUIRE_EQUAL(starts, 2);
    refuses_threads = false;
    passed_ms = 4 * BROKEN_RETRY_MS;
    build_and_drop();
    REQUIRE_AT_LEAST(starts, 3);
    await_end_of_helper();
    REQUIRE_EQUAL(hak_check(), 0);
}

static void helper_that_is_not_wanted(void *unused) {
    (void)unused;
    keep_little();
    refuses_threads = true;
    build_and_drop();
    unsigned starts_before = starts;
    hak_quiesce_begin();
    passed_ms = 2 * BROKEN_RETRY_MS;
    refuses_threads = false;
    build_and_drop();
    REQUIRE_EQUAL(starts, starts_before);
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, MIB);
    REQUIRE_EQUAL(hak_quiesce_end(), 0);
    build_and_drop();
    REQUIRE_AT_LEAST(starts, starts_before + 1);
    await_end_of_helper();
}

static void test_helper_is_tried_again(void **state) {
    (void)state;
    if (resident_is_distorted()) skip(); /* a sanitizer has threads of its own */
    child_must_succeed(futile_helper, NULL);
    child_must_succeed(futile_helper_of_large_tail, NULL);
    child_must_succeed(helper_of_churn, NULL);
    child_must_succeed(broken_helper, NULL);
    child_must_succeed(helper_that_is_not_wanted, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_helper_is_tried_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
