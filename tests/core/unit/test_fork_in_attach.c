/*
 * unit/test_fork_in_attach.c - a fork while another thread gets its heap, or leaves it: the child counts one thread,
 * its own, and uses that heap again. The test holds the other thread between two steps.
 */
#include "heap/heap_all.h"
#include "lifecycle/pool.h"
#include "unit/fork_while_held.h"

static Story story = STORY_START;
static _Thread_local bool is_held_before_kind, is_held_with_heap, is_held_before_pool;

static void hold(bool *is_to_hold) { story_hold(&story, is_to_hold, STEP_HELD, STEP_FORKED); }

/* A new heap, listed and of no kind yet: its thread waits for a purge that a former thread would have begun. */
static Heap *new_heap;

void *__real_hak_core_metadata_map(size_t bytes);
void *__wrap_hak_core_metadata_map(size_t bytes);

void *__wrap_hak_core_metadata_map(size_t bytes) {
    void *memory = __real_hak_core_metadata_map(bytes);
    if (!is_held_before_kind || bytes != sizeof *new_heap) return memory;
    new_heap = memory;
    new_heap->slabs.purging_slabs = 1;
    return memory;
}

void __real_hak_core_os_sleep_ms(uint32_t milliseconds);
void __wrap_hak_core_os_sleep_ms(uint32_t milliseconds);

void __wrap_hak_core_os_sleep_ms(uint32_t milliseconds) {
    if (is_held_before_kind && new_heap != NULL) {
        hold(&is_held_before_kind);
        new_heap->slabs.purging_slabs = 0;
    }
    __real_hak_core_os_sleep_ms(milliseconds);
}

Heap *__real_hak_core_pool_take(HeapKind kind);
Heap *__wrap_hak_core_pool_take(HeapKind kind);

Heap *__wrap_hak_core_pool_take(HeapKind kind) {
    Heap *heap = __real_hak_core_pool_take(kind);
    hold(&is_held_with_heap);
    return heap;
}

void __real_hak_core_pool_put(Heap *heap);
void __wrap_hak_core_pool_put(Heap *heap);

void __wrap_hak_core_pool_put(Heap *heap) {
    hold(&is_held_before_pool);
    __real_hak_core_pool_put(heap);
}

static void fork_beside(void *(*thread_function)(void *), void (*child_function)(void)) {
    fork_while_held(&story, thread_function, child_function);
    REQUIRE_EQUAL(heap_thread_count, 1);
}

static void *begin_a_heap(void *unused) {
    is_held_before_kind = true;
    hak_free(hak_malloc(100));
    REQUIRE(!is_held_before_kind);
    return unused;
}

static void *allocate(void *unused) {
    hak_free(hak_malloc(100));
    return unused;
}

static void use_heap_again(void) {
    uint32_t heaps = heap_count;
    threads_join(threads_start(allocate, NULL));
    REQUIRE_EQUAL(heap_count, heaps);
}

static void use_new_heap_again(void) {
    REQUIRE(new_heap != NULL);
    new_heap->slabs.purging_slabs = 0;
    REQUIRE_EQUAL(heap_thread_count, 1);
    use_heap_again();
}

/* Before any other thread, whose heap it would get. */
static void test_thread_with_a_new_heap(void **state) {
    (void)state;
    hak_free(hak_malloc(100));
    fork_beside(begin_a_heap, use_new_heap_again);
}

static void *begin(void *unused) {
    is_held_with_heap = true;
    hak_free(hak_malloc(100));
    REQUIRE(!is_held_with_heap);
    return unused;
}

static void count_threads(void) { REQUIRE_EQUAL(heap_thread_count, 1); }

static void test_thread_that_begins(void **state) {
    (void)state;
    hak_free(hak_malloc(100));
    fork_beside(begin, count_threads);
}

static void *end(void *unused) {
    hak_free(hak_malloc(100));
    is_held_before_pool = true;
    return unused;
}

static void test_thread_that_ends(void **state) {
    (void)state;
    hak_free(hak_malloc(100));
    fork_beside(end, use_heap_again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread_with_a_new_heap),
        cmocka_unit_test(test_thread_that_begins),
        cmocka_unit_test(test_thread_that_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
