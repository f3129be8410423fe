/*
 * Two threads free the same block at the same moment: one line is printed, nothing else happens.
 */
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "support/child.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { ROUNDS = 3000 };

static const size_t sizes[] = {48, 30000, 100000, 3000000};

typedef struct Race {
    void *_Atomic block;
    _Atomic unsigned round, frees_done;
} Race;

static void free_in_each_round(void *context, size_t number) {
    Race *race = context;
    for (size_t size = 0, round = 1; size < sizeof sizes / sizeof *sizes; size++)
        for (unsigned count = 0; count < ROUNDS; count++, round++) {
            if (number == 0) {
                atomic_store(&race->block, hak_malloc(sizes[size]));
                atomic_store(&race->frees_done, 0);
                atomic_store(&race->round, (unsigned)round);
            }
            while (atomic_load(&race->round) < round) sched_yield();
            hak_free(atomic_load(&race->block));
            atomic_fetch_add(&race->frees_done, 1);
            while (number == 0 && atomic_load(&race->frees_done) < 2) sched_yield();
        }
}

static void race_in_child(void *context) {
    (void)context;
    static Race race;
    stats_option_set("on_error", "report");
    if (freopen("/dev/null", "w", stderr) == NULL) _exit(9);
    threads_run(2, free_in_each_round, &race);
    _exit(hak_check() == 0 && stats_now().large_bytes == 0 ? 0 : 1);
}

static void two_threads_free_the_same_block(void **state) {
    (void)state;
    child_must_succeed(race_in_child, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_threads_free_the_same_block)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
