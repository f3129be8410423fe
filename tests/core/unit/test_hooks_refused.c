/*
 * unit/test_hooks_refused.c - the functions for a runtime's table of allocators when the core has no memory: the
 * previous allocator is asked once, and its block is foreign from then on. And when a block was freed before: it is
 * reported, and moves nowhere.
 *
 * In unit because the link wraps the OS call that maps. In children, which do not come back from there.
 */
#include <hakmem_core.h>
#include <stdio.h>
#include <string.h>

#include "platform/os.h"
#include "support/child.h"
#include "support/misuse.h"
#include "support/pattern.h"
#include "support/stats.h"
#include "support/suite.h"

static bool refuses_maps;

void *__real_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes) {
    return refuses_maps ? NULL : __real_hak_core_os_map(hint, bytes);
}

/* ---- The previous allocator: the C library's, which may refuse, too ---- */

static bool previous_refuses;
static unsigned mallocs, callocs, reallocs, frees;

static void *previous_malloc(void *context, size_t size_bytes) {
    (void)context, mallocs++;
    return previous_refuses ? NULL : malloc(size_bytes);
}

static void *previous_calloc(void *context, size_t count, size_t size_bytes) {
    (void)context, callocs++;
    return previous_refuses ? NULL : calloc(count, size_bytes);
}

static void *previous_realloc(void *context, void *block, size_t size_bytes) {
    (void)context, reallocs++;
    REQUIRE(!hak_owns(block));
    return previous_refuses ? NULL : realloc(block, size_bytes);
}

static void previous_free(void *context, void *block) {
    (void)context, frees++;
    REQUIRE(!hak_owns(block));
    free(block);
}

static const hak_hook_t previous = {NULL, previous_malloc, previous_calloc, previous_realloc, previous_free};

static void require_calls(unsigned wanted_mallocs, unsigned wanted_callocs, unsigned wanted_reallocs,
                          unsigned wanted_frees) {
    REQUIRE_EQUAL(mallocs, wanted_mallocs);
    REQUIRE_EQUAL(callocs, wanted_callocs);
    REQUIRE_EQUAL(reallocs, wanted_reallocs);
    REQUIRE_EQUAL(frees, wanted_frees);
    mallocs = callocs = reallocs = frees = 0;
}

/* ---- The hook of an entry, in a mode in which the core serves ---- */

enum { SMALL_BYTES = 48, RUN_BYTES = 200000, MAPPING_BYTES = 5 << 20 };

typedef struct Case {
    hak_hook_entry_t entry;
    hak_hook_mode_t mode;
} Case;

static const Case cases[] = {
    {HAK_HOOK_FIRST, HAK_HOOK_SERVE},  {HAK_HOOK_FIRST, HAK_HOOK_COUNT},  {HAK_HOOK_FIRST, HAK_HOOK_NOTICE},
    {HAK_HOOK_SECOND, HAK_HOOK_SERVE}, {HAK_HOOK_SECOND, HAK_HOOK_COUNT}, {HAK_HOOK_SECOND, HAK_HOOK_NOTICE},
    {HAK_HOOK_OBJECT, HAK_HOOK_SERVE}, {HAK_HOOK_OBJECT, HAK_HOOK_COUNT}, {HAK_HOOK_OBJECT, HAK_HOOK_NOTICE},
};
enum { CASES = sizeof cases / sizeof *cases };

static hak_hook_t hook_of(const Case *one) {
    const hak_core_t *core = hak_published();
    core->hook_set_mode(one->mode);
    return core->hook_over(one->entry, &previous, 1);
}

static void each_in_a_child(void (*run)(void *)) {
    for (size_t index = 0; index < CASES; index++) {
        Case one = cases[index];
        child_must_succeed(run, &one);
    }
}

/* Every block of the size's class, at each entry's alignment. Large blocks are not there at once. */
static void take_all_small(void) {
    refuses_maps = true;
    while (hak_malloc(SMALL_BYTES) != NULL) {}
    while (hak_malloc_object(SMALL_BYTES) != NULL) {}
}

/* How many requests were passed on, and of how many bytes, since `before`; none was counted as served. */
static void require_passed(const hak_stats_t *before, uint64_t requests, uint64_t bytes) {
    hak_stats_t now = stats_now();
    REQUIRE_EQUAL(now.passed_requests - before->passed_requests, requests);
    REQUIRE_EQUAL(now.passed_bytes - before->passed_bytes, bytes);
    REQUIRE_EQUAL(now.served_bytes, before->served_bytes);
}

/* ---- The previous allocator has memory ---- */

