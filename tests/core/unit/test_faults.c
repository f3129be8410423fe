/*
 * unit/test_faults.c - every OS call that can fail is made to fail: the first, the second, the third ... until a
 * scenario passes undisturbed. Each failure is NULL with ENOMEM or is absorbed; then hak_check finds nothing, the
 * stats add up, nothing live is left, and allocation works again.
 *
 * It lies in unit, not in oom, because os_fault_at is internal. A fault of its own process each, so that the start-up
 * is reached too.
 */
#include <errno.h>
#include <string.h>

#include "platform/os.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { SLOTS = 3000 };

typedef struct Held {
    void *address;
    size_t bytes;
} Held;

static Held held[SLOTS];
static size_t failures;

static bool hold(size_t slot, void *address, size_t bytes) {
    if (address == NULL) {
        REQUIRE_EQUAL(errno, ENOMEM);
        failures++;
        return false;
    }
    held[slot] = (Held){address, bytes};
    pattern_fill(address, bytes, slot);
    return true;
}

static void drop(size_t slot) {
    if (held[slot].address == NULL) return;
    REQUIRE(pattern_holds(held[slot].address, held[slot].bytes, slot));
    int before = errno;
    hak_free(held[slot].address);
    REQUIRE_EQUAL(errno, before); /* whatever failed below, a free tells nobody */
    held[slot].address = NULL;
}

static void resize(size_t slot, size_t bytes) {
    if (held[slot].address == NULL) return;
    void *moved = hak_realloc(held[slot].address, bytes);
    if (bytes <= held[slot].bytes) REQUIRE(moved != NULL); /* shrinking never fails */
    if (moved == NULL) {
        failures++;
        REQUIRE_EQUAL(errno, ENOMEM);
        REQUIRE(pattern_holds(held[slot].address, held[slot].bytes, slot));
        return;
    }
    REQUIRE(pattern_holds_prefix(moved, bytes, held[slot].bytes, slot));
    held[slot] = (Held){moved, bytes};
    pattern_fill(moved, bytes, slot);
}

/* ---- Scenarios ---- */

static void all_sizes(void) {
    for (size_t slot = 0; slot < 1000; slot++) hold(slot, hak_malloc(slot * 33), slot * 33);
    for (size_t slot = 0; slot < 1000; slot += 2) drop(slot);
    for (size_t slot = 0; slot < 1000; slot += 2) hold(slot, hak_calloc(1, slot * 8), slot * 8);
    (void)hak_trim();
    for (size_t slot = 0; slot < 1000; slot++) drop(slot);
}

static void large_blocks(void) {
    static const size_t sizes[] = {40000, 65536, 100000, 1 << 20, 1100000, 3 << 20, 9 << 20};
    for (unsigned round = 0; round < 2; round++) {
        for (size_t slot = 0; slot < 7; slot++) hold(slot, hak_malloc(sizes[slot]), sizes[slot]);
        for (size_t slot = 0; slot < 7; slot++) resize(slot, sizes[slot] * 2);
        for (size_t slot = 0; slot < 7; slot++) resize(slot, sizes[slot] / 3);
        for (size_t slot = 0; slot < 7; slot += 2) drop(slot);
        for (size_t slot = 0; slot < 7; slot += 2) {
            char *zeroed = hak_calloc(sizes[slot], 1);
            if (zeroed != NULL) REQUIRE(pattern_is_zero(zeroed, sizes[slot]));
            hold(slot, zeroed, sizes[slot]);
        }
        hold(8, hak_aligned_alloc(1 << 20, 5000), 5000);
        hold(9, hak_aligned_alloc(4096, 5000), 5000);
        for (size_t slot = 0; slot < 10; slot++) drop(slot);
        if (round == 0) (void)hak_trim();
    }
}

static void *in_thread(void *number_pointer) {
    size_t first = *(size_t *)number_pointer * 500;
    for (size_t slot = first; slot < first + 500; slot++)
        if (hold(slot, hak_malloc(slot), slot) && slot % 3 == 0) drop(slot);
    return NULL;
}

static void threads_one_after_another(void) {
    for (size_t number = 0; number < 4; number++) threads_join(threads_start(in_thread, &number));
    for (size_t slot = 0; slot < 2000; slot++) drop(slot);
}

