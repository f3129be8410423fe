/*
 * oom/test_growth_limits.c - how far a block grows by realloc, and how many blocks just above 1 MiB there are, under a
 * limit of the address space (RLIMIT_AS) or of the data (RLIMIT_DATA): as far as with the C library's malloc, in a
 * child with the same limit, but for a few percent.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { LIMIT_MIB = 512 };

typedef struct Allocator {
    void *(*malloc)(size_t bytes);
    void *(*realloc)(void *block, size_t bytes);
    void (*free)(void *block);
} Allocator;

static const Allocator hakmem = {hak_malloc, hak_realloc, hak_free};
static const Allocator c_library = {malloc, realloc, free};

typedef struct Case {
    Allocator allocator;
    int resource;
    size_t first_bytes;
    size_t (*next_bytes)(size_t bytes);
    size_t *reached_bytes; /* shared with the child */
} Case;

static void limit(int resource) {
    struct rlimit limit = {LIMIT_MIB * MIB, LIMIT_MIB * MIB};
    REQUIRE_EQUAL(setrlimit(resource, &limit), 0);
}

/* ---- Growing ---- */

static size_t by_a_mib(size_t bytes) { return bytes + MIB; }
static size_t by_odd_steps(size_t bytes) { return bytes + 300 * 1000; }
static size_t by_an_eighth(size_t bytes) { return bytes + bytes / 8 + 48; } /* as a list of CPython */

/* One byte of each MiB is written, and read at the end. */
static void mark(char *block, size_t from_bytes, size_t to_bytes) {
    for (size_t offset = from_bytes / MIB * MIB; offset < to_bytes; offset += MIB) block[offset] = (char)(offset / MIB);
}

static void require_marked(const char *block, size_t bytes) {
    for (size_t offset = 0; offset < bytes; offset += MIB) REQUIRE_EQUAL(block[offset], (char)(offset / MIB));
}

static void grow(void *context) {
    const Case *one = context;
    limit(one->resource);
    size_t bytes = one->first_bytes;
    char *block = one->allocator.malloc(bytes);
    REQUIRE(block != NULL);
    mark(block, 0, bytes);
    for (;;) {
        size_t next_bytes = one->next_bytes(bytes);
        char *grown = one->allocator.realloc(block, next_bytes);
        if (grown == NULL) break;
        mark(grown, bytes, next_bytes);
        block = grown;
        bytes = next_bytes;
    }
    require_marked(block, bytes);
    *one->reached_bytes = bytes;
    one->allocator.free(block);
    REQUIRE_EQUAL(hak_check(), 0);
    if (one->allocator.malloc == hak_malloc) stats_require_all_returned();
}

/* ---- Many blocks ---- */

static void take_many(void *context) {
    const Case *one = context;
    limit(one->resource);
    size_t blocks = 0;
    while (one->allocator.malloc(one->first_bytes) != NULL) blocks++;
    *one->reached_bytes = blocks * one->first_bytes;
    REQUIRE_EQUAL(hak_check(), 0);
    if (one->allocator.malloc == hak_malloc) REQUIRE_EQUAL(stats_checked().live_blocks, blocks);
}

/* ---- Both allocators ---- */

static size_t reached_bytes(void (*run)(void *), Case one) {
    static size_t *shared;
    if (shared == NULL) shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED);
    one.reached_bytes = shared;
    child_must_succeed(run, &one);
    return *shared;
}

static void require_percent(unsigned percent, void (*run)(void *), Case one) {
    static const int resources[] = {RLIMIT_AS, RLIMIT_DATA};
    for (size_t index = 0; index < sizeof resources / sizeof *resources; index++) {
        one.resource = resources[index];
        one.allocator = c_library;
        size_t wanted_bytes = reached_bytes(run, one) / 100 * percent;
        one.allocator = hakmem;
        REQUIRE_AT_LEAST(reached_bytes(run, one), wanted_bytes);
    }
}

static void test_growing(void **state) {
    (void)state;
    if (resident_is_distorted()) skip(); /* shadow memory lies in the address space, too */
    enum { GROWING_PERCENT = 95 };
    static const size_t first_bytes[] = {1000, MIB, 3 * MIB, LIMIT_MIB * MIB / 3, LIMIT_MIB * MIB * 6 / 10};
    for (size_t index = 0; index < sizeof first_bytes / sizeof *first_bytes; index++)
        require_percent(GROWING_PERCENT, grow, (Case){.first_bytes = first_bytes[index], .next_bytes = by_a_mib});
    require_percent(GROWING_PERCENT, grow, (Case){.first_bytes = MIB, .next_bytes = by_odd_steps});
    require_percent(GROWING_PERCENT, grow, (Case){.first_bytes = MIB, .next_bytes = by_an_eighth});
}

static void test_blocks_just_above_a_step(void **state) {
    (void)state;
    if (resident_is_distorted()) skip();
    enum { STEPS_PERCENT = 85 };
    require_percent(STEPS_PERCENT, take_many, (Case){.first_bytes = MIB + 1});
    require_percent(STEPS_PERCENT, take_many, (Case){.first_bytes = 2 * MIB + 1});
}

/* ---- What others hold is given back first ---- */

static void grow_into_what_is_free(void *unused) {
    (void)unused;
    enum { FREE_MIB = 300, FIRST_MIB = 150, LAST_MIB = 450, SMALL_BYTES = 1000 };
    static void *small[FREE_MIB * MIB / SMALL_BYTES];
    stats_option_set("purge_delay_ms", "1000000"); /* nothing goes by itself */
    stats_option_set("retain_bytes", "1000000000");
    size_t count = sizeof small / sizeof *small;
    for (size_t number = 0; number < count; number++) REQUIRE((small[number] = hak_malloc(SMALL_BYTES)) != NULL);
    limit(RLIMIT_AS);
    char *block = hak_malloc(FIRST_MIB * MIB);
    REQUIRE(block != NULL);
    mark(block, 0, FIRST_MIB * MIB);
    for (size_t number = 0; number < count; number++) hak_free(small[number]);
    REQUIRE((block = hak_realloc(block, LAST_MIB * MIB)) != NULL);
    require_marked(block, FIRST_MIB * MIB);
    hak_free(block);
    stats_require_all_returned();
}

static void test_grow_into_what_is_free(void **state) {
    (void)state;
    resident_run(grow_into_what_is_free, NULL);
}

/* Blocks that have more room than they need give it to a block of another size. */
static void small_blocks_after_many(void *unused) {
    (void)unused;
    enum { SMALL_BYTES = 64, BLOCKS = LIMIT_MIB / 2 - 40, SMALL_MIB = LIMIT_MIB / 4 };
    limit(RLIMIT_AS);
    for (size_t number = 0; number < BLOCKS; number++) REQUIRE(hak_malloc(MIB + 1) != NULL);
    for (size_t bytes = 0; bytes < SMALL_MIB * MIB; bytes += SMALL_BYTES) REQUIRE(hak_malloc(SMALL_BYTES) != NULL);
    REQUIRE_EQUAL(hak_check(), 0);
    (void)stats_checked();
}

static void test_small_blocks_after_many(void **state) {
    (void)state;
    resident_run(small_blocks_after_many, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_blocks_just_above_a_step),
        cmocka_unit_test(test_grow_into_what_is_free),
        cmocka_unit_test(test_small_blocks_after_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