static void requests_are_passed_on(void *context) {
    hak_hook_t hook = hook_of(context);
    take_all_small();
    hak_stats_t before = stats_now();
    void *block = hook.malloc(hook.context, SMALL_BYTES);
    unsigned char *zero = hook.calloc(hook.context, 3, SMALL_BYTES / 3);
    void *resized = hook.realloc(hook.context, NULL, SMALL_BYTES);
    void *mapped = hook.malloc(hook.context, MAPPING_BYTES);
    REQUIRE(block != NULL && zero != NULL && resized != NULL && mapped != NULL);
    REQUIRE(!hak_owns(block) && !hak_owns(zero) && !hak_owns(resized) && !hak_owns(mapped));
    REQUIRE(pattern_is_zero(zero, SMALL_BYTES));
    require_calls(3, 1, 0, 0);
    require_passed(&before, 4, 3 * SMALL_BYTES + MAPPING_BYTES);
    refuses_maps = false; /* it is foreign all the same */
    REQUIRE((resized = hook.realloc(hook.context, resized, 2 * SMALL_BYTES)) != NULL && !hak_owns(resized));
    hook.free(hook.context, block);
    hook.free(hook.context, zero);
    hook.free(hook.context, resized);
    hook.free(hook.context, mapped);
    require_calls(0, 0, 1, 4);
    REQUIRE((block = hook.malloc(hook.context, MAPPING_BYTES)) != NULL && hak_owns(block));
    hook.free(hook.context, block);
    require_calls(0, 0, 0, 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_requests_are_passed_on(void **state) {
    (void)state;
    each_in_a_child(requests_are_passed_on);
}

static void blocks_move_out(void *context) {
    hak_hook_t hook = hook_of(context);
    static const size_t sizes[] = {SMALL_BYTES, RUN_BYTES};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        refuses_maps = false;
        unsigned char *block = hook.malloc(hook.context, sizes[index]);
        REQUIRE(hak_owns(block));
        pattern_fill(block, sizes[index], index);
        refuses_maps = true;
        hak_stats_t before = stats_now();
        REQUIRE((block = hook.realloc(hook.context, block, MAPPING_BYTES)) != NULL && !hak_owns(block));
        REQUIRE(pattern_holds_prefix(block, MAPPING_BYTES, sizes[index], index));
        REQUIRE_EQUAL(stats_now().live_blocks, before.live_blocks - 1);
        require_passed(&before, 1, MAPPING_BYTES);
        hook.free(hook.context, block);
        require_calls(1, 0, 0, 1);
    }
    stats_require_all_returned();
}

static void test_blocks_move_out(void **state) {
    (void)state;
    each_in_a_child(blocks_move_out);
}

/* A realloc of no block is a malloc of its entry: that hak_malloc has memory for the size does not matter. */
static void object_is_passed_on(void *mode) {
    enum { OBJECT_BYTES = 24 }; /* at another alignment than hak_malloc's, so of another size class */
    Case one = {HAK_HOOK_OBJECT, *(hak_hook_mode_t *)mode};
    hak_hook_t hook = hook_of(&one);
    void *keeper = hak_malloc(OBJECT_BYTES); /* of a slab that goes to no other class */
    refuses_maps = true;
    while (hak_malloc_object(OBJECT_BYTES) != NULL) {}
    void *block = hak_malloc(OBJECT_BYTES), *object = hook.realloc(hook.context, NULL, OBJECT_BYTES);
    REQUIRE(block != NULL && object != NULL && !hak_owns(object));
    require_calls(1, 0, 0, 0);
    hook.free(hook.context, object);
    hook.free(hook.context, block);
    hook.free(hook.context, keeper);
    require_calls(0, 0, 0, 1);
}

static void test_object_is_passed_on(void **state) {
    (void)state;
    hak_hook_mode_t modes[] = {HAK_HOOK_SERVE, HAK_HOOK_COUNT, HAK_HOOK_NOTICE};
    for (size_t index = 0; index < sizeof modes / sizeof *modes; index++)
        child_must_succeed(object_is_passed_on, &modes[index]);
}

/* ---- It has none, either ---- */

static void nothing_changes(void *context) {
    hak_hook_t hook = hook_of(context);
    unsigned char *block = hook.malloc(hook.context, SMALL_BYTES);
    pattern_fill(block, SMALL_BYTES, 1);
    take_all_small();
    previous_refuses = true;
    hak_stats_t before = stats_now();
    REQUIRE(hook.malloc(hook.context, SMALL_BYTES) == NULL);
    REQUIRE(hook.calloc(hook.context, 3, SMALL_BYTES / 3) == NULL);
    REQUIRE(hook.realloc(hook.context, NULL, SMALL_BYTES) == NULL);
    REQUIRE(hook.realloc(hook.context, block, MAPPING_BYTES) == NULL);
    require_calls(3, 1, 0, 0);
    REQUIRE(hak_owns(block) && pattern_holds(block, SMALL_BYTES, 1));
    REQUIRE_EQUAL(stats_now().live_blocks, before.live_blocks);
    require_passed(&before, 0, 0);
    hook.free(hook.context, block);
    require_calls(0, 0, 0, 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_nothing_changes(void **state) {
    (void)state;
    each_in_a_child(nothing_changes);
}

/* No allocator has so much, so nobody is asked for it. */
static void too_large_is_not_passed_on(void *context) {
    hak_hook_t hook = hook_of(context);
    unsigned char *block = hook.malloc(hook.context, SMALL_BYTES);
    pattern_fill(block, SMALL_BYTES, 1);
    hak_stats_t before = stats_now();
    size_t bytes = (size_t)PTRDIFF_MAX + 1;
    REQUIRE(hook.malloc(hook.context, bytes) == NULL);
    REQUIRE(hook.calloc(hook.context, 1, bytes) == NULL);
    REQUIRE(hook.calloc(hook.context, 2, bytes) == NULL); /* 0 bytes if the product were not checked */
    REQUIRE(hook.realloc(hook.context, NULL, bytes) == NULL);
    REQUIRE(hook.realloc(hook.context, block, bytes) == NULL);
    require_calls(0, 0, 0, 0);
    require_passed(&before, 0, 0);
    REQUIRE(pattern_holds(block, SMALL_BYTES, 1));
    hook.free(hook.context, block);
    stats_require_all_returned();
}

static void test_too_large_is_not_passed_on(void **state) {
    (void)state;
    each_in_a_child(too_large_is_not_passed_on);
}

/* ---- A block that was freed before ---- */

/* In all modes, with and without memory. One that is small is found with debug=2 alone. */
static void resize_a_freed_block(hak_hook_entry_t entry, hak_hook_mode_t mode, size_t bytes, bool has_memory) {
    Case one = {entry, HAK_HOOK_SERVE};
    hak_hook_t hook = hook_of(&one);
    void *keeper = hak_malloc(bytes), *block = hook.malloc(hook.context, bytes);
    hak_published()->hook_set_mode(mode);
    misuse_announce(block);
    hook.free(hook.context, block);
    refuses_maps = !has_memory;
    REQUIRE(hak_owns(block));
    REQUIRE(hook.realloc(hook.context, misuse_laundered(block), MAPPING_BYTES) == NULL);
    require_calls(0, 0, 0, 0);
    hak_free(keeper);
    stats_require_all_returned();
}

static int scenario(const char *argument) {
    unsigned entry, mode, has_memory;
    size_t bytes;
    REQUIRE_EQUAL(sscanf(argument, "%u %u %zu %u", &entry, &mode, &bytes, &has_memory), 4);
    resize_a_freed_block((hak_hook_entry_t)entry, (hak_hook_mode_t)mode, bytes, has_memory);
    return 0;
}

static void require_reported(hak_hook_entry_t entry, hak_hook_mode_t mode, size_t bytes, unsigned has_memory) {
    static const char *const environment[] = {"HAKMEM_DEBUG=2", "HAKMEM_ON_ERROR=report", NULL};
    static const char *const words[] = {"realloc of a freed block", "(size class "};
    char argument[128];
    snprintf(argument, sizeof argument, "%u %u %zu %u", (unsigned)entry, (unsigned)mode, bytes, has_memory);
    ChildResult result = child_run_self(argument, environment);
    misuse_require_report(argument, words, " free of ", ": ", &result);
    child_require_success(&result);
}

static void test_freed_blocks_do_not_move(void **state) {
    (void)state;
    static const size_t sizes[] = {SMALL_BYTES, RUN_BYTES};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        for (unsigned has_memory = 0; has_memory < 2; has_memory++) {
            for (size_t number = 0; number < CASES; number++)
                require_reported(cases[number].entry, cases[number].mode, sizes[index], has_memory);
            require_reported(HAK_HOOK_FIRST, HAK_HOOK_PASS, sizes[index], has_memory);
            require_reported(HAK_HOOK_OBJECT, HAK_HOOK_PASS, sizes[index], has_memory);
        }
    }
}

int main(int count, char **arguments) {
    if (count > 1) return scenario(arguments[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_are_passed_on),     cmocka_unit_test(test_blocks_move_out),
        cmocka_unit_test(test_object_is_passed_on),        cmocka_unit_test(test_nothing_changes),
        cmocka_unit_test(test_too_large_is_not_passed_on), cmocka_unit_test(test_freed_blocks_do_not_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