static void purges(void) {
    stats_option_set("retain_bytes", "0");
    stats_option_set("purge_delay_ms", "0");
    for (unsigned round = 0; round < 2; round++) {
        for (size_t slot = 0; slot < SLOTS; slot++) hold(slot, hak_malloc(1000), 1000);
        for (size_t slot = 0; slot < SLOTS; slot++)
            if (slot % 50 != 0) drop(slot);
        hak_thread_flush();
        (void)hak_trim();
        for (size_t slot = 1; slot < SLOTS; slot += 7)
            if (held[slot].address == NULL) {
                char *zeroed = hak_calloc(1, 1000);
                if (zeroed != NULL) REQUIRE(pattern_is_zero(zeroed, 1000)); /* also where the purge was refused */
                hold(slot, zeroed, 1000);
            }
        for (size_t slot = 0; slot < SLOTS; slot++) drop(slot);
    }
}

static void realloc_keeps(void) {
    for (size_t slot = 0; slot < 20; slot++) hold(slot, hak_malloc(100), 100);
    for (size_t bytes = 200; bytes < 6 * MIB; bytes *= 3)
        for (size_t slot = 0; slot < 20; slot += 5) resize(slot, bytes);
    for (size_t bytes = 5 * MIB; bytes > 10; bytes /= 4)
        for (size_t slot = 0; slot < 20; slot += 5) resize(slot, bytes);
    for (size_t slot = 0; slot < 20; slot++) drop(slot);
}

/* ---- The n-th call fails ---- */

typedef struct Attempt {
    void (*scenario)(void);
    uint64_t nth_call;
} Attempt;

enum { EXIT_DISTURBED = 10, EXIT_UNDISTURBED = 11 };

static void attempt(void *context) {
    const Attempt *one = context;
    failures = 0;
    os_fault_at(one->nth_call);
    one->scenario();
    uint64_t calls = os_fault_calls();
    os_fault_at(0);
    REQUIRE_EQUAL(hak_check(), 0);
    hak_stats_t stats = stats_checked();
    REQUIRE_EQUAL(stats.live_blocks, 0);
    REQUIRE_EQUAL(stats.live_bytes, 0);
    one->scenario(); /* and now it works */
    REQUIRE(calls >= one->nth_call || failures == 0);
    (void)hak_trim();
    REQUIRE_EQUAL(hak_check(), 0);
    REQUIRE_EQUAL(stats_checked().mapped_bytes, 0);
    exit(calls < one->nth_call ? EXIT_UNDISTURBED : EXIT_DISTURBED);
}

static void fail_one_call_after_another(void (*scenario)(void)) {
    enum { CALLS_MAX = 3000, STRIDE_FROM = 50 };
    uint64_t caught = 0;
    for (uint64_t nth_call = 1;; nth_call += nth_call < STRIDE_FROM ? 1 : nth_call / 20) {
        REQUIRE_OP(nth_call, <, CALLS_MAX);
        Attempt one = {scenario, nth_call};
        ChildResult result = child_run(attempt, &one);
        if (result.exit_code == EXIT_UNDISTURBED) break;
        if (result.exit_code != EXIT_DISTURBED) {
            print_error("with OS call %d failing: signal %d, %s\n", (int)nth_call, result.signal, result.errors);
            REQUIRE_EQUAL(result.exit_code, EXIT_DISTURBED);
        }
        caught++;
    }
    REQUIRE_AT_LEAST(caught, 3);
    print_message("%d faults absorbed or reported\n", (int)caught);
}

static void test_all_sizes(void **state) {
    (void)state;
    fail_one_call_after_another(all_sizes);
}

static void test_large_blocks(void **state) {
    (void)state;
    fail_one_call_after_another(large_blocks);
}

static void test_threads(void **state) {
    (void)state;
    fail_one_call_after_another(threads_one_after_another);
}

static void test_purges(void **state) {
    (void)state;
    fail_one_call_after_another(purges);
}

static void test_realloc_chains(void **state) {
    (void)state;
    fail_one_call_after_another(realloc_keeps);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_sizes), cmocka_unit_test(test_large_blocks),   cmocka_unit_test(test_threads),
        cmocka_unit_test(test_purges),    cmocka_unit_test(test_realloc_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
