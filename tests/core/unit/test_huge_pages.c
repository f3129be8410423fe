/*
 * unit/test_huge_pages.c - which SuperSlabs ask for a huge page, what a slow first touch changes, and that all of it
 * goes back to the machine when few blocks survive.
 *
 * It lies in unit because the clock that times the first touch is replaced: the link wraps os_now_us. AnonHugePages and
 * free memory are the kernel's word.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/os.h"
#include "superslab/huge_pages.h"
#include "superslab/superslab.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { BLOCK_BYTES = 1024, BLOCKS_PER_MIB = 1024, GROWN_MIB = 200, IDLE_MS = 400, EXIT_NOT_YET = 3 };
enum { QUICK_US = 100, SLOW_US = 600 };

/* ---- The clock: read before and after each first touch, and by nobody else ---- */

static _Atomic unsigned clock_reads;
static _Atomic uint64_t touch_us = QUICK_US;

uint64_t __wrap_hak_core_os_now_us(void);
uint64_t __wrap_hak_core_os_now_us(void) {
    bool is_second = atomic_fetch_add(&clock_reads, 1) % 2 == 1;
    return 1000000 + (is_second ? atomic_load(&touch_us) : 0);
}

static unsigned touches(void) { return atomic_load(&clock_reads) / 2; }

/* ---- Growing ---- */

static char *blocks[GROWN_MIB * BLOCKS_PER_MIB];
static size_t base_huge_bytes; /* on some machines all memory is huge, ours too */

/* Before hakmem starts, so that the option is this one whatever the environment says. */
static void begin_with(const char *thp) {
    REQUIRE_EQUAL(setenv("HAKMEM_THP", thp, 1), 0);
    memset(blocks, 0xFF, sizeof blocks);
    memset(blocks, 0, sizeof blocks);
    base_huge_bytes = resident_huge_bytes();
}

static void grow_from(size_t first_mib, size_t end_mib) {
    for (size_t number = first_mib * BLOCKS_PER_MIB; number < end_mib * BLOCKS_PER_MIB; number++) {
        REQUIRE((blocks[number] = hak_malloc(BLOCK_BYTES)) != NULL);
        pattern_fill(blocks[number], BLOCK_BYTES, number);
    }
}

static size_t huge_bytes_more(void) {
    size_t bytes = resident_huge_bytes();
    return bytes > base_huge_bytes ? bytes - base_huge_bytes : 0;
}

static void require_survivors_intact(size_t count, size_t stride) {
    for (size_t number = 0; number < count; number += stride)
        REQUIRE(pattern_holds(blocks[number], BLOCK_BYTES, number));
}

/* ---- Whether this machine gives any ---- */

static const char *reason_for_none(void) {
    static const char setting[] = "/sys/kernel/mm/transparent_hugepage/enabled";
    char text[64] = "";
    if (resident_is_distorted()) return "a tool's own memory is in the figures";
    if (access("/proc/self/smaps_rollup", R_OK) != 0) return "there is no smaps_rollup";
    int file = open(setting, O_RDONLY | O_CLOEXEC);
    if (file < 0) return "this kernel has no transparent huge pages";
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0 || strstr(text, "[never]") != NULL) return "the machine's setting is never";
    size_t page_bytes = resident_os_page_bytes();
    if (page_bytes / sizeof(void *) * page_bytes != SUPERSLAB_BYTES) return "a huge page is larger than a SuperSlab";
    enum { PROBED = 8 };
    size_t before = resident_huge_bytes(), bytes = (PROBED + 1) * SUPERSLAB_BYTES;
    char *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(area != MAP_FAILED);
    (void)madvise(area, bytes, MADV_HUGEPAGE);
    memset(area, 1, bytes);
    bool is_given = resident_huge_bytes() >= before + PROBED * SUPERSLAB_BYTES;
    munmap(area, bytes);
    return is_given ? NULL : "the kernel gives no huge pages now";
}

static ChildResult run_where_given(void (*story)(void *), void *context) {
    const char *reason = reason_for_none();
    if (reason != NULL) {
        print_message("skipped: %s\n", reason);
        skip();
    }
    return child_run(story, context);
}

