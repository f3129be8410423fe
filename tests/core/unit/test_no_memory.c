/*
 * unit/test_no_memory.c - a kernel that maps nothing any more, when every block of every size class is taken: each
 * function says so, and loses nothing. What shrinks succeeds where it is; a new thread, for which there is no heap,
 * lives from the shared one; a magazine that cannot grow stays small.
 *
 * In unit because the link wraps the OS call that maps. In children, which do not come back from there.
 */
#include <errno.h>
#include <hakmem_control.h>
#include <string.h>

#include "heap/heap.h"
#include "platform/os.h"
#include "superslab/metadata.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

static _Atomic bool refuses_maps;

void *__real_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes) {
    return refuses_maps ? NULL : __real_hak_core_os_map(hint, bytes);
}

/* ---- Everything is taken ---- */

enum { SMALL_BYTES = 100, BIG_BYTES = 20000, RUN_BYTES = 200000, MAPPING_BYTES = 5 << 20, RESERVE_BLOCKS = 4000 };

static void *reserve[RESERVE_BLOCKS]; /* to be freed when a test needs room */

/* By falling size, so that what is left of one class serves no other. Blocks of a class that is cold, too. */
static void take_everything(void) {
    refuses_maps = true;
    for (size_t bytes = 1 << 20; bytes >= 8; bytes -= bytes > 40000 ? 20000 : bytes > 2048 ? 256 : 8) {
        while (hak_malloc(bytes) != NULL) {}
        REQUIRE_EQUAL(errno, ENOMEM);
    }
    REQUIRE(hak_malloc(1) == NULL);
}

/* Whole slabs, and OS pages of all of them, so that any class can have some. */
static void take_all_but_a_reserve(void) {
    for (size_t number = 0; number < RESERVE_BLOCKS; number++) REQUIRE((reserve[number] = hak_malloc(1000)) != NULL);
    take_everything();
}

static void free_reserve(void) {
    for (size_t number = 0; number < RESERVE_BLOCKS; number++) hak_free(reserve[number]);
    hak_thread_flush();
}

#define REQUIRE_NO_MEMORY(call)       \
    do {                              \
        errno = 0;                    \
        REQUIRE((call) == NULL);      \
        REQUIRE_EQUAL(errno, ENOMEM); \
    } while (0)

/* ---- Blocks ---- */

typedef void *Realloc(void *block, size_t bytes);

static void shrinks_where_it_is(Realloc *resize, void *block, size_t bytes, size_t wanted_bytes) {
    pattern_fill(block, bytes, 7);
    errno = 0;
    REQUIRE(resize(block, wanted_bytes) == block);
    REQUIRE_EQUAL(errno, 0);
    REQUIRE(pattern_holds(block, bytes, 7));
}

static void does_not_grow(Realloc *resize, void *block, size_t bytes, size_t wanted_bytes) {
    pattern_fill(block, bytes, 8);
    REQUIRE_NO_MEMORY(resize(block, wanted_bytes));
    REQUIRE(pattern_holds(block, bytes, 8));
}

static void blocks_stay(void *unused) {
    (void)unused;
    Realloc *ways[] = {hak_realloc, hak_realloc_object, hak_realloc_align8};
    void *small = hak_malloc(SMALL_BYTES), *big = hak_malloc(BIG_BYTES), *run = hak_malloc(RUN_BYTES);
    take_everything();
    for (size_t index = 0; index < 3; index++) {
        shrinks_where_it_is(ways[index], big, BIG_BYTES, SMALL_BYTES);
        shrinks_where_it_is(ways[index], run, RUN_BYTES, SMALL_BYTES);
        does_not_grow(ways[index], small, SMALL_BYTES, 2 * SMALL_BYTES);
        does_not_grow(ways[index], big, BIG_BYTES, RUN_BYTES);
        does_not_grow(ways[index], run, RUN_BYTES, MAPPING_BYTES);
    }
    REQUIRE_NO_MEMORY(hak_calloc(100, 1000));
    REQUIRE_NO_MEMORY(hak_calloc(10, 10));
    REQUIRE_NO_MEMORY(hak_aligned_alloc(4096, 10));
    REQUIRE_EQUAL(hak_check(), 0);
    refuses_maps = false;
    REQUIRE((small = hak_realloc(small, MAPPING_BYTES)) != NULL);
    REQUIRE(pattern_holds_prefix(small, SMALL_BYTES, SMALL_BYTES, 8));
}

static void test_blocks_stay(void **state) {
    (void)state;
    child_must_succeed(blocks_stay, NULL);
}

/* ---- Heaps ---- */

