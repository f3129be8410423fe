/*
 * unit/test_option_names.c - names that are no option: in capitals, longer than any name, as near to one option as to
 * another, as long as a former name; and a process without an environment.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/option.h"
#include "support/child.h"
#include "support/suite.h"

static void require_answer(const char *name, const char *wanted) {
    char message[512] = "", whole[512];
    REQUIRE_EQUAL(hak_option_set(name, "1", message, sizeof message), ENOENT);
    snprintf(whole, sizeof whole, "there is no option '%s'%s", name, wanted);
    assert_string_equal(message, whole);
}

static void test_capitals_and_dashes(void **state) {
    (void)state;
    require_answer("PURGE_DELAY_MS", "; the nearest is 'purge_delay_ms'");
    require_answer("purge-delay-ms", "; the nearest is 'purge_delay_ms'");
    require_answer("HAKMEM_Retain_Bytes", "; the nearest is 'retain_bytes'");
}

/* Of two that are near enough the nearer one, whichever comes first in the table. */
static void test_the_nearer_one_of_two(void **state) {
    (void)state;
    require_answer("retain_byte", "; the nearest is 'retain_bytes'");
    require_answer("retain_percen", "; the nearest is 'retain_percent'");
    require_answer("retain_burst_byte", "; the nearest is 'retain_burst_bytes'");
}

static void test_long_names(void **state) {
    (void)state;
    char name[200];
    memset(name, 'x', sizeof name);
    for (size_t length = 60; length < 70; length++) {
        name[length] = '\0';
        require_answer(name, "; options() lists them");
        name[length] = 'x';
    }
}

/* ---- The environment ---- */

static void start_without_environment(void *unused) {
    (void)unused;
    extern char **environ;
    environ = NULL;
    void *block = hak_malloc(10);
    REQUIRE(block != NULL);
    hak_free(block);
    char value[64];
    REQUIRE_EQUAL(hak_option_get("counters", value, sizeof value), 0);
    assert_string_equal(value, "0");
}

static void test_no_environment(void **state) {
    (void)state;
    child_must_succeed(start_without_environment, NULL);
}

enum { LENGTHS = 40 };

static void start_with_unknown_variables(void *unused) {
    (void)unused;
    for (size_t length = 1; length < LENGTHS; length++) {
        char name[LENGTHS + 16] = "HAKMEM_";
        memset(name + strlen(name), 'X', length);
        REQUIRE_EQUAL(setenv(name, "1", 1), 0);
    }
    hak_free(hak_malloc(10));
}

/* Each is named, also one that is as long as a variable. */
static void test_unknown_variables_of_all_lengths(void **state) {
    (void)state;
    ChildResult result = child_run(start_with_unknown_variables, NULL);
    REQUIRE_EQUAL(result.exit_code, 0);
    size_t lines = 0;
    for (const char *line = result.errors; (line = strstr(line, "hakmem: warning: ")) != NULL; line++) lines++;
    REQUIRE_EQUAL(lines, LENGTHS - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_environment), /* these two before anything starts the core in this process */
        cmocka_unit_test(test_unknown_variables_of_all_lengths),
        cmocka_unit_test(test_capitals_and_dashes),
        cmocka_unit_test(test_the_nearer_one_of_two),
        cmocka_unit_test(test_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
