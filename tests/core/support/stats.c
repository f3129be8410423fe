/*
 * support/stats.c - reads stats, counters and options, failing the test where a call fails.
 */
#include "support/stats.h"

#include <stdio.h>
#include <string.h>

#include "support/require.h"
#include "support/resident.h"

hak_stats_t stats_now(void) {
    hak_stats_t stats = HAK_STATS_INIT;
    REQUIRE_EQUAL(hak_stats_get(&stats), 0);
    return stats;
}

hak_heap_stats_t stats_of_heap(const hak_heap_t *heap) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    REQUIRE_EQUAL(hak_heap_stats_get(heap, &stats), 0);
    return stats;
}

/* Both views of one moment: the helper thread may flush caches or give memory back between two calls. */
static size_t read_both(hak_stats_t *stats, hak_class_stats_t *rows) {
    enum { TRIES_MAX = 1000 };
    size_t count = 0;
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        *stats = stats_now();
        count = hak_stats_classes(rows, STATS_CLASSES_MAX);
        hak_stats_t again = stats_now();
        if (memcmp(stats, &again, sizeof again) == 0) break;
        REQUIRE_EQUAL(again.live_bytes, stats->live_bytes);
        REQUIRE_EQUAL(again.live_blocks, stats->live_blocks);
    }
    REQUIRE_AT_MOST(count, STATS_CLASSES_MAX);
    return count;
}

hak_stats_t stats_checked(void) {
    static hak_class_stats_t rows[STATS_CLASSES_MAX];
    hak_stats_t stats;
    size_t count = read_both(&stats, rows);
    REQUIRE_EQUAL(stats.struct_bytes, sizeof stats);
    REQUIRE_EQUAL(stats.version, HAK_STATS_VERSION);
    REQUIRE_EQUAL(stats.mapped_bytes, stats.live_bytes + stats.cached_bytes + stats.pinned_bytes +
                                          stats.free_resident_bytes + stats.unbacked_bytes);
    /* pinned_bytes may be defined as the rest: a sum that does not add up would wrap around here. */
    REQUIRE_AT_MOST(stats.pinned_bytes, stats.mapped_bytes);
    REQUIRE_EQUAL(stats.superslabs_born - stats.superslabs_died, stats.superslabs_active);
    REQUIRE_AT_LEAST(stats.mapped_bytes, (stats.superslabs_active + stats.superslabs_spare) << 21);
    uint64_t live_bytes = 0, cached_bytes = 0, free_bytes = 0, slabs = 0;
    for (size_t index = 0; index < count; index++) {
        uint64_t block_bytes = rows[index].block_bytes;
        if (index > 0) REQUIRE_OP(block_bytes, >, rows[index - 1].block_bytes);
        live_bytes += rows[index].live * block_bytes;
        cached_bytes += rows[index].cached * block_bytes;
        free_bytes += rows[index].free * block_bytes;
        slabs += rows[index].slabs;
        REQUIRE_AT_MOST((rows[index].live + rows[index].cached + rows[index].free) * block_bytes,
                        rows[index].slabs << 16);
    }
    REQUIRE_EQUAL(live_bytes + stats.large_bytes, stats.live_bytes);
    REQUIRE_EQUAL(cached_bytes, stats.cached_bytes);
    REQUIRE_AT_MOST(free_bytes, stats.pinned_bytes + stats.free_resident_bytes + stats.unbacked_bytes);
    REQUIRE_AT_MOST(slabs << 16, stats.superslabs_active << 21);
    return stats;
}

void stats_require_all_returned(void) {
    enum { TRIES_MAX = 400 };
    REQUIRE_EQUAL(hak_check(), 0);
    hak_stats_t stats = stats_checked();
    REQUIRE_EQUAL(stats.live_blocks, 0);
    REQUIRE_EQUAL(stats.live_bytes, 0);
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        (void)hak_trim();
        if (stats_now().mapped_bytes == 0) break;
        resident_sleep_ms(5);
    }
    stats = stats_checked();
    REQUIRE_EQUAL(stats.mapped_bytes, 0);
    REQUIRE_EQUAL(stats.superslabs_spare, 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

bool stats_are_of_guarded_blocks(void) {
    char value[64];
    REQUIRE_EQUAL(hak_option_get("debug", value, sizeof value), 0);
    return strcmp(value, "2") == 0;
}

uint64_t stats_counter(const char *name) {
    uint64_t value = 0;
    for (size_t index = 0;; index++) {
        const char *found = hak_stats_counter(index, &value);
        REQUIRE(found != NULL);
        if (strcmp(found, name) == 0) return value;
    }
}

void stats_option_set(const char *name, const char *value) {
    char message[256] = "";
    int error = hak_option_set(name, value, message, sizeof message);
    if (error != 0) fprintf(stderr, "option %s=%s: %s\n", name, value, message);
    REQUIRE_EQUAL(error, 0);
}

void stats_counters_on(void) { stats_option_set("counters", "1"); }