static void *note_refusal(void *context, uintptr_t word, size_t bytes) {
    *(size_t *)context += bytes;
    return (void *)word;
}

static hak_heap_t *heap_with(uint32_t is_private, uint32_t alignment_bytes) {
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = is_private;
    options.alignment_bytes = alignment_bytes;
    return hak_heap_new(&options);
}

static void heap_stays(hak_heap_t *heap, void *small, void *big, void *run) {
    static const size_t sizes[] = {SMALL_BYTES, BIG_BYTES, RUN_BYTES, MAPPING_BYTES};
    while (hak_heap_malloc(heap, 2 * SMALL_BYTES) != NULL) {}
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++)
        while (hak_heap_malloc(heap, sizes[index]) != NULL) {} /* those that its slabs still have */
    hak_heap_stats_t before = stats_of_heap(heap);
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        size_t refused_bytes = 0;
        REQUIRE_NO_MEMORY(hak_heap_malloc(heap, sizes[index]));
        REQUIRE(hak_heap_malloc_or(heap, sizes[index], note_refusal, &refused_bytes, 123) == (void *)123);
        REQUIRE_EQUAL(refused_bytes, sizes[index]);
    }
    pattern_fill(small, SMALL_BYTES, 1);
    pattern_fill(big, BIG_BYTES, 2);
    pattern_fill(run, RUN_BYTES, 3);
    REQUIRE_NO_MEMORY(hak_heap_realloc(heap, small, 2 * SMALL_BYTES));
    REQUIRE_NO_MEMORY(hak_heap_realloc(heap, small, RUN_BYTES));
    REQUIRE_NO_MEMORY(hak_heap_realloc(heap, big, RUN_BYTES));
    REQUIRE_NO_MEMORY(hak_heap_realloc(heap, run, MAPPING_BYTES));
    errno = 0;
    REQUIRE(hak_heap_realloc(heap, big, SMALL_BYTES) == big); /* shrinking never fails */
    REQUIRE(hak_heap_realloc(heap, run, SMALL_BYTES) == run);
    REQUIRE_EQUAL(errno, 0);
    REQUIRE(pattern_holds(small, SMALL_BYTES, 1));
    REQUIRE(pattern_holds(big, BIG_BYTES, 2));
    REQUIRE(pattern_holds(run, RUN_BYTES, 3));
    hak_heap_stats_t after = stats_of_heap(heap);
    REQUIRE_EQUAL(memcmp(&before, &after, sizeof before), 0);
}

