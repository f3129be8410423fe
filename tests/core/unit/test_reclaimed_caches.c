/*
 * unit/test_reclaimed_caches.c - what threads that are idle have cached: it is taken also where the first try had to
 * leave it, and when much of it becomes free at once, it is not for one free of another thread to give it back.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/magazine.h"
#include "cache/reclaim.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { THREADS_MAX = 200, SIZES = 40, CACHED_BLOCKS = 60 };

static Story story = STORY_START;
static _Atomic unsigned caching_count;
static Heap *_Atomic heap_of_caching;

static void *cache_and_wait(void *unused) {
    void *blocks[CACHED_BLOCKS];
    size_t first = resident_os_page_bytes() < 65536 ? 1
                                                    : 0; /* so that slabs stay, but not where they are one OS page */
    for (size_t size = 64; size < 64 + 16 * SIZES; size += 16) {
        for (size_t number = 0; number < CACHED_BLOCKS; number++) memset(blocks[number] = hak_malloc(size), 1, size);
        for (size_t number = first; number < CACHED_BLOCKS; number++) hak_free(blocks[number]);
    }
    atomic_store(&heap_of_caching, heap_of_thread);
    atomic_fetch_add(&caching_count, 1);
    story_await(&story, 1);
    return unused;
}

static bool is_reclaimed_in_purge;

uint64_t __real_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);
uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);
bool __real_hak_core_os_unmap(void *address, size_t bytes);
bool __wrap_hak_core_os_unmap(void *address, size_t bytes);

/* As the helper might in that moment. */
static void reclaim_in_purge(void) {
    if (is_reclaimed_in_purge) reclaim_others(false);
    is_reclaimed_in_purge = false;
}

uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count) {
    reclaim_in_purge();
    return __real_hak_core_os_purge_ranges(ranges, count);
}

bool __wrap_hak_core_os_unmap(void *address, size_t bytes) {
    reclaim_in_purge();
    return __real_hak_core_os_unmap(address, bytes);
}

/* With so many live blocks that no sum over running threads is 0 by chance: who sees that takes all caches. */
static void start_caching(pthread_t *threads, unsigned count) {
    enum { LIVE_BLOCKS = 2 * THREADS_MAX * CACHED_BLOCKS };
    for (size_t number = 0; number < LIVE_BLOCKS; number++) REQUIRE(hak_malloc(1) != NULL);
    for (unsigned number = 0; number < count; number++) threads[number] = threads_start(cache_and_wait, NULL);
    while (atomic_load(&caching_count) < count) resident_sleep_ms(1);
}

/* As a reclaimer leaves a heap whose owner is inside. */
static void close_heap(Heap *heap) {
    lock_acquire(&heap->lock);
    heap->cache.is_closed = true;
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) magazine_close(heap, index);
    lock_release(&heap->lock);
}

static void closed_before(void *unused) {
    (void)unused;
    pthread_t thread;
    start_caching(&thread, 1);
    REQUIRE_AT_LEAST(stats_now().cached_bytes, 100000);
    close_heap(atomic_load(&heap_of_caching));
    (void)hak_trim();
    REQUIRE_AT_MOST(stats_now().cached_bytes, 1000);
    story_reach(&story, 1);
    threads_join(thread);
}

static void many_at_once(void *when) {
    static pthread_t threads[THREADS_MAX];
    enum { BLOCK_BYTES = 20000, BLOCKS = 600 };
    static void *blocks[BLOCKS];
    stats_option_set("purge_delay_ms", "3600000"); /* the helper runs, and does nothing for so long */
    stats_option_set("retain_burst_bytes", "4194304");
    stats_option_set("retain_burst_percent", "0");
    stats_option_set("retain_bytes", "0");
    stats_option_set("retain_percent", "0");
    start_caching(threads, THREADS_MAX);
    for (size_t number = 0; number < BLOCKS; number++) memset(blocks[number] = hak_malloc(BLOCK_BYTES), 1, BLOCK_BYTES);
    is_reclaimed_in_purge = *(const bool *)when;
    if (!is_reclaimed_in_purge) {
        reclaim_others(false); /* as the helper does it, whose next look would give back what is above the bound */
        REQUIRE_AT_LEAST(stats_now().free_resident_bytes, 30 * MIB);
    }
    uint64_t most_bytes = 0, before_bytes = stats_now().purged_bytes_total;
    for (size_t number = 0; number < BLOCKS; number++) {
        hak_free(blocks[number]);
        uint64_t now_bytes = stats_now().purged_bytes_total;
        if (now_bytes - before_bytes > most_bytes) most_bytes = now_bytes - before_bytes;
        before_bytes = now_bytes;
    }
    REQUIRE(!is_reclaimed_in_purge);
    REQUIRE_AT_MOST(most_bytes, 4 * MIB);
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, 5 * MIB);
    story_reach(&story, 1);
    for (unsigned number = 0; number < THREADS_MAX; number++) threads_join(threads[number]);
}

/* The helper, which a fork stops, would have taken them; the process makes no request any more. */
static void before_a_fork(void *unused) {
    (void)unused;
    static pthread_t threads[THREADS_MAX];
    stats_option_set("purge_delay_ms", "60000");
    start_caching(threads, THREADS_MAX);
    REQUIRE_AT_LEAST(stats_now().cached_bytes, 20 * MIB);
    pid_t child = fork();
    REQUIRE(child >= 0);
    REQUIRE_AT_MOST(stats_now().cached_bytes + stats_now().free_resident_bytes, 8 * MIB);
    if (child == 0) _exit(0);
    int status;
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
    story_reach(&story, 1);
    for (unsigned number = 0; number < THREADS_MAX; number++) threads_join(threads[number]);
}

static void test_closed_before(void **state) {
    (void)state;
    child_must_succeed(closed_before, NULL);
}

static void test_many_at_once(void **state) {
    (void)state;
    static bool is_in_a_purge[] = {false, true};
    child_must_succeed(many_at_once, &is_in_a_purge[0]);
    child_must_succeed(many_at_once, &is_in_a_purge[1]);
}

static void test_before_a_fork(void **state) {
    (void)state;
    child_must_succeed(before_a_fork, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_before),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_before_a_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
