/*
 * unit/test_hooks.c - the functions for a runtime's table of allocators: what the core serves, and what it hands on.
 */
#include <hakmem_core.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/stats.h"
#include "support/suite.h"

enum { FOREIGN_BYTES = 64 };

static char foreign[FOREIGN_BYTES]; /* the one block of the previous allocator */
static unsigned mallocs, callocs, reallocs, frees;
static int context_of_previous;

static void *previous_malloc(void *context, size_t size_bytes) {
    REQUIRE(context == &context_of_previous);
    mallocs++;
    return size_bytes <= FOREIGN_BYTES ? foreign : NULL;
}

static void *previous_calloc(void *context, size_t count, size_t size_bytes) {
    REQUIRE(context == &context_of_previous);
    callocs++;
    return count * size_bytes <= FOREIGN_BYTES ? memset(foreign, 0, FOREIGN_BYTES) : NULL;
}

static void *previous_realloc(void *context, void *block, size_t size_bytes) {
    REQUIRE(context == &context_of_previous && (block == foreign || block == NULL));
    reallocs++;
    return size_bytes <= FOREIGN_BYTES ? foreign : NULL;
}

static void previous_free(void *context, void *block) {
    REQUIRE(context == &context_of_previous && (block == foreign || block == NULL));
    frees++;
}

static const hak_hook_t previous = {&context_of_previous, previous_malloc, previous_calloc, previous_realloc,
                                    previous_free};
static const hak_hook_entry_t entries[] = {HAK_HOOK_FIRST, HAK_HOOK_SECOND, HAK_HOOK_OBJECT};
enum { ENTRIES = sizeof entries / sizeof *entries };

static void require_calls(unsigned wanted_mallocs, unsigned wanted_callocs, unsigned wanted_reallocs,
                          unsigned wanted_frees) {
    REQUIRE_EQUAL(mallocs, wanted_mallocs);
    REQUIRE_EQUAL(callocs, wanted_callocs);
    REQUIRE_EQUAL(reallocs, wanted_reallocs);
    REQUIRE_EQUAL(frees, wanted_frees);
    mallocs = callocs = reallocs = frees = 0;
}

/* A core serves an entry in `mode`: its blocks are its own, foreign ones go where they came from. */
static void serve_in(hak_hook_entry_t entry, hak_hook_mode_t mode) {
    const hak_core_t *core = hak_published();
    hak_hook_t hook = core->hook_over(entry, &previous, 1);
    core->hook_set_mode(mode);
    REQUIRE(hook.context == previous.context);
    char *block = hook.malloc(hook.context, 48), *zero = hook.calloc(hook.context, 3, 16);
    REQUIRE(hak_owns(block) && hak_owns(zero));
    for (int index = 0; index < 48; index++) REQUIRE_EQUAL(zero[index], 0);
    block = hook.realloc(hook.context, memset(block, 1, 48), 70000);
    REQUIRE(hak_owns(block) && block[47] == 1);
    REQUIRE(hook.malloc(hook.context, (size_t)PTRDIFF_MAX + 1) == NULL);
    require_calls(0, 0, 0, 0);
    REQUIRE(hook.realloc(hook.context, foreign, 60) == foreign);
    hook.free(hook.context, foreign);
    require_calls(0, 0, 1, 1);
    hook.free(hook.context, block);
    hook.free(hook.context, zero);
    for (size_t bytes = 0; bytes < 3000; bytes++) {
        block = hook.malloc(hook.context, bytes);
        REQUIRE_AT_LEAST(hak_usable_size(block), bytes);
        hook.free(hook.context, block);
    }
    require_calls(0, 0, 0, 0);
}

static void test_served(void **state) {
    (void)state;
    for (size_t index = 0; index < ENTRIES; index++) {
        serve_in(entries[index], HAK_HOOK_SERVE);
        serve_in(entries[index], HAK_HOOK_COUNT);
    }
    stats_require_all_returned();
}

