/*
 * unit/test_periodic_check.c - with `debug` at 2 the core checks itself now and then: damage is named within some
 * thousand requests, and ends the process unless errors are only to be reported. Not in a thread that makes the helper,
 * for whose end a check waits.
 *
 * In unit because it damages the core's own structures and wakes the helper. The level is read at the start, so each
 * case is this program started anew.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "heap/heap.h"
#include "retention/helper.h"
#include "superslab/registry.h"
#include "support/child.h"
#include "support/suite.h"

enum { REQUESTS = 5000 };

static void make_requests(void) {
    for (size_t number = 0; number < REQUESTS; number++) hak_free(hak_malloc(40));
}

/* ---- Damage ---- */

static int damage_and_go_on(void) {
    void *block = hak_malloc(1000);
    SuperSlab *superslab = ptr_to_superslab(block);
    if (hak_check() != 0) return 1;
    superslab->slab[(uintptr_t)block / SLAB_BYTES % SLABS_PER_SUPERSLAB].used_blocks++; /* I1 */
    make_requests();
    return 0;
}

static ChildResult started(const char *debug, const char *on_error) {
    const char *const environment[] = {debug, on_error, NULL};
    return child_run_self("damage", environment);
}

static void test_damage_is_named(void **state) {
    (void)state;
    ChildResult result = started("HAKMEM_DEBUG=2", NULL);
    REQUIRE_EQUAL(result.signal, SIGABRT);
    REQUIRE(strstr(result.errors, "hakmem: error: corruption: invariant I1 broken at 0x") != NULL);
    result = started("HAKMEM_DEBUG=2", "HAKMEM_ON_ERROR=report");
    REQUIRE_EQUAL(result.signal, 0);
    REQUIRE_EQUAL(result.exit_code, 0);
    REQUIRE(strstr(result.errors, "hakmem: error: corruption: invariant I1 broken at 0x") != NULL);
}

static void test_lower_levels_do_not_look(void **state) {
    (void)state;
    ChildResult result = started("HAKMEM_DEBUG=1", NULL);
    REQUIRE_EQUAL(result.exit_code, 0);
    assert_string_equal(result.errors, "");
}

/* ---- The helper is being made ---- */

static unsigned threads_made;

/* Where hakmem is the C library's malloc, this asks it for memory. Some thousand times, so that checks are due. */
typedef void *(*ThreadMain)(void *context);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, ThreadMain run, void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, ThreadMain run, void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, ThreadMain run, void *context) {
    make_requests();
    threads_made++;
    return __real_pthread_create(thread, attributes, run, context);
}

static int wake_helper(void) {
    enum { SECONDS_MAX = 60 };
    alarm(SECONDS_MAX); /* instead of waiting for ever */
    hak_free(hak_malloc(40));
    return helper_wake() && threads_made == 1 && hak_check() == 0 ? 0 : 1;
}

static void test_helper_is_made_unchecked(void **state) {
    (void)state;
    const char *const environment[] = {"HAKMEM_DEBUG=2", NULL};
    ChildResult result = child_run_self("helper", environment);
    child_require_success(&result);
}

int main(int count, char **arguments) {
    if (count > 1) return strcmp(arguments[1], "helper") == 0 ? wake_helper() : damage_and_go_on();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage_is_named),
        cmocka_unit_test(test_lower_levels_do_not_look),
        cmocka_unit_test(test_helper_is_made_unchecked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