static void heaps_stay(void *unused) {
    (void)unused;
    static const struct {
        uint32_t is_private, alignment_bytes;
    } kinds[] = {{0, 0}, {0, 8}, {1, 0}, {1, 8}};
    enum { KINDS = sizeof kinds / sizeof *kinds };
    struct {
        hak_heap_t *heap;
        void *small, *big, *run;
    } made[KINDS];
    for (size_t index = 0; index < KINDS; index++) {
        hak_heap_t *heap = heap_with(kinds[index].is_private, kinds[index].alignment_bytes);
        REQUIRE(heap != NULL);
        made[index].heap = heap;
        REQUIRE((made[index].small = hak_heap_malloc(heap, SMALL_BYTES)) != NULL);
        REQUIRE((made[index].big = hak_heap_malloc(heap, BIG_BYTES)) != NULL);
        REQUIRE((made[index].run = hak_heap_malloc(heap, RUN_BYTES)) != NULL);
    }
    take_everything();
    for (size_t index = 0; index < KINDS; index++)
        heap_stays(made[index].heap, made[index].small, made[index].big, made[index].run);
    REQUIRE_NO_MEMORY(heap_with(0, 0));
    REQUIRE_EQUAL(hak_check(), 0);
    for (size_t index = 0; index < KINDS; index++) hak_heap_destroy(made[index].heap);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_heaps_stay(void **state) {
    (void)state;
    child_must_succeed(heaps_stay, NULL);
}

/* Of a private heap two parts are made. Where there is no memory for the second one, the first one goes again. */
static void private_heap_is_refused_whole(void *unused) {
    (void)unused;
    enum { HEAPS_MAX = 100000 };
    hak_free(hak_malloc(SMALL_BYTES));
    refuses_maps = true;
    size_t count = 0;
    while (heap_with(1, 0) != NULL) REQUIRE_OP(++count, <, HEAPS_MAX);
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE_OP(count, >, 0);
    hak_free(hak_malloc(SMALL_BYTES)); /* blocks there are; the heap's own memory is what lacks */
    uint64_t live_blocks = stats_now().live_blocks;
    REQUIRE(heap_with(1, 0) == NULL);
    REQUIRE_EQUAL(stats_now().live_blocks, live_blocks);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_private_heap_is_refused_whole(void **state) {
    (void)state;
    child_must_succeed(private_heap_is_refused_whole, NULL);
}

/* ---- Control ---- */

static void control_says_so(void *unused) {
    (void)unused;
    uint64_t number = 0;
    char *text = NULL;
    hak_error_t error;
    take_everything();
    REQUIRE_EQUAL(hak_control_stats_json(&text, &error), HAK_ERROR_MEMORY);
    REQUIRE(text == NULL);
    assert_string_equal(error.message, "no memory for the text");
    REQUIRE_EQUAL(hak_control_options_json(&text, &error), HAK_ERROR_MEMORY);
    REQUIRE(text == NULL);
    REQUIRE_EQUAL(hak_control_heap_new(0, 0, 0, &number, &error), HAK_ERROR_MEMORY);
    assert_string_equal(error.message, "no memory for a heap");
    REQUIRE_EQUAL(number, 0);
    refuses_maps = false;
    REQUIRE_EQUAL(hak_control_heap_new(0, 0, 0, &number, &error), HAK_ERROR_NONE);
    REQUIRE_EQUAL(number, 1);
}

static void test_control_says_so(void **state) {
    (void)state;
    child_must_succeed(control_says_so, NULL);
}

/* ---- Threads without a heap ---- */

enum { THREADS = 3, STEP_END = 1 };
static Story story = STORY_START;
static _Atomic unsigned threads_parked;

/* What heaps, slots and headers are made of. */
static void take_all_metadata(void) {
    while (metadata_map(resident_os_page_bytes()) != NULL) {}
}

static void *take_a_block_and_park(void *unused) {
    void *block = hak_malloc(SMALL_BYTES), *other = hak_malloc(BIG_BYTES);
    REQUIRE(block != NULL && other != NULL);
    REQUIRE(heap_of_thread->kind == HEAP_NONE);
    pattern_fill(block, SMALL_BYTES, 5);
    threads_parked++;
    story_await(&story, STEP_END);
    REQUIRE(pattern_holds(block, SMALL_BYTES, 5));
    hak_free(block);
    hak_free(other);
    return unused;
}

static void threads_live_from_the_shared_heap(void *unused) {
    (void)unused;
    pthread_t threads[THREADS];
    take_all_but_a_reserve();
    take_all_metadata();
    free_reserve();
    uint64_t live_blocks = stats_now().live_blocks;
    for (size_t number = 0; number < THREADS; number++) threads[number] = threads_start(take_a_block_and_park, NULL);
    while (threads_parked < THREADS) resident_sleep_ms(1);
    REQUIRE_EQUAL(hak_check(), 0);
    REQUIRE_EQUAL(stats_checked().live_blocks, live_blocks + 2 * THREADS);
    story_reach(&story, STEP_END);
    for (size_t number = 0; number < THREADS; number++) threads_join(threads[number]);
    REQUIRE_EQUAL(stats_checked().live_blocks, live_blocks);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_threads_live_from_the_shared_heap(void **state) {
    (void)state;
    child_must_succeed(threads_live_from_the_shared_heap, NULL);
}

/* Of a thread that has a heap, when there is no memory for the slots of another large magazine. */
static void magazines_stay_small(void *unused) {
    (void)unused;
    enum { STEP_BYTES = 48, LAST_BYTES = 1008 };
    static void *held[RESERVE_BLOCKS];
    take_all_but_a_reserve();
    take_all_metadata();
    free_reserve();
    for (size_t bytes = STEP_BYTES; bytes <= LAST_BYTES; bytes += STEP_BYTES) {
        for (unsigned round = 0; round < 3; round++) {
            size_t count = 0;
            while (count < RESERVE_BLOCKS && (held[count] = hak_malloc(bytes)) != NULL)
                pattern_fill(held[count], bytes, count), count++;
            REQUIRE_OP(count, >, 500);
            for (size_t number = 0; number < count; number++) {
                REQUIRE(pattern_holds(held[number], bytes, number));
                hak_free(held[number]);
            }
        }
        (void)hak_trim();
    }
    REQUIRE_EQUAL(hak_check(), 0);
    (void)stats_checked();
}

static void test_magazines_stay_small(void **state) {
    (void)state;
    child_must_succeed(magazines_stay_small, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_stay),
        cmocka_unit_test(test_heaps_stay),
        cmocka_unit_test(test_private_heap_is_refused_whole),
        cmocka_unit_test(test_control_says_so),
        cmocka_unit_test(test_threads_live_from_the_shared_heap),
        cmocka_unit_test(test_magazines_stay_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
