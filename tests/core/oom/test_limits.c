/*
 * oom/test_limits.c - a real limit of the address space (RLIMIT_AS): allocation of every kind ends in NULL with ENOMEM,
 * the process goes on, and after memory was freed it is served again. And the number of mappings stays flat.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { SLOTS = 2000000 };
static void *blocks[SLOTS];

static void limit_to(size_t more_bytes) {
    hak_free(hak_malloc(1));
    struct rlimit limit;
    REQUIRE_EQUAL(getrlimit(RLIMIT_AS, &limit), 0);
    char text[64];
    FILE *file = fopen("/proc/self/statm", "r");
    REQUIRE(file != NULL && fgets(text, sizeof text, file) != NULL);
    fclose(file);
    limit.rlim_cur = strtoull(text, NULL, 10) * 4096 + more_bytes;
    REQUIRE_EQUAL(setrlimit(RLIMIT_AS, &limit), 0);
}

static size_t allocate_until_null(size_t bytes) {
    size_t count = 0;
    while (count < SLOTS) {
        errno = 0;
        blocks[count] = hak_malloc(bytes);
        if (blocks[count] == NULL) break;
        *(char *)blocks[count++] = 1;
    }
    REQUIRE_OP(count, <, SLOTS);
    REQUIRE_EQUAL(errno, ENOMEM);
    return count;
}

static void fill_and_recover(void *bytes_pointer) {
    size_t bytes = *(size_t *)bytes_pointer;
    limit_to(100 * MIB);
    size_t first_count = 0;
    for (unsigned round = 0; round < 3; round++) {
        size_t count = allocate_until_null(bytes);
        if (round == 0) first_count = count;
        REQUIRE_AT_LEAST(count * bytes, 60 * MIB);
        REQUIRE_AT_LEAST(count + count / 10 + 1, first_count); /* a round loses nothing to the next */
        REQUIRE(hak_realloc(blocks[0], 200 * MIB) == NULL);
        REQUIRE(hak_calloc(1, 200 * MIB) == NULL);
        REQUIRE(hak_aligned_alloc(1 << 20, 200 * MIB) == NULL);
        for (size_t number = 0; number < count; number++) hak_free(blocks[number]);
        REQUIRE_EQUAL(hak_check(), 0);
        REQUIRE_EQUAL(stats_checked().live_blocks, 0);
        void *other = hak_malloc(bytes / 2 + 1);
        REQUIRE(other != NULL);
        hak_free(other);
    }
}

static void test_every_kind_of_block(void **state) {
    (void)state;
    if (resident_is_distorted()) skip(); /* shadow memory lies in the address space too */
    static const size_t sizes[] = {64, 1024, 20000, 50000, 1 << 20, 5 << 20};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        size_t bytes = sizes[index];
        child_must_succeed(fill_and_recover, &bytes);
    }
}

