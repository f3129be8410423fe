/*
 * death/test_sized_free.c - hak_free_sized with a size that does not fit: reported as corruption from debug level 1 on,
 * not looked at below. The level is read at the start, so each case is this program started anew.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/child.h"
#include "support/stats.h"
#include "support/suite.h"

static int foreign_block[25];

static int scenario(const char *name) {
    static const struct {
        const char *name;
        size_t size_bytes, freed_as_bytes;
        bool is_beyond_usable; /* freed_as_bytes more than the block has */
    } rows[] = {
        {"right", 100, 100, false},
        {"usable", 100, 104, false},
        {"all_usable", 100, 0, true},
        {"one_too_large", 100, 1, true},
        {"too_large", 100, 5000, false},
        {"far_too_large", 16, SIZE_MAX, false},
        {"large_right", 100000, 100000, false},
        {"large_all_usable", 100000, 0, true},
        {"large_one_too_large", 100000, 1, true},
        {"large_wrong", 100000, 500000, false},
    };
    if (strcmp(name, "foreign") == 0) {
        void *volatile block = foreign_block;
        hak_free(hak_malloc(1)); /* the level is read with the first request */
        hak_free_sized(block, sizeof foreign_block);
        return 0;
    }
    for (size_t index = 0; index < sizeof rows / sizeof *rows; index++) {
        if (strcmp(rows[index].name, name) != 0) continue;
        void *block = hak_malloc(rows[index].size_bytes);
        size_t usable_bytes = rows[index].is_beyond_usable ? hak_usable_size(block) : 0;
        hak_free_sized(NULL, 17);
        hak_free_sized(block, usable_bytes + rows[index].freed_as_bytes);
        hak_thread_flush();
        return hak_check() == 0 ? 0 : 1;
    }
    return 2;
}

static ChildResult start(const char *name, const char *debug, const char *on_error) {
    const char *environment[] = {debug, on_error, NULL};
    return child_run_self(name, environment);
}

static void test_fitting_sizes_pass(void **state) {
    (void)state;
    static const char *const names[] = {"right", "usable", "all_usable", "large_right", "large_all_usable"};
    static const char *const levels[] = {"HAKMEM_DEBUG=0", "HAKMEM_DEBUG=1", "HAKMEM_DEBUG=2"};
    for (size_t name = 0; name < sizeof names / sizeof *names; name++)
        for (size_t level = 0; level < 3; level++) {
            ChildResult result = start(names[name], levels[level], NULL);
            child_require_success(&result);
            assert_string_equal(result.errors, "");
        }
}

static void test_wrong_sizes_are_corruption(void **state) {
    (void)state;
    static const char *const names[] = {"one_too_large", "too_large", "far_too_large", "large_one_too_large",
                                        "large_wrong"};
    static const char *const words[] = {"corruption", " is freed as ", "size class ", "thread ", NULL};
    for (size_t name = 0; name < sizeof names / sizeof *names; name++) {
        ChildResult result = start(names[name], "HAKMEM_DEBUG=1", NULL);
        child_require_abort(&result, words);
        result = start(names[name], "HAKMEM_DEBUG=2", NULL);
        child_require_abort(&result, words);
        result = start(names[name], "HAKMEM_DEBUG=1", "HAKMEM_ON_ERROR=report");
        child_require_success(&result);
        REQUIRE(strstr(result.errors, "hakmem: error: corruption") == result.errors);
    }
}

/* Of a block that hakmem does not know it knows no size: it is an invalid free, at each level. */
static void test_foreign_block(void **state) {
    (void)state;
    static const char *const levels[] = {"HAKMEM_DEBUG=0", "HAKMEM_DEBUG=1", "HAKMEM_DEBUG=2"};
    static const char *const words[] = {"invalid free of 0x", "not a block of hakmem", "thread ", NULL};
    for (size_t level = 0; level < 3; level++) {
        ChildResult result = start("foreign", levels[level], NULL);
        child_require_abort(&result, words);
    }
}

static void test_level_0_does_not_look(void **state) {
    (void)state;
    ChildResult result = start("too_large", "HAKMEM_DEBUG=0", NULL);
    child_require_success(&result);
    assert_string_equal(result.errors, "");
}

int main(int count, char **arguments) {
    if (count > 1) return scenario(arguments[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fitting_sizes_pass),
        cmocka_unit_test(test_wrong_sizes_are_corruption),
        cmocka_unit_test(test_foreign_block),
        cmocka_unit_test(test_level_0_does_not_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
