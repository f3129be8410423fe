/*
 * return/test_purge.c - purges at the grain of OS pages: which pages go and which stay around survivors at the first,
 * middle and last place of an OS page, blocks that straddle two, contents of neighbours, and zeroes for calloc after
 * it.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/child.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { SLAB_BYTES = 65536, COUNT_MAX = 70000 };

static char *blocks[COUNT_MAX];
static bool is_kept[COUNT_MAX];

/* Some megabytes of one class, every byte touched. */
static size_t fill(size_t block_bytes) {
    size_t count = 4 * MIB / block_bytes;
    if (count > COUNT_MAX) count = COUNT_MAX;
    for (size_t number = 0; number < count; number++) {
        blocks[number] = hak_malloc(block_bytes);
        pattern_fill(blocks[number], block_bytes, number);
        is_kept[number] = false;
    }
    return count;
}

static bool touches(size_t number, size_t block_bytes, uintptr_t page, size_t page_bytes) {
    uintptr_t first = (uintptr_t)blocks[number] / page_bytes;
    uintptr_t last = ((uintptr_t)blocks[number] + block_bytes - 1) / page_bytes;
    return first <= page && page <= last;
}

/* Frees all but the kept ones, trims, and checks each OS page around them. */
static void purge_and_check(size_t count, size_t block_bytes) {
    size_t page_bytes = resident_os_page_bytes(), kernel_page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t number = 0; number < count; number++)
        if (!is_kept[number]) hak_free(blocks[number]);
    (void)hak_trim();
    size_t kept_pages = 0;
    for (size_t number = 0; number < count; number++) {
        if (!is_kept[number]) continue;
        REQUIRE(pattern_holds(blocks[number], block_bytes, number));
        uintptr_t first = (uintptr_t)blocks[number] / page_bytes;
        uintptr_t last = ((uintptr_t)blocks[number] + block_bytes - 1) / page_bytes;
        for (uintptr_t page = first; page <= last; page++) {
            REQUIRE_AT_LEAST(resident_bytes_in((void *)(page * page_bytes), page_bytes), kernel_page_bytes);
            kept_pages++;
        }
        /* In the same slab, the pages next to it hold nothing: they are gone. */
        for (int side = -1; side <= 1; side += 2) {
            uintptr_t page = side < 0 ? first - 1 : last + 1;
            bool is_same_slab = page * page_bytes / SLAB_BYTES == (uintptr_t)blocks[number] / SLAB_BYTES;
            bool holds_another = false;
            size_t from = number < 5000 ? 0 : number - 5000, to = number + 5000 < count ? number + 5000 : count;
            for (size_t other = from; other < to; other++)
                holds_another = holds_another || (is_kept[other] && touches(other, block_bytes, page, page_bytes));
            if (is_same_slab && !holds_another)
                REQUIRE_EQUAL(resident_bytes_in((void *)(page * page_bytes), page_bytes), 0);
        }
    }
    hak_stats_t stats = stats_checked();
    REQUIRE_EQUAL(stats.free_resident_bytes, 0);
    REQUIRE_AT_MOST(stats.mapped_bytes - stats.unbacked_bytes, kept_pages * page_bytes);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void free_the_kept(size_t count, size_t block_bytes) {
    for (size_t number = 0; number < count; number++) {
        if (!is_kept[number]) continue;
        REQUIRE(pattern_holds(blocks[number], block_bytes, number));
        hak_free(blocks[number]);
    }
    (void)hak_trim();
    REQUIRE_EQUAL(stats_checked().mapped_bytes, 0);
}

typedef enum Place { PLACE_FIRST, PLACE_MIDDLE, PLACE_LAST, PLACE_STRADDLING } Place;

static bool is_at(Place place, uintptr_t address, size_t block_bytes, size_t page_bytes) {
    size_t offset = address % page_bytes;
    switch (place) {
    case PLACE_FIRST: return offset < block_bytes;
    case PLACE_MIDDLE: return offset <= page_bytes / 2 && offset + block_bytes > page_bytes / 2;
    case PLACE_LAST: return offset + block_bytes <= page_bytes && offset + 2 * block_bytes > page_bytes;
    default: return offset + block_bytes > page_bytes;
    }
}

