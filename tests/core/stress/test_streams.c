/*
 * stress/test_streams.c - the fuzzer's operations in real threads and a real process: streams at the same time, each
 * with a reference of its own. The fuzzer's machine runs one thread at a time.
 *
 *   HAK_TEST_SEED=n     repeats a run, as far as threads do; the seed of each is printed
 *   HAK_TEST_SCALE=n    n times as many rounds
 */
#include <stdio.h>
#include <string.h>

#include "support/operations.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { THREADS = 3, ROUNDS = 60, RECORDS = 400 };

static Reference references[THREADS];
static uint8_t streams[THREADS][RECORDS * RECORD_BYTES];

static void run_stream(void *unused, size_t number) {
    Actor actor = {&references[number], NULL};
    (void)unused;
    operations_run_stream(&actor, streams[number], RECORDS);
}

static void free_all_of(size_t number) {
    Actor actor = {&references[number], NULL};
    operations_free_all(&actor);
}

static void test_streams_at_once(void **state) {
    const Reference *all[THREADS];
    Random random = random_start(random_seed());
    (void)state;
    sizes_learn(resident_os_page_bytes());
    operations_hook(3 << 2); /* the second entry is not served */
    for (size_t number = 0; number < THREADS; number++) {
        references[number].next_key = (uint64_t)number << 32;
        all[number] = &references[number];
    }
    for (size_t round = 0; round < ROUNDS * suite_scale(); round++) {
        operations_set_hook_mode((unsigned)round);
        for (size_t number = 0; number < THREADS; number++) {
            reference_reset(&references[number]);
            for (size_t place = 0; place < sizeof streams[number]; place++)
                streams[number][place] = (uint8_t)random_next(&random);
        }
        threads_run(THREADS, run_stream, NULL);
        while (hak_quiesce_end() == 0) {}
        reference_check_stats(all, THREADS);
        for (size_t number = 0; number < THREADS; number++) free_all_of(number); /* by another thread than made them */
        operations_reset_options();
        stats_require_all_returned();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
