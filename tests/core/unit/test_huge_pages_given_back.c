/*
 * unit/test_huge_pages_given_back.c - of SuperSlabs with huge pages the machine gets back what is free in them,
 * whatever survives there; their contents outlive forks and splits.
 */
#include <sys/wait.h>

#include "support/await.h"
#include "support/threads.h"
#include "unit/huge_pages.h"

/* ---- Back to the machine ---- */

enum { EXIT_NOT_YET = 3, MACHINE_LOOKS_MAX = 400 };

typedef struct Figures {
    size_t resident_bytes, huge_bytes, machine_free_bytes, machine_huge_splits;
} Figures;

static Figures figures_now(void) {
    return (Figures){resident_bytes(), huge_bytes_more(), resident_machine_free_bytes(),
                     resident_machine_huge_splits()};
}

/* Resident memory alone would not do: the kernel counts a part of a huge page as gone that it has not got back, unless
 * the huge page was split before. Others use the machine, too, so an attempt counts that shows half of it free, at one
 * of MACHINE_LOOKS_MAX looks, each 1 ms after the last. */
static void require_given_back(Figures before, size_t freed_bytes) {
    AWAIT_AT_MOST(huge_bytes_more(), 2 * SUPERSLAB_BYTES);
    AWAIT_AT_MOST(resident_bytes(), before.resident_bytes - freed_bytes + 8 * MIB);
    size_t splits = resident_machine_huge_splits() - before.machine_huge_splits;
    REQUIRE_AT_LEAST(splits, before.huge_bytes / 2 / SUPERSLAB_BYTES);
    REQUIRE_EQUAL(hak_check(), 0);
    for (unsigned looks = 0; resident_machine_free_bytes() < before.machine_free_bytes + freed_bytes / 2; looks++) {
        if (looks == MACHINE_LOOKS_MAX) _exit(EXIT_NOT_YET);
        resident_sleep_ms(1);
    }
}

static void run_until_the_machine_shows_it(void (*story)(void *), void *context) {
    enum { ATTEMPTS_MAX = 20 };
    ChildResult result = run_where_given(story, context);
    for (unsigned attempt = 1; attempt < ATTEMPTS_MAX && result.exit_code == EXIT_NOT_YET; attempt++)
        result = child_run(story, context);
    if (result.exit_code == EXIT_NOT_YET) print_error("resident memory fell, the machine's free memory did not rise\n");
    child_require_success(&result);
}

static bool is_one_of_a_thousand(size_t number) { return number % 1000 == 0; }
static bool is_one_of_each_slab(size_t number) { return number % (SLAB_BYTES / BLOCK_BYTES) == 0; }
static bool is_in_a_kept_slab(size_t number) {
    return (uintptr_t)blocks[number] / SLAB_BYTES % SLABS_PER_SUPERSLAB == 5;
}

typedef struct Survivors {
    bool (*is_kept)(size_t number);
    size_t kept_mib; /* OS pages of them, at most */
} Survivors;

static void some_survive(void *survivors_pointer) {
    enum { COUNT = GROWN_MIB * BLOCKS_PER_MIB };
    const Survivors *survivors = survivors_pointer;
    begin_with("auto");
    grow_from(0, GROWN_MIB);
    REQUIRE_AT_LEAST(huge_bytes_more(), GROWN_MIB / 2 * MIB);
    Figures before = figures_now();
    for (size_t number = 0; number < COUNT; number++) {
        if (survivors->is_kept(number)) continue;
        hak_free(blocks[number]);
        blocks[number] = NULL;
    }
    require_given_back(before, (GROWN_MIB - survivors->kept_mib) * MIB);
    for (size_t number = 0; number < COUNT; number++)
        if (blocks[number] != NULL) REQUIRE(pattern_holds(blocks[number], BLOCK_BYTES, number));
}

static void test_some_survive(void **state) {
    (void)state;
    static Survivors cases[] = {{is_one_of_a_thousand, 2}, {is_one_of_each_slab, 14}, {is_in_a_kept_slab, 8}};
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++)
        run_until_the_machine_shows_it(some_survive, &cases[index]);
}

/* Runs of slabs: with `auto` only what slabs of small blocks are born in has huge pages. */
typedef struct Large {
    size_t bytes, left_bytes;
} Large;

static void large_blocks_shrink(void *large_pointer) {
    const Large *large = large_pointer;
    size_t count = 160 * MIB / large->bytes;
    begin_with("always");
    for (size_t number = 0; number < count; number++) {
        REQUIRE((blocks[number] = hak_malloc(large->bytes)) != NULL);
        memset(blocks[number], 1, large->bytes);
    }
    REQUIRE_AT_LEAST(huge_bytes_more(), 80 * MIB);
    Figures before = figures_now();
    for (size_t number = 0; number < count; number++)
        REQUIRE(hak_realloc(blocks[number], large->left_bytes) == blocks[number]);
    require_given_back(before, count * (large->bytes - large->left_bytes));
    for (size_t number = 0; number < count; number++)
        for (size_t offset = 0; offset < large->left_bytes; offset++) REQUIRE_EQUAL(blocks[number][offset], 1);
}

