/*
 * unit/test_freed_at_once.c - another thread acts in the middle of a free: it frees the same large block, which is a
 * double free for the one that comes second; or it closes the magazines into which the block was about to go.
 *
 * In unit because the link wraps the calls in the middle. In children, one of which aborts.
 */
#include "cache/reclaim.h"
#include "heap/heap.h"
#include "superslab/mapping.h"
#include "superslab/run.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

/* ---- The other thread ---- */

static void *(*other_thread)(void *context); /* NULL: none */
static void *context_of_other;

static void let_the_other_act(void) {
    void *(*run)(void *) = other_thread;
    other_thread = NULL;
    if (run != NULL) threads_join(threads_start(run, context_of_other));
}

bool __real_hak_core_run_return(Slab *first, const void *block);
bool __wrap_hak_core_run_return(Slab *first, const void *block);
bool __wrap_hak_core_run_return(Slab *first, const void *block) {
    let_the_other_act();
    return __real_hak_core_run_return(first, block);
}

bool __real_hak_core_mapping_return(SuperSlab *mapping, const void *block);
bool __wrap_hak_core_mapping_return(SuperSlab *mapping, const void *block);
bool __wrap_hak_core_mapping_return(SuperSlab *mapping, const void *block) {
    let_the_other_act();
    return __real_hak_core_mapping_return(mapping, block);
}

void __real_hak_core_heap_return_blocks(Heap *freeing, void *const *blocks, unsigned count);
void __wrap_hak_core_heap_return_blocks(Heap *freeing, void *const *blocks, unsigned count);
void __wrap_hak_core_heap_return_blocks(Heap *freeing, void *const *blocks, unsigned count) {
    __real_hak_core_heap_return_blocks(freeing, blocks, count);
    let_the_other_act();
}

/* ---- A large block ---- */

static void *free_too(void *block) {
    hak_free(block);
    return NULL;
}

static void free_at_once(void *bytes_pointer) {
    stats_option_set("retain_bytes", "1000000000"); /* the address space stays, and what it was is still known */
    void *block = hak_malloc(*(size_t *)bytes_pointer), *other = hak_malloc(*(size_t *)bytes_pointer);
    REQUIRE(block != NULL && other != NULL);
    context_of_other = block;
    other_thread = free_too;
    hak_free(block);
    REQUIRE(other_thread == NULL);
    REQUIRE_EQUAL(stats_checked().live_blocks, 1);
    hak_free(other);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void free_at_once_and_report(void *bytes_pointer) {
    stats_option_set("on_error", "report");
    free_at_once(bytes_pointer);
}

static void test_large_block_is_freed_at_once(void **state) {
    (void)state;
    static const char *const words[] = {"double free of 0x", "size class large, thread ", NULL};
    static size_t sizes[] = {100000, 3000000};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        ChildResult result = child_run(free_at_once, &sizes[index]);
        child_require_abort(&result, words);
        result = child_run(free_at_once_and_report, &sizes[index]);
        child_require_success(&result);
    }
}

/* ---- A magazine ---- */

static void *reclaim(void *unused) {
    reclaim_others(false);
    return unused;
}

/* The owner is inside, so nobody takes its cache; but its magazines are closed when it wants to push. */
static void magazines_are_closed(void *unused) {
    enum { BLOCKS = 4000, BLOCK_BYTES = 64 };
    static void *blocks[BLOCKS];
    (void)unused;
    for (unsigned round = 0; round < 3; round++) {
        for (size_t number = 0; number < BLOCKS; number++) {
            REQUIRE((blocks[number] = hak_malloc(BLOCK_BYTES)) != NULL);
            pattern_fill(blocks[number], BLOCK_BYTES, number);
        }
        other_thread = reclaim;
        for (size_t number = 0; number < BLOCKS; number++) {
            REQUIRE(pattern_holds(blocks[number], BLOCK_BYTES, number));
            hak_free(blocks[number]);
        }
        REQUIRE(other_thread == NULL);
        REQUIRE_EQUAL(stats_checked().live_blocks, 0);
        REQUIRE_EQUAL(hak_check(), 0);
    }
    stats_require_all_returned();
}

static void test_magazines_are_closed_in_a_free(void **state) {
    (void)state;
    child_must_succeed(magazines_are_closed, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_block_is_freed_at_once),
        cmocka_unit_test(test_magazines_are_closed_in_a_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
