/*
 * unit/test_stats.c - stats: every sum exact at many points, pinned bytes recomputed from the bitmaps, class rows,
 * requests, older and newer callers' structs.
 */
#include <errno.h>
#include <string.h>

#include "slab/slab.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

/* What pinned_bytes says, from the metadata: used OS pages of slabs, less the used blocks in them. */
static void add_pinned(SuperSlab *superslab, void *context) {
    uint64_t *pinned_bytes = context;
    for (unsigned index = 0; index < SLABS_PER_SUPERSLAB; index++) {
        Slab *slab = &superslab->slab[index];
        Heap *owner = LOAD_RELAXED(slab->owner);
        if (owner == NULL || owner == RUN_OWNER) continue;
        OsPageSet used_pages = (OsPageSet)(os_page_set_all() & ~slab_free_pages_from_bits(slab));
        *pinned_bytes += (uint64_t)os_page_set_bytes(used_pages);
        *pinned_bytes -= (uint64_t)slab->used_blocks * size_classes[slab->class_index].block_bytes;
    }
}

static void require_exact(uint64_t live_blocks, uint64_t live_bytes) {
    hak_stats_t stats = stats_checked();
    uint64_t pinned_bytes = 0;
    (void)superslab_walk(add_pinned, &pinned_bytes);
    REQUIRE_EQUAL(stats.pinned_bytes, pinned_bytes);
    REQUIRE_EQUAL(stats.live_blocks, live_blocks);
    REQUIRE_EQUAL(stats.live_bytes, live_bytes);
}

static void test_sums_at_many_points(void **state) {
    (void)state;
    enum { SLOTS = 3000, STEPS = 6000 };
    static void *blocks[SLOTS];
    Random random = random_start(random_seed());
    uint64_t live_blocks = 0, live_bytes = 0;
    stats_option_set("retain_bytes", "1000000000000"); /* no helper, which flushes caches between two looks */
    for (unsigned step = 0; step < STEPS; step++) {
        size_t slot = random_below(&random, SLOTS);
        if (blocks[slot] != NULL) {
            live_blocks--;
            live_bytes -= hak_usable_size(blocks[slot]);
            hak_free(blocks[slot]);
            blocks[slot] = NULL;
        } else {
            blocks[slot] = hak_malloc(random_size(&random, 8 * MIB));
            live_blocks++;
            live_bytes += hak_usable_size(blocks[slot]);
        }
        if (step % 1000 == 500) (void)hak_trim();
        if (step % 300 == 100) hak_thread_flush();
        if (step % 20 == 0) require_exact(live_blocks, live_bytes);
    }
    for (size_t slot = 0; slot < SLOTS; slot++) hak_free(blocks[slot]);
    require_exact(0, 0);
    (void)hak_trim();
    require_exact(0, 0);
    hak_stats_t stats = stats_checked();
    REQUIRE_EQUAL(stats.mapped_bytes, 0);
    REQUIRE_EQUAL(stats.superslabs_spare, 0);
    REQUIRE_EQUAL(stats.free_resident_bytes, 0);
}

static void test_requests_are_counted(void **state) {
    (void)state;
    uint64_t before = stats_now().served_requests;
    void *blocks[5] = {hak_malloc(8), hak_calloc(2, 3), hak_malloc(100000), hak_malloc(3000000), hak_malloc(20000)};
    REQUIRE_EQUAL(stats_now().served_requests - before, 5);
    blocks[0] = hak_realloc(blocks[0], 7); /* stays */
    REQUIRE_EQUAL(stats_now().served_requests - before, 5);
    blocks[0] = hak_realloc(blocks[0], 200); /* moves */
    REQUIRE_EQUAL(stats_now().served_requests - before, 6);
    for (size_t number = 0; number < 5; number++) hak_free(blocks[number]);
    REQUIRE_EQUAL(stats_now().served_requests - before, 6);
}

static void test_what_bindings_note(void **state) {
    (void)state;
    hak_stats_t before = stats_now();
    hak_stats_passed(100);
    hak_stats_passed(23);
    hak_stats_served(1000);
    hak_stats_t after = stats_now();
    REQUIRE_EQUAL(after.passed_requests - before.passed_requests, 2);
    REQUIRE_EQUAL(after.passed_bytes - before.passed_bytes, 123);
    REQUIRE_EQUAL(after.served_bytes - before.served_bytes, 1000);
}