/* What is free but still mapped is given back before a request is refused. */
static void use_what_the_caches_hold(void *unused) {
    (void)unused;
    limit_to(40 * MIB);
    void *mappings[3];
    for (size_t number = 0; number < 3; number++) memset(mappings[number] = hak_malloc(5 * MIB), 1, 5 * MIB);
    for (size_t number = 0; number < 3; number++) hak_free(mappings[number]);
    size_t count = allocate_until_null(64);
    REQUIRE_AT_LEAST(count * 64, 30 * MIB);
    for (size_t number = 0; number < count; number++) hak_free(blocks[number]);
    void *large = hak_malloc(30 * MIB);
    REQUIRE(large != NULL);
    hak_free(large);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_use_what_the_caches_hold(void **state) {
    (void)state;
    resident_run(use_what_the_caches_hold, NULL);
}

enum { PARKED = 4, PARKED_SIZES = 40, PARKED_BLOCKS = 60 };
static Story story = STORY_START;
static _Atomic unsigned parked_count;

static void *cache_and_park(void *unused) {
    void *cached[PARKED_BLOCKS];
    for (size_t size = 64; size < 64 + 16 * PARKED_SIZES; size += 16) {
        for (size_t number = 0; number < PARKED_BLOCKS; number++) REQUIRE((cached[number] = hak_malloc(size)) != NULL);
        for (size_t number = 1; number < PARKED_BLOCKS; number++) hak_free(cached[number]);
    }
    atomic_fetch_add(&parked_count, 1);
    story_await(&story, 1);
    return unused;
}

/* No request fails while threads that do nothing have blocks cached. */
static void use_what_parked_threads_hold(void *unused) {
    (void)unused;
    stats_option_set("retain_bytes", "1000000000"); /* so that nothing but the limit takes the caches */
    pthread_t threads[PARKED];
    for (size_t number = 0; number < PARKED; number++) threads[number] = threads_start(cache_and_park, NULL);
    while (atomic_load(&parked_count) < PARKED) resident_sleep_ms(1);
    REQUIRE_AT_LEAST(stats_now().cached_bytes, 100000);
    limit_to(20 * MIB);
    size_t count = allocate_until_null(1000);
    REQUIRE_AT_MOST(stats_now().cached_bytes, 1000);
    for (size_t number = 0; number < count; number++) hak_free(blocks[number]);
    story_reach(&story, 1);
    for (size_t number = 0; number < PARKED; number++) threads_join(threads[number]);
}

static void test_use_what_parked_threads_hold(void **state) {
    (void)state;
    resident_run(use_what_parked_threads_hold, NULL);
}

/* With one size class holding everything, another one is served after a part was freed: empty slabs change class. */
static void change_class_under_the_limit(void *unused) {
    (void)unused;
    limit_to(60 * MIB);
    size_t count = allocate_until_null(64);
    for (size_t number = 0; number < count / 2; number++) hak_free(blocks[number]);
    hak_thread_flush();
    for (size_t number = 0; number < 1000; number++) REQUIRE((blocks[number] = hak_malloc(10000)) != NULL);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_memory_changes_class(void **state) {
    (void)state;
    resident_run(change_class_under_the_limit, NULL);
}

/* The limit leaves no room for the helper's stack: frees give back by themselves, and errno stays. */
static void free_without_helper(void *unused) {
    (void)unused;
    limit_to(40 * MIB);
    size_t count = allocate_until_null(256);
    errno = 4321;
    for (size_t number = 0; number < count; number++) hak_free(blocks[number]);
    REQUIRE_EQUAL(errno, 4321);
    resident_sleep_ms(600);
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, 5 * MIB);
}

static void test_frees_without_room_for_the_helper(void **state) {
    (void)state;
    resident_run(free_without_helper, NULL);
}

/* vm.max_map_count is 65530 by default: purges and large blocks must not cost mappings. */
static void many_mappings(void *unused) {
    (void)unused;
    size_t before = resident_mapping_count();
    for (size_t number = 0; number < 400000; number++) blocks[number] = hak_malloc(300);
    for (size_t number = 0; number < 400000; number++)
        if (number % 100 != 0) hak_free(blocks[number]);
    (void)hak_trim();
    for (size_t number = 400000; number < 410000; number++) blocks[number] = hak_malloc(40000);
    for (size_t number = 400000; number < 410000; number += 2) hak_free(blocks[number]);
    (void)hak_trim();
    size_t superslabs = (size_t)(stats_now().mapped_bytes >> 21);
    REQUIRE_AT_MOST(resident_mapping_count(), before + superslabs + superslabs / 8 + 20);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_mappings_stay_flat(void **state) {
    (void)state;
    if (resident_is_distorted()) skip(); /* ThreadSanitizer's shadow is cut into mappings, too */
    child_must_succeed(many_mappings, NULL);
}

/* A thread that the OS refused to start is tried again; what is free goes at once until then. */
static void refused_helper(void *unused) {
    (void)unused;
    enum { COUNT = 4000, BLOCK_BYTES = 4096, REFUSED_MS = 1100 };
    for (unsigned round = 0; round < 2; round++) {
        for (size_t number = 0; number < COUNT; number++)
            memset(blocks[number] = hak_malloc(BLOCK_BYTES), 1, BLOCK_BYTES);
        if (round == 0) limit_to(0);
        stats_option_set("retain_bytes", "0");
        stats_option_set("retain_percent", "0");
        for (size_t number = 1; number < COUNT; number++) hak_free(blocks[number]);
        REQUIRE_EQUAL(resident_thread_count(), round + 1);
        if (round == 0) {
            REQUIRE_AT_MOST(stats_now().free_resident_bytes, MIB);
            struct rlimit limit;
            REQUIRE_EQUAL(getrlimit(RLIMIT_AS, &limit), 0);
            limit.rlim_cur = limit.rlim_max;
            REQUIRE_EQUAL(setrlimit(RLIMIT_AS, &limit), 0);
            resident_sleep_ms(REFUSED_MS);
        }
    }
}

static void test_refused_helper(void **state) {
    (void)state;
    resident_run(refused_helper, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_block),
        cmocka_unit_test(test_use_what_the_caches_hold),
        cmocka_unit_test(test_use_what_parked_threads_hold),
        cmocka_unit_test(test_memory_changes_class),
        cmocka_unit_test(test_frees_without_room_for_the_helper),
        cmocka_unit_test(test_refused_helper),
        cmocka_unit_test(test_mappings_stay_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