static void test_passed(void **state) {
    (void)state;
    const hak_core_t *core = hak_published();
    for (size_t index = 0; index < ENTRIES; index++) {
        hak_hook_t hook = core->hook_over(entries[index], &previous, 1);
        core->hook_set_mode(HAK_HOOK_SERVE);
        char *block = hook.malloc(hook.context, 40);
        core->hook_set_mode(HAK_HOOK_PASS);
        REQUIRE(hook.malloc(hook.context, 48) == foreign && hook.calloc(hook.context, 3, 16) == foreign);
        require_calls(1, 1, 0, 0);
        block[0] = 7;
        block = hook.realloc(hook.context, block, 60); /* one that must grow moves to the previous allocator */
        REQUIRE(block == foreign && foreign[0] == 7);
        require_calls(1, 0, 0, 0);
        hook.free(hook.context, block);
        require_calls(0, 0, 0, 1);
    }
    stats_require_all_returned();
}

/* What is no block of the core's that grows. */
static void test_passed_or_resized_where_it_is(void **state) {
    (void)state;
    const hak_core_t *core = hak_published();
    for (size_t index = 0; index < ENTRIES; index++) {
        hak_hook_t hook = core->hook_over(entries[index], &previous, 1);
        core->hook_set_mode(HAK_HOOK_SERVE);
        char *block = hook.malloc(hook.context, 2000);
        memset(block, 1, 100);
        core->hook_set_mode(HAK_HOOK_PASS);
        uint64_t passed_requests = stats_now().passed_requests;
        REQUIRE(hook.realloc(hook.context, NULL, 48) == foreign);
        REQUIRE(hook.calloc(hook.context, SIZE_MAX, 2) == NULL); /* that it is too much is not decided here */
        REQUIRE(hook.realloc(hook.context, foreign, 60) == foreign);
        require_calls(1, 1, 1, 0);
        REQUIRE_EQUAL(stats_now().passed_requests, passed_requests + 3);
        REQUIRE(hook.realloc(hook.context, block, 1999) == block);
        REQUIRE((block = hook.realloc(hook.context, block, 100)) != NULL && hak_owns(block));
        REQUIRE(hak_usable_size(block) < 1999 && block[0] == 1 && block[99] == 1);
        REQUIRE_EQUAL(stats_now().passed_requests, passed_requests + 3);
        hook.free(hook.context, block);
        require_calls(0, 0, 0, 0);
    }
    stats_require_all_returned();
}

/* As served_requests counts blocks: a realloc where another one was handed out. */
static void test_counted(void **state) {
    (void)state;
    const hak_core_t *core = hak_published();
    for (size_t index = 0; index < ENTRIES; index++) {
        hak_hook_t hook = core->hook_over(entries[index], &previous, 1);
        core->hook_set_mode(HAK_HOOK_COUNT);
        uint64_t served_bytes = stats_now().served_bytes;
        char *block = hook.malloc(hook.context, 500), *zero = hook.calloc(hook.context, 5, 20);
        REQUIRE_EQUAL(stats_now().served_bytes, served_bytes + 600);
        REQUIRE(hook.realloc(hook.context, block, 499) == block);
        REQUIRE_EQUAL(stats_now().served_bytes, served_bytes + 600);
        REQUIRE((block = hook.realloc(hook.context, block, 3000)) != NULL);
        REQUIRE_EQUAL(stats_now().served_bytes, served_bytes + 3600);
        char *other = hook.realloc(hook.context, NULL, 70);
        REQUIRE_EQUAL(stats_now().served_bytes, served_bytes + 3670);
        core->hook_set_mode(HAK_HOOK_SERVE);
        other = hook.realloc(hook.context, hook.realloc(hook.context, other, 3000), 4);
        hook.free(hook.context, hook.realloc(hook.context, NULL, 70));
        REQUIRE_EQUAL(stats_now().served_bytes, served_bytes + 3670);
        hook.free(hook.context, block);
        hook.free(hook.context, zero);
        hook.free(hook.context, other);
        require_calls(0, 0, 0, 0);
    }
    stats_require_all_returned();
}