/* Slabs of a run become free; and none does, but OS pages of its last one. */
static void test_large_blocks_shrink(void **state) {
    (void)state;
    static Large cases[] = {{512 << 10, 100 << 10}, {128 << 10, 72 << 10}};
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++)
        run_until_the_machine_shows_it(large_blocks_shrink, &cases[index]);
}

/* Slabs, or runs, of two heaps side by side in huge pages, and one heap goes. */
static void one_of_two_heaps_ends(void *block_bytes_pointer) {
    size_t block_bytes = *(size_t *)block_bytes_pointer, count = 160 * MIB / block_bytes;
    begin_with("always");
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = 1;
    hak_heap_t *heap[2] = {hak_heap_new(&options), hak_heap_new(&options)};
    REQUIRE(heap[0] != NULL && heap[1] != NULL);
    for (size_t number = 0; number < count; number++) {
        REQUIRE((blocks[number] = hak_heap_malloc(heap[number % 2], block_bytes)) != NULL);
        pattern_fill(blocks[number], block_bytes, number);
    }
    REQUIRE_AT_LEAST(huge_bytes_more(), 80 * MIB);
    Figures before = figures_now();
    hak_heap_destroy(heap[0]);
    require_given_back(before, 80 * MIB);
    for (size_t number = 1; number < count; number += 2) REQUIRE(pattern_holds(blocks[number], block_bytes, number));
    hak_heap_destroy(heap[1]);
    stats_require_all_returned();
}

static void test_one_of_two_heaps_ends(void **state) {
    (void)state;
    static size_t sizes[] = {BLOCK_BYTES, 128 << 10};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++)
        run_until_the_machine_shows_it(one_of_two_heaps_ends, &sizes[index]);
}

/* ---- Fork, threads ---- */

/* Few enough survive that most OS pages are free: else nothing would be purged, and nothing split. */
enum { FORK_MIB = 64, FORK_COUNT = FORK_MIB * BLOCKS_PER_MIB, PARENT_STRIDE = 16, CHILD_STRIDE = 12 };

static void free_all_but(size_t stride) {
    for (size_t number = 0; number < FORK_COUNT; number++)
        if (number % stride != 0) hak_free(blocks[number]);
    (void)hak_trim();
    REQUIRE_AT_MOST(huge_bytes_more(), 2 * SUPERSLAB_BYTES);
    require_survivors_intact(FORK_COUNT, stride);
}

static void live_in_child(void) {
    REQUIRE_AT_LEAST(huge_bytes_more(), SUPERSLAB_BYTES);
    REQUIRE_EQUAL(hak_check(), 0);
    free_all_but(CHILD_STRIDE);
    for (size_t number = 0; number < FORK_COUNT; number += CHILD_STRIDE)
        pattern_fill(blocks[number], BLOCK_BYTES, ~number);
    for (size_t number = 1; number < FORK_COUNT; number += CHILD_STRIDE) {
        REQUIRE((blocks[number] = hak_calloc(1, BLOCK_BYTES)) != NULL);
        REQUIRE(pattern_is_zero(blocks[number], BLOCK_BYTES));
        pattern_fill(blocks[number], BLOCK_BYTES, number);
    }
    for (size_t number = 0; number < FORK_COUNT; number += CHILD_STRIDE)
        REQUIRE(pattern_holds(blocks[number], BLOCK_BYTES, ~number));
    for (size_t number = 0; number < FORK_COUNT; number++)
        if (number % CHILD_STRIDE < 2) hak_free(blocks[number]);
    stats_require_all_returned();
    _exit(0);
}

static void fork_while_huge(void *unused) {
    (void)unused;
    begin_with("auto");
    grow_from(0, FORK_MIB);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) live_in_child();
    free_all_but(PARENT_STRIDE);
    int status;
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
    require_survivors_intact(FORK_COUNT, PARENT_STRIDE);
    REQUIRE_EQUAL(hak_check(), 0);
    for (size_t number = 0; number < FORK_COUNT; number += PARENT_STRIDE) hak_free(blocks[number]);
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
        cmocka_unit_test(test_some_survive),          cmocka_unit_test(test_large_blocks_shrink),
        cmocka_unit_test(test_one_of_two_heaps_ends), cmocka_unit_test(test_fork),
        cmocka_unit_test(test_split_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
