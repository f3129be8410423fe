/*
 * death/test_cancelled_thread.c - no function of hakmem's is a cancellation point, least of all with a lock held: a
 * thread that is to be cancelled gets through the report of a double free, and others go on.
 */
#include <pthread.h>
#include <string.h>

#include "support/child.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

static _Atomic bool is_through;

static void *free_twice_while_cancelled(void *unused) {
    void *live = hak_malloc(100), *block = hak_malloc(100); /* so that the slab stays */
    REQUIRE(live != NULL);
    hak_free(block);
    hak_thread_flush();
    REQUIRE_EQUAL(pthread_cancel(pthread_self()), 0);
    hak_free(block);
    hak_thread_flush();
    atomic_store(&is_through, true);
    pthread_testcancel();
    return unused;
}

static void report_in_a_cancelled_thread(void *unused) {
    (void)unused;
    stats_option_set("on_error", "report");
    void *live = hak_malloc(100);
    pthread_t thread = threads_start(free_twice_while_cancelled, NULL);
    void *result;
    REQUIRE_EQUAL(pthread_join(thread, &result), 0);
    REQUIRE(result == PTHREAD_CANCELED);
    REQUIRE(atomic_load(&is_through));
    hak_free(live);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_report_in_a_cancelled_thread(void **state) {
    (void)state;
    ChildResult result = child_run(report_in_a_cancelled_thread, NULL);
    child_require_success(&result);
    REQUIRE(strstr(result.errors, "double free") != NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_report_in_a_cancelled_thread)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
