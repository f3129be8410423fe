/*
 * unit/test_barrier.c - the barrier in all threads, which a reclaim relies on: true only if the kernel made one.
 *
 * In unit because it asks the function itself. In a child, since the kernel refuses until the end of the process.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>

#include "platform/os.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/sandbox.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

/* Any membarrier call but the registration, which the kernel may have granted before a sandbox forbade the rest. */
static void kernel_refuses_barriers(void) {
    sandbox_answer_unless(SYS_membarrier, 0, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, EPERM);
}

static void refused_barrier_is_none(void *is_used_before) {
    if (*(bool *)is_used_before && !os_barrier_in_all_threads()) return; /* this kernel has none */
    kernel_refuses_barriers();
    errno = 123;
    REQUIRE(!os_barrier_in_all_threads());
    REQUIRE_EQUAL(errno, 123);
}

enum { STEP_CACHED = 1, STEP_END };
static Story story = STORY_START;

static void *cache_and_park(void *unused) {
    (void)unused;
    void *kept = hak_malloc(48);
    hak_free(hak_malloc(48));
    story_reach(&story, STEP_CACHED);
    story_await(&story, STEP_END);
    hak_free(kept);
    return NULL;
}

/* What a parked thread has cached stays with it, because nobody may take it without the barrier. */
static void nothing_is_reclaimed_without_it(void *unused) {
    (void)unused;
    pthread_t thread = threads_start(cache_and_park, NULL);
    story_await(&story, STEP_CACHED);
    uint64_t cached_bytes = stats_now().cached_bytes;
    REQUIRE_AT_LEAST(cached_bytes, 48);
    kernel_refuses_barriers();
    (void)hak_trim();
    REQUIRE_AT_LEAST(stats_now().cached_bytes, 48);
    story_reach(&story, STEP_END);
    threads_join(thread);
    stats_require_all_returned();
}

static void test_refused_barrier(void **state) {
    (void)state;
    if (resident_is_distorted()) skip();
    bool is_used_before = false;
    child_must_succeed(refused_barrier_is_none, &is_used_before);
    is_used_before = true;
    child_must_succeed(refused_barrier_is_none, &is_used_before);
    child_must_succeed(nothing_is_reclaimed_without_it, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused_barrier)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
