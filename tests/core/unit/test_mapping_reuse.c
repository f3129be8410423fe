/*
 * unit/test_mapping_reuse.c - free mappings that are cut in two, joined to a block that grows, or made longer: what is
 * left of one keeps its age, only pieces of one kernel mapping are joined, and no refused call loses OS pages.
 *
 * In unit because it reads the metadata of mappings.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "platform/lock.h"
#include "platform/os.h"
#include "superslab/mapping.h"
#include "superslab/mapping_reuse.h"
#include "superslab/registry.h"
#include "superslab/supply.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { KEY = 11 };

static char *grow(char *block, size_t bytes, size_t next_bytes) {
    char *grown = hak_realloc(block, next_bytes);
    REQUIRE(grown != NULL);
    REQUIRE(pattern_holds_prefix(grown, bytes - 64, bytes, KEY));
    pattern_fill(grown, next_bytes, KEY);
    REQUIRE_EQUAL(hak_check(), 0);
    (void)stats_checked();
    return grown;
}

/* hak_check gives back what exceeds the idle bound. */
static void keep_all(void) {
    stats_option_set("retain_bytes", "1000000000");
    stats_option_set("purge_delay_ms", "1000000");
    stats_option_set("retain_burst_bytes", "1000000000");
}

/* ---- Cut and joined ---- */

static void rest_keeps_its_age(void *unused) {
    (void)unused;
    keep_all();
    char *whole = pattern_block(14 * MIB, KEY);
    hak_free(whole);
    SuperSlab *rest = ptr_to_superslab(whole);
    REQUIRE(rest->is_free && rest->is_queued);
    rest->queue_since_ms -= 7;
    uint32_t since_ms = rest->queue_since_ms;
    char *front = pattern_block(3 * MIB, KEY);
    REQUIRE(front == whole);
    REQUIRE(ptr_to_superslab(front) != rest);
    REQUIRE_EQUAL(rest->base, (uintptr_t)whole + 4 * MIB);
    REQUIRE(rest->is_queued && rest->queue_since_ms == since_ms);
    front = grow(front, 3 * MIB, 5 * MIB);
    REQUIRE(front == whole);
    REQUIRE_EQUAL(rest->base, (uintptr_t)whole + 6 * MIB);
    REQUIRE(rest->is_queued && rest->queue_since_ms == since_ms);
    REQUIRE_EQUAL(stats_checked().mapped_bytes, 14 * MIB);
    front = grow(front, 5 * MIB, 13 * MIB); /* the last piece goes whole, with what the block does not need yet */
    REQUIRE(front == whole && supply.mapping_queue.oldest == ptr_to_superslab(whole));
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, MIB);
    REQUIRE(!hak_owns(front + 14 * MIB));
    hak_free(front);
    stats_require_all_returned();
}

/* Two blocks of 4 MiB, one directly behind the other, that the kernel mapped one by one. It leaves 2 MiB behind each,
 * into which it grows. NULL: it puts them elsewhere. */
static char *neighbours(char **behind) {
    enum { BLOCKS = 8 };
    static char *block[BLOCKS];
    for (size_t number = 0; number < BLOCKS; number++) block[number] = pattern_block(2 * MIB, KEY);
    for (size_t number = 0; number < BLOCKS; number++) block[number] = grow(block[number], 2 * MIB, 4 * MIB);
    for (size_t number = 0; number < BLOCKS; number++)
        for (size_t other = 0; other < BLOCKS; other++)
            if (block[number] + 4 * MIB == block[other]) {
                *behind = block[other];
                return block[number];
            }
    return NULL;
}

static void others_are_not_joined(void *unused) {
    (void)unused;
    keep_all();
    char *behind = NULL, *block = neighbours(&behind);
    if (block == NULL) return;
    SuperSlab *free_mapping = ptr_to_superslab(behind);
    REQUIRE(free_mapping->origin != ptr_to_superslab(block)->origin);
    hak_free(behind);
    char *grown = grow(block, 4 * MIB, 5 * MIB);
    REQUIRE(grown != block);
    REQUIRE(ptr_to_superslab(behind) == free_mapping && free_mapping->is_free);
    REQUIRE_EQUAL(free_mapping->base, (uintptr_t)behind);
}