static void test_entry_that_is_not_served(void **state) {
    (void)state;
    const hak_core_t *core = hak_published();
    core->hook_set_mode(HAK_HOOK_SERVE);
    for (size_t index = 0; index < ENTRIES; index++) {
        hak_hook_t hook = core->hook_over(entries[index], &previous, 0);
        REQUIRE(hook.malloc == previous.malloc && hook.calloc == previous.calloc);
        REQUIRE(hook.realloc(hook.context, foreign, 60) == foreign);
        hook.free(hook.context, foreign);
        require_calls(0, 0, 1, 1);
        char *block = hak_malloc(48);
        block = hook.realloc(hook.context, block, 70000);
        REQUIRE(hak_owns(block));
        hook.free(hook.context, block);
        require_calls(0, 0, 0, 0);
    }
    stats_require_all_returned();
}

/* Over themselves they would be their own previous allocator. */
static void test_over_themselves(void **state) {
    (void)state;
    const hak_core_t *core = hak_published();
    for (size_t index = 0; index < ENTRIES; index++) {
        REQUIRE_EQUAL(core->hook_is_ours(entries[index], &previous), 0);
        hak_hook_t hook = core->hook_over(entries[index], &previous, 1);
        REQUIRE_EQUAL(core->hook_is_ours(entries[index], &hook), 1);
        hak_hook_t again = core->hook_over(entries[index], &hook, 1);
        REQUIRE(again.malloc == hook.malloc && again.free == hook.free);
        again.free(again.context, foreign);
        require_calls(0, 0, 0, 1);
        hook = core->hook_over(entries[index], &previous, 0);
        REQUIRE_EQUAL(core->hook_is_ours(entries[index], &hook), 1);
        again = core->hook_over(entries[index], &hook, 1);
        REQUIRE(again.malloc == previous.malloc && again.free == hook.free);
        again.free(again.context, foreign);
        require_calls(0, 0, 0, 1);
    }
}

static void *malloc_and_free(void *context) {
    const hak_hook_t *hook = context;
    hook->free(hook->context, hook->malloc(hook->context, 40));
    return NULL;
}

/* A thread asks whether its own requests come here, while others make theirs. No figure tells that it did. */
static void test_noticed(void **state) {
    (void)state;
    const hak_core_t *core = hak_published();
    hak_stats_t before = HAK_STATS_INIT, after = HAK_STATS_INIT;
    pthread_t other;
    for (size_t index = 0; index < ENTRIES; index++) {
        serve_in(entries[index], HAK_HOOK_NOTICE);
        hak_hook_t hook = core->hook_over(entries[index], &previous, 1);
        REQUIRE_EQUAL(hak_stats_get(&before), 0);
        uint64_t noticed = core->hook_noticed();
        REQUIRE_EQUAL(pthread_create(&other, NULL, malloc_and_free, &hook), 0);
        REQUIRE_EQUAL(pthread_join(other, NULL), 0);
        REQUIRE_EQUAL(core->hook_noticed(), noticed);
        (void)malloc_and_free(&hook);
        REQUIRE_EQUAL(core->hook_noticed(), noticed + 1);
        core->hook_set_mode(HAK_HOOK_SERVE);
        (void)malloc_and_free(&hook);
        REQUIRE_EQUAL(core->hook_noticed(), noticed + 1);
        REQUIRE_EQUAL(hak_stats_get(&after), 0);
        REQUIRE_EQUAL(after.passed_requests, before.passed_requests);
        REQUIRE_EQUAL(after.served_bytes, before.served_bytes);
    }
    stats_require_all_returned();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_served),
        cmocka_unit_test(test_passed),
        cmocka_unit_test(test_passed_or_resized_where_it_is),
        cmocka_unit_test(test_counted),
        cmocka_unit_test(test_entry_that_is_not_served),
        cmocka_unit_test(test_over_themselves),
        cmocka_unit_test(test_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
