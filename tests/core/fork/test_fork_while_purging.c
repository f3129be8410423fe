/*
 * Forks while other threads are in the middle of giving memory back: the child, which has none of them, can give back
 * all that is free, and its invariants hold.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { WORKERS = 2, SLOTS = 2000, FORKS = 60, CHILD_SECONDS_MAX = 60, TRIMS_MAX = 1000 };

static _Atomic bool is_over;
static pthread_barrier_t started;

static void *allocate_and_trim(void *context) {
    Random random = random_start((uint64_t)(uintptr_t)context);
    static _Thread_local char *slot[SLOTS];
    (void)pthread_barrier_wait(&started);
    while (!atomic_load(&is_over)) {
        for (size_t number = 0; number < SLOTS; number++) {
            size_t which = random_below(&random, SLOTS), bytes = random_below(&random, which % 50 == 0 ? 300000 : 3000);
            hak_free(slot[which]);
            slot[which] = hak_malloc(bytes);
            REQUIRE(slot[which] != NULL);
            memset(slot[which], 1, bytes);
        }
        (void)hak_trim();
    }
    for (size_t number = 0; number < SLOTS; number++) hak_free(slot[number]);
    return NULL;
}

static void live_in_child(void) {
    alarm(CHILD_SECONDS_MAX);
    REQUIRE_EQUAL(hak_check(), 0);
    for (size_t bytes = 1; bytes < 200000; bytes += 500) {
        char *block = hak_malloc(bytes);
        REQUIRE(block != NULL);
        block[0] = 1;
        hak_free(block);
    }
    /* The child's helper may have some in its hands, and may return it after the look that found nothing. */
    uint64_t free_bytes;
    for (unsigned tries = 0; (free_bytes = stats_now().free_resident_bytes) != 0 && tries < TRIMS_MAX; tries++) {
        (void)hak_trim();
        resident_sleep_ms(1);
    }
    REQUIRE_EQUAL(free_bytes, 0);
    REQUIRE_EQUAL(hak_check(), 0);
    _exit(0);
}

static void children_can_give_everything_back(void **state) {
    (void)state;
    stats_option_set("retain_bytes", "0");
    stats_option_set("retain_percent", "0");
    stats_option_set("retain_burst_bytes", "65536");
    stats_option_set("retain_burst_percent", "0");
    stats_option_set("purge_delay_ms", "5");
    REQUIRE_EQUAL(pthread_barrier_init(&started, NULL, WORKERS + 1), 0);
    pthread_t worker[WORKERS];
    uint64_t seed = random_seed();
    for (size_t number = 0; number < WORKERS; number++)
        worker[number] = threads_start(allocate_and_trim, (void *)(uintptr_t)(seed + number));
    /* AddressSanitizer holds a lock of its own while a thread starts, and does not release it in a child. */
    (void)pthread_barrier_wait(&started);
    for (size_t number = 0; number < FORKS * suite_scale(); number++) {
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) live_in_child();
        int status;
        REQUIRE_EQUAL(waitpid(child, &status, 0), child);
        REQUIRE_EQUAL(status, 0);
        resident_sleep_ms(2 + (unsigned)(number % 5));
    }
    atomic_store(&is_over, true);
    for (size_t number = 0; number < WORKERS; number++) threads_join(worker[number]);
    REQUIRE_EQUAL(pthread_barrier_destroy(&started), 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(children_can_give_everything_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