static void run(void (*story)(void *), void *context) {
    ChildResult result = run_where_given(story, context);
    child_require_success(&result);
}

/* ---- Who asks ---- */

static void small_then_grown(void *unused) {
    (void)unused;
    begin_with("auto");
    grow_from(0, 15);
    REQUIRE_EQUAL(touches(), 0);
    REQUIRE_EQUAL(huge_bytes_more(), 0);
    grow_from(15, 64);
    /* Not the first 16 MiB, nor the SuperSlab that was born as they were full. */
    REQUIRE_AT_LEAST(touches(), (64 - 16) / 2 - 2);
    REQUIRE_AT_MOST(touches(), (64 - 16) / 2);
    REQUIRE_AT_LEAST(huge_bytes_more(), touches() / 2 * SUPERSLAB_BYTES);
    REQUIRE_AT_MOST(huge_bytes_more(), touches() * SUPERSLAB_BYTES);
    require_survivors_intact(64 * BLOCKS_PER_MIB, 1);
    REQUIRE_EQUAL(hak_check(), 0);
    for (size_t number = 0; number < 64 * BLOCKS_PER_MIB; number++) hak_free(blocks[number]);
    stats_require_all_returned();
    REQUIRE_EQUAL(huge_bytes_more(), 0);
}

static void test_only_beyond_16_mib(void **state) {
    (void)state;
    run(small_then_grown, NULL);
}

static void none_at_never(void *unused) {
    (void)unused;
    begin_with("never");
    grow_from(0, 64);
    REQUIRE_EQUAL(touches(), 0);
    REQUIRE_EQUAL(huge_bytes_more(), 0);
}

static void from_the_first_at_always(void *unused) {
    (void)unused;
    begin_with("always");
    grow_from(0, 8);
    REQUIRE_EQUAL(touches(), 4);
    REQUIRE_AT_LEAST(huge_bytes_more(), SUPERSLAB_BYTES);
}

static void test_never_and_always(void **state) {
    (void)state;
    run(none_at_never, NULL);
    run(from_the_first_at_always, NULL);
}

/* With less than a SuperSlab that may stay resident when it is free. */
static void none_above_the_bound(void *unused) {
    (void)unused;
    begin_with("auto");
    hak_free(hak_malloc(BLOCK_BYTES));
    stats_option_set("retain_bytes", "1048576");
    stats_option_set("retain_percent", "0");
    grow_from(0, 64);
    REQUIRE_EQUAL(touches(), 0);
    REQUIRE_EQUAL(huge_bytes_more(), 0);
}

static void test_none_above_the_bound(void **state) {
    (void)state;
    run(none_above_the_bound, NULL);
}

/* Pages of another size than 4 KiB make huge pages that no SuperSlab fits: none is asked for, whatever they are. */
static void grown_without(void *unused) {
    (void)unused;
    begin_with("always");
    grow_from(0, 32);
    REQUIRE_EQUAL(touches(), 0);
    require_survivors_intact(32 * BLOCKS_PER_MIB, 1);
}

static void test_none_of_another_size(void **state) {
    (void)state;
    size_t page_bytes = resident_os_page_bytes();
    if (page_bytes / sizeof(void *) * page_bytes == SUPERSLAB_BYTES || resident_is_distorted()) skip();
    ChildResult result = child_run(grown_without, NULL);
    child_require_success(&result);
}

/* ---- A slow first touch ---- */

/* Untouched blocks, until the next SuperSlab has been touched as huge. Returns how many births that took. */
static uint64_t births_until_touch(void) {
    enum { LARGEST_CLASS_BYTES = 32768, BIRTHS_MAX = 1000 };
    uint64_t born = superslab_counts().born;
    for (unsigned before = touches(); touches() == before;) {
        REQUIRE(hak_malloc(LARGEST_CLASS_BYTES) != NULL);
        REQUIRE_AT_MOST(superslab_counts().born - born, BIRTHS_MAX);
    }
    return superslab_counts().born - born;
}

