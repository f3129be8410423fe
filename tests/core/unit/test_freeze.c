/*
 * unit/test_freeze.c - a fork in a signal handler that interrupts a freeze before anything is held freezes by itself;
 * what is done while all is held takes no more heaps than before.
 */
#include "heap/heap_all.h"
#include "lifecycle/freeze.h"
#include "support/child.h"
#include "support/suite.h"

static unsigned stops; /* of the helper: each freeze begins with one */
static bool is_interrupted;

static void live_in_child(void *unused) {
    (void)unused;
    hak_free(hak_malloc(1));
    REQUIRE_EQUAL(hak_check(), 0);
}

/* As a handler would. */
static void fork_and_wait(void) { child_must_succeed(live_in_child, NULL); }

void __real_hak_core_helper_stop(void);
void __wrap_hak_core_helper_stop(void);

void __wrap_hak_core_helper_stop(void) {
    stops++;
    bool is_first = is_interrupted;
    is_interrupted = false;
    if (is_first) fork_and_wait();
    __real_hak_core_helper_stop();
}

static void test_fork_before_all_is_held(void **state) {
    (void)state;
    hak_free(hak_malloc(1));
    stops = 0;
    is_interrupted = true;
    REQUIRE_EQUAL(hak_check(), 0);
    REQUIRE(!is_interrupted);
    REQUIRE_EQUAL(stops, 2); /* that of the check, and that of the fork */
    REQUIRE_EQUAL(hak_check(), 0);
    fork_and_wait();
}

static void make_and_destroy_heap(void) {
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = 1;
    hak_heap_t *heap = hak_heap_new(&options);
    REQUIRE(heap != NULL);
    REQUIRE(hak_heap_malloc(heap, 100) != NULL);
    hak_heap_destroy(heap);
}

static void test_heaps_of_a_hook(void **state) {
    (void)state;
    enum { HEAPS = 10 };
    make_and_destroy_heap(); /* it waits in the pool */
    uint32_t heaps = LOAD_RELAXED(heap_count);
    for (unsigned number = 0; number < HEAPS; number++) {
        core_freeze();
        make_and_destroy_heap();
        core_thaw();
    }
    REQUIRE_AT_MOST(LOAD_RELAXED(heap_count), heaps);
    REQUIRE_EQUAL(hak_check(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork_before_all_is_held),
        cmocka_unit_test(test_heaps_of_a_hook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