static void test_class_rows(void **state) {
    (void)state;
    static hak_class_stats_t rows[STATS_CLASSES_MAX];
    size_t count = hak_stats_classes(rows, STATS_CLASSES_MAX);
    REQUIRE_EQUAL(hak_stats_classes(NULL, 0), count);
    memset(rows, 0xEE, sizeof rows);
    REQUIRE_EQUAL(hak_stats_classes(rows, 2), count);
    REQUIRE_EQUAL(rows[0].block_bytes, 8);
    REQUIRE_EQUAL(rows[1].block_bytes, 16);
    REQUIRE_EQUAL(rows[2].block_bytes, 0xEEEEEEEEEEEEEEEEu);
    (void)hak_stats_classes(rows, STATS_CLASSES_MAX);
    REQUIRE_EQUAL(rows[count - 1].block_bytes, 32768);
    for (size_t index = 8; index < count; index++) { /* DESIGN: the steps of the Mid Pool */
        uint64_t step = rows[index].block_bytes - rows[index - 1].block_bytes, smaller = rows[index - 1].block_bytes;
        REQUIRE_AT_MOST(step * 1000, smaller * 125);
        if (smaller >= 512 && smaller < 4096) REQUIRE_AT_MOST(step * 10000, smaller * 625);
    }
    for (size_t index = 0; index < count; index++) {
        void *block = hak_malloc_align8((size_t)rows[index].block_bytes);
        REQUIRE_EQUAL(hak_usable_size(block), rows[index].block_bytes);
        hak_class_stats_t now[STATS_CLASSES_MAX];
        (void)hak_stats_classes(now, STATS_CLASSES_MAX);
        REQUIRE_EQUAL(now[index].live, 1);
        REQUIRE_AT_LEAST(now[index].slabs, 1);
        hak_free(block);
    }
}

/* ---- Structs of other sizes ---- */

static void test_older_struct(void **state) {
    (void)state;
    void *block = hak_malloc(100);
    for (uint32_t bytes = 8; bytes <= sizeof(hak_stats_t); bytes += 8) {
        union {
            hak_stats_t stats;
            unsigned char bytes[sizeof(hak_stats_t) + 64];
        } area;
        memset(&area, 0xEE, sizeof area);
        area.stats.struct_bytes = bytes;
        REQUIRE_EQUAL(hak_stats_get(&area.stats), 0);
        REQUIRE_EQUAL(area.stats.struct_bytes, bytes);
        REQUIRE_EQUAL(area.stats.version, HAK_STATS_VERSION);
        if (bytes >= 24) REQUIRE_EQUAL(area.stats.live_blocks, 1);
        for (size_t place = bytes; place < sizeof area; place++) REQUIRE_EQUAL(area.bytes[place], 0xEE);
    }
    hak_free(block);
}

static void test_newer_struct(void **state) {
    (void)state;
    struct {
        hak_stats_t stats;
        uint64_t added_later;
    } newer;
    memset(&newer, 0xEE, sizeof newer);
    newer.stats.struct_bytes = sizeof newer;
    REQUIRE_EQUAL(hak_stats_get(&newer.stats), 0);
    REQUIRE_EQUAL(newer.stats.struct_bytes, sizeof(hak_stats_t)); /* so that the caller knows what was filled */
    REQUIRE_EQUAL(newer.added_later, 0xEEEEEEEEEEEEEEEEu);
}

static void test_bad_structs(void **state) {
    (void)state;
    hak_stats_t stats = {0};
    REQUIRE_EQUAL(hak_stats_get(NULL), EINVAL);
    for (uint32_t bytes = 0; bytes < 8; bytes++) {
        stats.struct_bytes = bytes;
        REQUIRE_EQUAL(hak_stats_get(&stats), EINVAL);
    }
}

/* What a private heap has cached is cached, not live: in the sums and in the row of its class. */
static void test_caches_of_private_heaps(void **state) {
    (void)state;
    enum { BLOCKS = 8, BLOCK_BYTES = 1000 };
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = 1;
    hak_heap_t *heap = hak_heap_new(&options);
    REQUIRE(heap != NULL);
    hak_stats_t before = stats_checked();
    void *blocks[BLOCKS];
    for (size_t number = 0; number < BLOCKS; number++)
        REQUIRE((blocks[number] = hak_heap_malloc(heap, BLOCK_BYTES)) != NULL);
    size_t block_bytes = hak_usable_size(blocks[0]);
    REQUIRE_EQUAL(stats_checked().live_blocks, before.live_blocks + BLOCKS);
    for (size_t number = 1; number < BLOCKS; number++) hak_heap_free(heap, blocks[number]);
    hak_stats_t after = stats_checked();
    REQUIRE_EQUAL(after.live_blocks, before.live_blocks + 1);
    REQUIRE_EQUAL(after.live_bytes, before.live_bytes + block_bytes);
    REQUIRE_AT_LEAST(after.cached_bytes, before.cached_bytes + (BLOCKS - 2) * block_bytes);
    hak_heap_destroy(heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_at_many_points), cmocka_unit_test(test_requests_are_counted),
        cmocka_unit_test(test_what_bindings_note),  cmocka_unit_test(test_class_rows),
        cmocka_unit_test(test_older_struct),        cmocka_unit_test(test_newer_struct),
        cmocka_unit_test(test_bad_structs),         cmocka_unit_test(test_caches_of_private_heaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