static void slow_touches(void *unused) {
    (void)unused;
    begin_with("auto");
    grow_from(0, 16);
    atomic_store(&touch_us, SLOW_US);
    (void)births_until_touch();
    REQUIRE_AT_MOST(huge_bytes_more(), SUPERSLAB_BYTES);
    REQUIRE_EQUAL(births_until_touch(), 32 + 1);
    REQUIRE_AT_MOST(huge_bytes_more(), 2 * SUPERSLAB_BYTES); /* and the 32 between have none */
    REQUIRE_EQUAL(births_until_touch(), 64 + 1);
    REQUIRE_AT_MOST(huge_bytes_more(), 3 * SUPERSLAB_BYTES);
    atomic_store(&touch_us, SLOW_US - 1);
    REQUIRE_EQUAL(births_until_touch(), 128 + 1);
    REQUIRE_EQUAL(births_until_touch(), 1);
    REQUIRE_EQUAL(births_until_touch(), 1);
    atomic_store(&touch_us, SLOW_US); /* three quick ones: 256, 128, 64, 32 */
    REQUIRE_EQUAL(births_until_touch(), 1);
    REQUIRE_EQUAL(births_until_touch(), 32 + 1);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_slow_touches(void **state) {
    (void)state;
    run(slow_touches, NULL);
}

/* Without SuperSlabs, for a thousand of them each time would be much. */
static void slower_and_slower(void *unused) {
    (void)unused;
    begin_with("auto");
    hak_free(hak_malloc(1));
    static SuperSlab superslab;
    char *area = mmap(NULL, 2 * SUPERSLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(area != MAP_FAILED);
    superslab.base = round_up_bytes((uintptr_t)area, SUPERSLAB_BYTES);
    atomic_store(&touch_us, SLOW_US);
    REQUIRE(!huge_pages_begin(&superslab)); /* nobody has said that the heap is dense */
    huge_pages_expect_dense(true);
    static const unsigned skipped[] = {0, 32, 64, 128, 256, 512, 1024, 1024, 1024};
    for (size_t index = 0; index < sizeof skipped / sizeof *skipped; index++) {
        for (unsigned birth = 0; birth < skipped[index]; birth++) REQUIRE(!huge_pages_begin(&superslab));
        REQUIRE(huge_pages_begin(&superslab));
        huge_pages_touch((void *)superslab.base);
        huge_pages_end(&superslab);
    }
}

static void test_slower_and_slower(void **state) {
    (void)state;
    run(slower_and_slower, NULL);
}

/* ---- Back to the machine ---- */

/* Others use the machine, too, so the attempt counts that shows the memory free. Resident memory would not do: the
 * kernel counts a part of a huge page as gone that it has not got back. */
static void scattered_survivors(void *unused) {
    (void)unused;
    enum { STRIDE = 1000 };
    begin_with("auto");
    grow_from(0, GROWN_MIB);
    REQUIRE_AT_LEAST(huge_bytes_more(), GROWN_MIB / 2 * MIB);
    size_t resident = resident_bytes(), machine_free = resident_machine_free_bytes();
    for (size_t number = 0; number < GROWN_MIB * BLOCKS_PER_MIB; number++)
        if (number % STRIDE != 0) hak_free(blocks[number]);
    resident_sleep_ms(IDLE_MS);
    REQUIRE_AT_MOST(huge_bytes_more(), 2 * SUPERSLAB_BYTES);
    REQUIRE_AT_MOST(resident_bytes(), resident - (GROWN_MIB - 8) * MIB);
    bool is_free = resident_machine_free_bytes() >= machine_free + GROWN_MIB / 2 * MIB;
    require_survivors_intact(GROWN_MIB * BLOCKS_PER_MIB, STRIDE);
    REQUIRE_EQUAL(hak_check(), 0);
    if (!is_free) _exit(EXIT_NOT_YET);
}

static void test_scattered_survivors(void **state) {
    (void)state;
    enum { ATTEMPTS_MAX = 6 };
    ChildResult result = run_where_given(scattered_survivors, NULL);
    for (unsigned attempt = 1; attempt < ATTEMPTS_MAX && result.exit_code == EXIT_NOT_YET; attempt++)
        result = child_run(scattered_survivors, NULL);
    if (result.exit_code == EXIT_NOT_YET) print_error("resident memory fell, the machine's free memory did not rise\n");
    child_require_success(&result);
}

/* ---- Fork, threads ---- */

static void live_in_child(size_t count) {
    REQUIRE_AT_LEAST(huge_bytes_more(), SUPERSLAB_BYTES);
    REQUIRE_EQUAL(hak_check(), 0);
    for (size_t number = 0; number < count; number++)
        if (number % 3 != 0) hak_free(blocks[number]);
    for (size_t number = 0; number < count; number += 3) {
        REQUIRE(pattern_holds(blocks[number], BLOCK_BYTES, number));
        pattern_fill(blocks[number], BLOCK_BYTES, ~number);
    }
    (void)hak_trim();
    for (size_t number = 1; number < count; number += 3) {
        REQUIRE((blocks[number] = hak_calloc(1, BLOCK_BYTES)) != NULL);
        REQUIRE(pattern_is_zero(blocks[number], BLOCK_BYTES));
        pattern_fill(blocks[number], BLOCK_BYTES, number);
    }
    for (size_t number = 0; number < count; number += 3)
        REQUIRE(pattern_holds(blocks[number], BLOCK_BYTES, ~number));
    for (size_t number = 0; number < count; number++)
        if (number % 3 != 2) hak_free(blocks[number]);
    stats_require_all_returned();
    _exit(0);
}

static void fork_while_huge(void *unused) {
    (void)unused;
    enum { COUNT = 64 * BLOCKS_PER_MIB };
    begin_with("auto");
    grow_from(0, 64);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) live_in_child(COUNT);
    for (size_t number = 0; number < COUNT; number++)
        if (number % 2 != 0) hak_free(blocks[number]);
    (void)hak_trim();
    int status;
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
    require_survivors_intact(COUNT, 2);
    REQUIRE_EQUAL(hak_check(), 0);
    for (size_t number = 0; number < COUNT; number += 2) hak_free(blocks[number]);
    stats_require_all_returned();
}

static void test_fork(void **state) {
    (void)state;
    run(fork_while_huge, NULL);
}

enum { WORKERS = 2, WORKER_MIB = 24, ROUNDS = 12 };
static _Atomic unsigned workers_left;

/* The last one trims while the others take and free: a SuperSlab is split while it is in use. */
static void work_or_trim(void *unused, size_t worker) {
    (void)unused;
    if (worker == WORKERS) {
        while (atomic_load(&workers_left) > 0) (void)hak_trim();
        return;
    }
    size_t first = worker * WORKER_MIB * BLOCKS_PER_MIB, end = first + WORKER_MIB * BLOCKS_PER_MIB;
    for (unsigned round = 0; round < ROUNDS; round++) {
        grow_from(worker * WORKER_MIB, (worker + 1) * WORKER_MIB);
        for (size_t number = first; number < end; number++) {
            REQUIRE(pattern_holds(blocks[number], BLOCK_BYTES, number));
            if ((number - first) % 5 != 0) hak_free(blocks[number]);
        }
        for (size_t number = first; number < end; number += 5) {
            REQUIRE(pattern_holds(blocks[number], BLOCK_BYTES, number));
            hak_free(blocks[number]);
        }
    }
    atomic_fetch_sub(&workers_left, 1);
}

static void split_in_use(void *unused) {
    (void)unused;
    begin_with("auto");
    atomic_store(&workers_left, WORKERS);
    threads_run(WORKERS + 1, work_or_trim, NULL);
    REQUIRE_AT_LEAST(touches(), 1);
    REQUIRE_EQUAL(hak_check(), 0);
    stats_require_all_returned();
}

static void test_split_in_use(void **state) {
    (void)state;
    run(split_in_use, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_beyond_16_mib),
        cmocka_unit_test(test_never_and_always),
        cmocka_unit_test(test_none_above_the_bound),
        cmocka_unit_test(test_none_of_another_size),
        cmocka_unit_test(test_slow_touches),
        cmocka_unit_test(test_slower_and_slower),
        cmocka_unit_test(test_scattered_survivors),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_split_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