/* A bound takes the end: a block that grows still finds the front behind itself. */
static void end_goes_first(void *unused) {
    (void)unused;
    keep_all();
    char *whole = pattern_block(14 * MIB, KEY);
    hak_free(whole);
    char *front = pattern_block(3 * MIB, KEY); /* 4 MiB are its own, 10 MiB free */
    stats_option_set("retain_burst_bytes", "0");
    stats_option_set("retain_bytes", "5000000");
    stats_option_set("purge_delay_ms", "0");
    hak_stats_t stats = stats_checked();
    REQUIRE_EQUAL(ptr_to_superslab(whole + 4 * MIB)->base, (uintptr_t)whole + 4 * MIB);
    REQUIRE(hak_owns(front) && !hak_owns(whole + 12 * MIB));
    REQUIRE_AT_MOST(stats.free_resident_bytes, 5000000);
    REQUIRE_AT_LEAST(stats.free_resident_bytes, 2 * MIB);
    REQUIRE(grow(front, 3 * MIB, 5 * MIB) == whole);
    hak_free(front);
    stats_require_all_returned();
}

/* ---- Found ---- */

/* The last one that was freed is of the length asked for, so no other is looked at: what follows in the queue is no
 * mapping here. For a block that grows, or of another length, all are. */
static void exact_one_ends_the_search(void *unused) {
    (void)unused;
    keep_all();
    char *longer = pattern_block(7 * MIB, KEY), *exact = pattern_block(3 * MIB, KEY);
    hak_free(longer);
    hak_free(exact);
    SuperSlab *newest = supply.mapping_queue.newest, *previous = newest->queue_previous;
    REQUIRE(newest == ptr_to_superslab(exact) && previous == ptr_to_superslab(longer));
    REQUIRE(mapping_find_free(3 * MIB, SUPERSLAB_BYTES, true) == previous);
    REQUIRE(mapping_find_free(3 * MIB + os_page_bytes, SUPERSLAB_BYTES, false) == previous);
    void *guard = mmap(NULL, sizeof(SuperSlab), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(guard != MAP_FAILED);
    lock_acquire(&supply_lock);
    newest->queue_previous = guard;
    SuperSlab *found = mapping_find_free(3 * MIB, SUPERSLAB_BYTES, false);
    newest->queue_previous = previous;
    lock_release(&supply_lock);
    REQUIRE(found == newest);
    stats_require_all_returned();
}

static void test_found(void **state) {
    (void)state;
    child_must_succeed(exact_one_ends_the_search, NULL);
}

static void test_cut_and_joined(void **state) {
    (void)state;
    child_must_succeed(rest_keeps_its_age, NULL);
    child_must_succeed(others_are_not_joined, NULL);
    child_must_succeed(end_goes_first, NULL);
}

/* ---- Refused calls ---- */

/* Each call in its turn, until a request needs fewer. */
static void each_call_is_refused(void *unused) {
    enum { CALLS_MAX = 40 };
    (void)unused;
    keep_all();
    uint64_t call = 0, calls = 0;
    do {
        REQUIRE_OP(++call, <, CALLS_MAX);
        hak_free(pattern_block(3 * MIB, KEY));
        uint64_t free_bytes = stats_checked().free_resident_bytes;
        os_fault_at(call);
        char *block = hak_malloc(9 * MIB);
        calls = os_fault_calls();
        os_fault_at(0);
        REQUIRE_EQUAL(hak_check(), 0);
        hak_stats_t stats = stats_checked();
        if (block == NULL) {
            REQUIRE_EQUAL(stats.free_resident_bytes, free_bytes);
        } else {
            pattern_fill(block, 9 * MIB, KEY);
            REQUIRE(pattern_holds(block, 9 * MIB, KEY));
            hak_free(block);
        }
        stats_require_all_returned();
    } while (calls >= call);
    REQUIRE_OP(call, >, 2);
}

/* Where a mapping is in the queue. */
typedef struct Age {
    SuperSlab *next;
    uint32_t since_ms;
} Age;

static Age make_older(SuperSlab *mapping) { /* and those before it, so that the queue stays in order */
    REQUIRE(mapping->is_queued && mapping->queue_next != NULL);
    for (SuperSlab *each = mapping; each != NULL; each = each->queue_previous) each->queue_since_ms -= 7;
    return (Age){mapping->queue_next, mapping->queue_since_ms};
}

static bool has_age(const SuperSlab *mapping, Age age) {
    return mapping->is_queued && mapping->queue_next == age.next && mapping->queue_since_ms == age.since_ms;
}

/* A free mapping that was not made longer stays as old as it was. */
static bool free_keeps_its_age(uint64_t refused_call) {
    char *older = pattern_block(5 * MIB, KEY), *newer = pattern_block(3 * MIB, KEY);
    hak_free(older);
    hak_free(newer);
    SuperSlab *mapping = ptr_to_superslab(older);
    Age age = make_older(mapping);
    os_fault_at(refused_call);
    char *block = hak_malloc(20 * MIB);
    os_fault_at(0);
    bool is_refused = ptr_to_superslab(older) == mapping && mapping->is_free;
    REQUIRE(!is_refused || has_age(mapping, age));
    REQUIRE_EQUAL(hak_check(), 0);
    hak_free(block);
    return is_refused;
}

/* And the tail of a block that was not moved. */
static bool tail_keeps_its_age(uint64_t refused_call) {
    char *whole = pattern_block(14 * MIB, KEY);
    hak_free(whole);
    char *block = pattern_block(3 * MIB, KEY), *behind = pattern_block(3 * MIB, KEY);
    SuperSlab *mapping = ptr_to_superslab(block);
    REQUIRE(block == whole && behind == whole + 4 * MIB);
    Age age = make_older(mapping);
    bool lacks_room;
    os_fault_at(refused_call);
    SuperSlab *resized = mapping_resize(mapping, 20 * MIB, &lacks_room);
    os_fault_at(0);
    REQUIRE(resized != NULL || has_age(mapping, age));
    REQUIRE_EQUAL(hak_check(), 0);
    hak_free(resized != NULL ? (void *)resized->base : block);
    hak_free(behind);
    return resized == NULL;
}

static void ages_are_kept(void *unused) {
    enum { CALLS = 12 };
    (void)unused;
    keep_all();
    unsigned free_refused = 0, tail_refused = 0;
    for (uint64_t call = 1; call <= CALLS; call++) {
        free_refused += free_keeps_its_age(call);
        stats_require_all_returned();
        tail_refused += tail_keeps_its_age(call);
        stats_require_all_returned();
    }
    REQUIRE_OP(free_refused, >, 0);
    REQUIRE_OP(tail_refused, >, 0);
}

/* No mapping is made longer for a block with more alignment than it has by itself, because it may have to move: not
 * even one that begins where the block may begin. */
static void aligned_is_not_extended(void *unused) {
    (void)unused;
    keep_all();
    char *first = hak_aligned_alloc(32 * MIB, 3 * MIB);
    REQUIRE(first != NULL && (uintptr_t)first % (32 * MIB) == 0);
    hak_free(first);
    char *block = hak_aligned_alloc(32 * MIB, 9 * MIB);
    REQUIRE(block != NULL && (uintptr_t)block % (32 * MIB) == 0);
    pattern_fill(block, 9 * MIB, KEY);
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, 3 * MIB);
    REQUIRE_EQUAL(hak_check(), 0);
    hak_free(block);
    stats_require_all_returned();
}

/* A long mapping without OS pages is left alone: a short block would keep its addresses. */
static void addresses_alone_are_not_taken(void *unused) {
    (void)unused;
    keep_all();
    char *block = pattern_block(40 * MIB, KEY);
    REQUIRE(hak_realloc(block, 3 * MIB / 2) == block);
    hak_free(block);
    char *other = pattern_block(3 * MIB / 2, KEY);
    REQUIRE(other != block);
    hak_free(other);
    stats_require_all_returned();
}

static void test_refused(void **state) {
    (void)state;
    child_must_succeed(each_call_is_refused, NULL);
    child_must_succeed(ages_are_kept, NULL);
    child_must_succeed(aligned_is_not_extended, NULL);
    child_must_succeed(addresses_alone_are_not_taken, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_cut_and_joined),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