static const size_t sizes[] = {8, 16, 24, 48, 72, 112, 496, 1008, 1024, 1536, 3072, 5120, 12288, 32768};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void keep_one_in_so_many_pages(void *unused) {
    (void)unused;
    for (size_t index = 0; index < SIZES; index++)
        for (Place place = PLACE_FIRST; place <= PLACE_STRADDLING; place++)
            for (uintptr_t stride = 3; stride <= 40; stride += 37) {
                size_t count = fill(sizes[index]), kept = 0;
                uintptr_t last_page = 0;
                for (size_t number = 0; number < count; number++) {
                    uintptr_t address = (uintptr_t)blocks[number], page = address / resident_os_page_bytes();
                    if (page < last_page + stride && page + stride > last_page) continue;
                    if (!is_at(place, address, sizes[index], resident_os_page_bytes())) continue;
                    is_kept[number] = true;
                    last_page = page;
                    kept++;
                }
                purge_and_check(count, sizes[index]);
                free_the_kept(count, sizes[index]);
                if (place != PLACE_STRADDLING && sizes[index] >= 16 && sizes[index] < 1024) REQUIRE_AT_LEAST(kept, 1);
            }
}

static void test_pages_around_survivors(void **state) {
    (void)state;
    child_must_succeed(keep_one_in_so_many_pages, NULL);
}

/* All around a purged OS page live neighbours; what comes back into it is zero for calloc, and theirs stays. */
static void reuse_is_zero(void *unused) {
    (void)unused;
    Random random = random_start(random_seed());
    for (size_t index = 0; index < SIZES; index++) {
        size_t count = fill(sizes[index]);
        for (size_t number = 0; number < count; number++) is_kept[number] = random_below(&random, 60) == 0;
        for (size_t number = 0; number < count; number++)
            if (!is_kept[number]) hak_free(blocks[number]);
        (void)hak_trim();
        for (size_t number = 0; number < count; number++) {
            if (is_kept[number]) continue;
            blocks[number] = hak_calloc(1, sizes[index]);
            REQUIRE(pattern_is_zero(blocks[number], sizes[index]));
            pattern_fill(blocks[number], sizes[index], number);
            is_kept[number] = true;
        }
        free_the_kept(count, sizes[index]);
    }
}

static void test_reuse_is_zero(void **state) {
    (void)state;
    child_must_succeed(reuse_is_zero, NULL);
}

/* Under mlockall the kernel refuses to give pages back: contents stay, so calloc must not rely on zeroes. */
static void refused_purges(void *unused) {
    (void)unused;
    stats_option_set("purge_delay_ms", "0");
    stats_option_set("retain_bytes", "0");
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) return;
    reuse_is_zero(NULL);
    for (unsigned round = 0; round < 3; round++) {
        char *large = hak_calloc(1, 300000), *huge = hak_calloc(1, 3 * MIB);
        if (large == NULL || huge == NULL) return; /* RLIMIT_MEMLOCK */
        REQUIRE(pattern_is_zero(large, 300000));
        REQUIRE(pattern_is_zero(huge, 3 * MIB));
        memset(large, 1, 300000);
        memset(huge, 1, 3 * MIB);
        hak_free(large);
        hak_free(huge);
    }
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_refused_purges(void **state) {
    (void)state;
    if (resident_is_distorted()) skip(); /* locks terabytes of shadow memory */
    child_must_succeed(refused_purges, NULL);
}

/* A large block that shrinks gives its tail back; one that grows keeps what it has. */
static void large_tails(void *unused) {
    (void)unused;
    static const size_t pairs[][2] = {{1 << 20, 100000}, {900000, 40000}, {16 << 20, 3 << 20}, {3 << 20, 1200000}};
    for (size_t index = 0; index < 4; index++) {
        char *block = hak_malloc(pairs[index][0]);
        pattern_fill(block, pairs[index][0], 7);
        memset(block, 9, pairs[index][0]);
        block = hak_realloc(block, pairs[index][1]);
        for (size_t offset = 0; offset < pairs[index][1]; offset++) REQUIRE_EQUAL(block[offset], 9);
        (void)hak_trim();
        hak_stats_t stats = stats_checked();
        REQUIRE_EQUAL(stats.free_resident_bytes, 0);
        REQUIRE_AT_MOST(stats.mapped_bytes - stats.unbacked_bytes, pairs[index][1] + resident_os_page_bytes());
        size_t beyond = (pairs[index][1] + resident_os_page_bytes() - 1) & ~(resident_os_page_bytes() - 1);
        if (hak_owns(block + beyond)) REQUIRE_EQUAL(resident_bytes_in(block + beyond, resident_os_page_bytes()), 0);
        hak_free(block);
    }
}

static void test_large_tails(void **state) {
    (void)state;
    child_must_succeed(large_tails, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_around_survivors),
        cmocka_unit_test(test_reuse_is_zero),
        cmocka_unit_test(test_refused_purges),
        cmocka_unit_test(test_large_tails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
