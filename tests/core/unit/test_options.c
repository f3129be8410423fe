/*
 * unit/test_options.c - options: the table, get and set with their errors and messages, and the environment (this
 * program started anew, its stderr compared word by word).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support/child.h"
#include "support/stats.h"
#include "support/suite.h"

/* ---- The table ---- */

static void test_table_is_complete(void **state) {
    (void)state;
    static const char *const names[] = {
        "retain_bytes",
        "retain_percent",
        "retain_burst_bytes",
        "retain_burst_percent",
        "learn",
        "purge_delay_ms",
        "thp",
        "align",
        "on_error",
        "counters",
        "stats_at_exit",
        "stats_socket",
        "domains",
        "arrays",
        "debug",
        "tiny_use_superslab",
        "system_calls",
        "deepbind",
        "first_thread_bytes",
    };
    for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
        bool is_found = false;
        for (size_t row = 0; hak_option_info(row) != NULL; row++)
            is_found = is_found || strcmp(hak_option_info(row)->name, names[index]) == 0;
        if (!is_found) print_error("no option %s\n", names[index]);
        REQUIRE(is_found);
    }
    REQUIRE(hak_option_info(sizeof names / sizeof *names - 1) != NULL);
    REQUIRE(hak_option_info(sizeof names / sizeof *names) == NULL); /* a new row belongs into the list above */
}

static void test_rows_are_whole(void **state) {
    (void)state;
    size_t count = 0;
    for (const hak_option_info_t *row; (row = hak_option_info(count)) != NULL; count++) {
        char variable[64] = "HAKMEM_", value[64];
        size_t length = strlen(row->name);
        for (size_t letter = 0; letter <= length; letter++) {
            char c = row->name[letter];
            variable[7 + letter] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
        }
        assert_string_equal(row->variable, variable);
        REQUIRE_AT_LEAST(strlen(row->help), 10);
        REQUIRE(strchr(row->help, '\n') == NULL);
        REQUIRE(row->kind == HAK_OPTION_INTEGER ? row->minimum < row->maximum : row->choices[0] != '\0');
        REQUIRE_EQUAL(hak_option_get(row->name, value, sizeof value), 0);
        assert_string_equal(value, row->default_value);
        REQUIRE_EQUAL(hak_option_set(row->name, row->default_value, NULL, 0), row->at_start_only ? EPERM : 0);
    }
    REQUIRE_AT_LEAST(count, 13);
    REQUIRE(hak_option_info(count + 1) == NULL);
    REQUIRE(hak_option_info(SIZE_MAX) == NULL);
}

/* ---- Get and set ---- */

static void test_get_errors(void **state) {
    (void)state;
    char value[64];
    REQUIRE_EQUAL(hak_option_get("nonsense", value, sizeof value), ENOENT);
    REQUIRE_EQUAL(hak_option_get(NULL, value, sizeof value), EINVAL);
    REQUIRE_EQUAL(hak_option_get("retain_bytes", NULL, 64), EINVAL);
    REQUIRE_EQUAL(hak_option_get("retain_bytes", value, 7), ERANGE); /* "4194304" and its end are 8 */
    REQUIRE_EQUAL(hak_option_get("retain_bytes", value, 0), ERANGE);
    REQUIRE_EQUAL(hak_option_get("retain_bytes", value, 8), 0);
    assert_string_equal(value, "4194304");
}

static void test_set_and_get(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"retain_bytes", "0"},       {"retain_bytes", "9223372036854775807"},
        {"retain_bytes", "4194304"}, {"purge_delay_ms", "3600000"},
        {"purge_delay_ms", "250"},   {"counters", "1"},
        {"counters", "0"},           {"on_error", "report"},
        {"on_error", "abort"},       {"stats_at_exit", "1"},
        {"stats_at_exit", "0"},
    };
    for (size_t index = 0; index < sizeof pairs / sizeof *pairs; index++) {
        char message[100] = "untouched", value[64];
        REQUIRE_EQUAL(hak_option_set(pairs[index][0], pairs[index][1], message, sizeof message), 0);
        REQUIRE_EQUAL(hak_option_get(pairs[index][0], value, sizeof value), 0);
        assert_string_equal(value, pairs[index][1]);
    }
}

static void require_refused(const char *name, const char *value, int error, const char *wanted) {
    char message[256] = "", before[64] = "", after[64] = "";
    bool exists = name != NULL && hak_option_get(name, before, sizeof before) == 0;
    REQUIRE_EQUAL(hak_option_set(name, value, message, sizeof message), error);
    assert_string_equal(message, wanted);
    if (exists) REQUIRE_EQUAL(hak_option_get(name, after, sizeof after), 0);
    assert_string_equal(before, after);
    char tiny[8] = "1234567";
    REQUIRE_EQUAL(hak_option_set(name, value, tiny, 4), error);
    REQUIRE_EQUAL(strlen(tiny), 3);
    assert_string_equal(tiny + 4, "567");
    REQUIRE_EQUAL(hak_option_set(name, value, NULL, 100), error);
}

static void test_set_errors(void **state) {
    (void)state;
    require_refused("retain_byte", "1", ENOENT, "there is no option 'retain_byte'; the nearest is 'retain_bytes'");
    require_refused("alignment", "8", ENOENT, "there is no option 'alignment'; the nearest is 'align'");
    require_refused("delay", "8", ENOENT, "there is no option 'delay'; the nearest is 'purge_delay_ms'");
    require_refused("HAKMEM_THP", "8", ENOENT, "there is no option 'HAKMEM_THP'; the nearest is 'thp'");
    require_refused("Counter", "1", ENOENT, "there is no option 'Counter'; the nearest is 'counters'");
    static const char *const far_names[] = {"", "a", "no", "nonsense", "retain", "percent", "hakmem_", "thread_cache"};
    for (size_t index = 0; index < sizeof far_names / sizeof *far_names; index++) {
        char wanted[100];
        snprintf(wanted, sizeof wanted, "there is no option '%s'; options() lists them", far_names[index]);
        require_refused(far_names[index], "1", ENOENT, wanted);
    }
    require_refused("retain_bytes", "many", EINVAL,
                    "option 'retain_bytes' is not set: 'many' is not a whole number from 0 to 9223372036854775807");
    require_refused("retain_bytes", "", EINVAL,
                    "option 'retain_bytes' is not set: '' is not a whole number from 0 to 9223372036854775807");
    require_refused("retain_bytes", "-1", ERANGE,
                    "option 'retain_bytes' is not set: '-1' is not a whole number from 0 to 9223372036854775807");
    require_refused("retain_bytes", "9223372036854775808", ERANGE,
                    "option 'retain_bytes' is not set: '9223372036854775808' is not a whole number from 0 to "
                    "9223372036854775807");
    require_refused("retain_percent", "1001", ERANGE,
                    "option 'retain_percent' is not set: '1001' is not a whole number from 0 to 1000");
    require_refused("retain_percent", "5%", EINVAL,
                    "option 'retain_percent' is not set: '5%' is not a whole number from 0 to 1000");
    require_refused("retain_percent", " 5", EINVAL,
                    "option 'retain_percent' is not set: ' 5' is not a whole number from 0 to 1000");
    require_refused("on_error", "ignore", EINVAL, "option 'on_error' is not set: 'ignore' is not one of abort,report");
    require_refused("on_error", "abort,report", EINVAL,
                    "option 'on_error' is not set: 'abort,report' is not one of abort,report");
    require_refused("domains", "mem,oops", EINVAL,
                    "option 'domains' is not set: 'mem,oops' is not some of raw,mem,obj");
    require_refused("domains", "mem", EPERM,
                    "option 'domains' is read once at the start; set HAKMEM_DOMAINS=mem in the environment");
    require_refused("align", "16", EPERM,
                    "option 'align' is read once at the start; set HAKMEM_ALIGN=16 in the environment");
    require_refused(NULL, "1", EINVAL, "the name of an option is missing; give it as text");
    require_refused("counters", NULL, EINVAL, "the value of an option is missing; give it as text");
}

/* ---- The environment: this program prints every option's value ---- */

static int print_values(void) {
    for (size_t index = 0; hak_option_info(index) != NULL; index++) {
        char value[64];
        if (hak_option_get(hak_option_info(index)->name, value, sizeof value) != 0) return 1;
        if (strcmp(value, hak_option_info(index)->default_value) != 0)
            fprintf(stderr, "%s is %s\n", hak_option_info(index)->name, value);
    }
    return 0;
}

static void require_environment(const char *const *environment, const char *wanted) {
    ChildResult result = child_run_self("print", environment);
    child_require_success(&result);
    assert_string_equal(result.errors, wanted);
}

static void test_good_environment(void **state) {
    (void)state;
    require_environment((const char *const[]){NULL}, "");
    require_environment((const char *const[]){"HAKMEM=1", "HAKMEMORY=1", NULL}, ""); /* not ours to judge */
    require_environment((const char *const[]){"HAKMEM_RETAIN_BYTES=123", "HAKMEM_THP=never", "HAKMEM_DOMAINS=obj,raw",
                                              "HAKMEM_ALIGN=16", "HAKMEM_DEBUG=2", NULL},
                        "retain_bytes is 123\nthp is never\nalign is 16\ndomains is raw,obj\ndebug is 2\n");
}

static void test_bad_values_in_environment(void **state) {
    (void)state;
    require_environment((const char *const[]){"HAKMEM_RETAIN_BYTES=lots", NULL},
                        "hakmem: warning: HAKMEM_RETAIN_BYTES=lots is not a whole number from 0 to "
                        "9223372036854775807; 4194304 is used instead\n");
    require_environment((const char *const[]){"HAKMEM_RETAIN_PERCENT=1001", NULL},
                        "hakmem: warning: HAKMEM_RETAIN_PERCENT=1001 is not a whole number from 0 to 1000; 5 is used "
                        "instead\n");
    require_environment((const char *const[]){"HAKMEM_THP=sometimes", NULL},
                        "hakmem: warning: HAKMEM_THP=sometimes is not one of never,auto,always; auto is used "
                        "instead\n");
    require_environment((const char *const[]){"HAKMEM_DOMAINS=", NULL},
                        "hakmem: warning: HAKMEM_DOMAINS= is not some of raw,mem,obj; mem,obj is used instead\n");
    require_environment((const char *const[]){"HAKMEM_COUNTERS=yes", NULL},
                        "hakmem: warning: HAKMEM_COUNTERS=yes is not one of 0,1; 0 is used instead\n");
}

static void test_unknown_names_in_environment(void **state) {
    (void)state;
    require_environment((const char *const[]){"HAKMEM_RETAIN_BYTE=1", NULL},
                        "hakmem: warning: HAKMEM_RETAIN_BYTE is not an option and is ignored; the nearest is "
                        "HAKMEM_RETAIN_BYTES\n");
    require_environment((const char *const[]){"HAKMEM_COUNTER=1", "HAKMEM_PURGE_DELAY=10", NULL},
                        "hakmem: warning: HAKMEM_COUNTER is not an option and is ignored; the nearest is "
                        "HAKMEM_COUNTERS\n"
                        "hakmem: warning: HAKMEM_PURGE_DELAY is not an option and is ignored; the nearest is "
                        "HAKMEM_PURGE_DELAY_MS\n");
    require_environment((const char *const[]){"HAKMEM_NONSENSE=1", "HAKMEM_RETAIN=1", "HAKMEM_thp=never", NULL},
                        "hakmem: warning: HAKMEM_NONSENSE is not an option and is ignored; 'hakmem options' lists "
                        "them\n"
                        "hakmem: warning: HAKMEM_RETAIN is not an option and is ignored; 'hakmem options' lists them\n"
                        "hakmem: warning: HAKMEM_thp is not an option and is ignored; the nearest is HAKMEM_THP\n");
}

/* ---- Former names ---- */

static void test_former_names_in_environment(void **state) {
    (void)state;
    require_environment(
        (const char *const[]){"HAKMEM_RETAIN_YOUNG_BYTES=123", "HAKMEM_RETAIN_YOUNG_PERCENT=7", NULL},
        "hakmem: warning: HAKMEM_RETAIN_YOUNG_BYTES is called HAKMEM_RETAIN_BURST_BYTES now; the former "
        "name works until hakmem 0.3.0\n"
        "hakmem: warning: HAKMEM_RETAIN_YOUNG_PERCENT is called HAKMEM_RETAIN_BURST_PERCENT now; the "
        "former name works until hakmem 0.3.0\n"
        "retain_burst_bytes is 123\nretain_burst_percent is 7\n");
    require_environment((const char *const[]){"HAKMEM_RETAIN_YOUNG_BYTES=1", "HAKMEM_RETAIN_BURST_BYTES=2", NULL},
                        "hakmem: warning: HAKMEM_RETAIN_YOUNG_BYTES is ignored: it is called HAKMEM_RETAIN_BURST_BYTES "
                        "now, which is set, too\n"
                        "retain_burst_bytes is 2\n");
    require_environment(
        (const char *const[]){"HAKMEM_RETAIN_YOUNG_BYTES=x", NULL},
        "hakmem: warning: HAKMEM_RETAIN_YOUNG_BYTES is called HAKMEM_RETAIN_BURST_BYTES now; the former "
        "name works until hakmem 0.3.0\n"
        "hakmem: warning: HAKMEM_RETAIN_YOUNG_BYTES=x is not a whole number from 0 to "
        "9223372036854775807; 16777216 is used instead\n");
}

/* Set and get twice by a former name: one warning for all four calls. */
static int use_former_name(void) {
    for (int time = 0; time < 2; time++) {
        char value[64], present[64];
        if (hak_option_set("retain_young_percent", "33", NULL, 0) != 0) return 1;
        if (hak_option_get("retain_young_percent", value, sizeof value) != 0) return 1;
        if (hak_option_get("retain_burst_percent", present, sizeof present) != 0) return 1;
        if (strcmp(value, "33") != 0 || strcmp(present, "33") != 0) return 1;
    }
    return 0;
}

static void test_former_names_at_run_time(void **state) {
    (void)state;
    ChildResult result = child_run_self("former", (const char *const[]){NULL});
    child_require_success(&result);
    assert_string_equal(result.errors, "hakmem: warning: retain_young_percent is called retain_burst_percent now; the "
                                       "former name works until hakmem 0.3.0\n");
}

/* Whatever the environment holds, each warning is one line and the process goes on. */
static void test_monstrous_environment(void **state) {
    (void)state;
    static char long_value[3000] = "HAKMEM_RETAIN_BYTES=", long_name[3000] = "HAKMEM_";
    memset(long_value + strlen(long_value), 'v', sizeof long_value - strlen(long_value) - 1);
    memset(long_name + strlen(long_name), 'N', sizeof long_name - strlen(long_name) - 3);
    strcat(long_name, "=1");
    const char *const environment[] = {long_value, long_name, "HAKMEM_", "HAKMEM_=", NULL};
    ChildResult result = child_run_self("print", environment);
    child_require_success(&result);
    size_t lines = 0;
    for (const char *letter = result.errors; *letter != '\0'; letter++) lines += *letter == '\n';
    REQUIRE(lines == 3 || lines == 4); /* putenv may drop the last name without a value */
    REQUIRE(strstr(result.errors, "hakmem: warning: HAKMEM_RETAIN_BYTES=vvv") == result.errors);
}

static void test_a_value_with_line_breaks_is_one_line(void **state) {
    (void)state;
    ChildResult result = child_run_self("print", (const char *const[]){"HAKMEM_THP=\n\x1b[31m", NULL});
    child_require_success(&result);
    REQUIRE(strstr(result.errors, "hakmem: warning: HAKMEM_THP=??[31m ") == result.errors);
    REQUIRE(strchr(result.errors, '\n') == result.errors + strlen(result.errors) - 1);
}

/* A terminal obeys U+009B, and in 8-bit mode the byte 0x9B, as it does the escape; so may one that reads sequences that
 * are no UTF-8, and letters that change the direction or end a line. Other letters are shown. */
static void test_a_value_with_controls_of_the_second_set(void **state) {
    (void)state;
    static const char *const environment[] = {"HAKMEM_THP=\xC2\x9B"
                                              "31m\x9B"
                                              "1m \xE4\xB8\xAD\xC2\xA0\xE4\xB8",
                                              NULL};
    ChildResult result = child_run_self("print", environment);
    child_require_success(&result);
    REQUIRE(strstr(result.errors, "hakmem: warning: HAKMEM_THP=??31m?1m \xE4\xB8\xAD\xC2\xA0?? ") == result.errors);
    static const char *const lookalikes[] = {"HAKMEM_THP=\xE0\x80\x9B \xED\xA0\x80 \xF4\x90\x80\x80 "
                                             "\xE2\x80\xAE\xE2\x80\xA8\xE2\x81\xA6\xEF\xBB\xBF \xF0\x9F\x98\x80 "
                                             "\xD8\x9C\xE2\x80\x8E\xE2\x80\x8F",
                                             NULL};
    ChildResult shown = child_run_self("print", lookalikes);
    child_require_success(&shown);
    REQUIRE(strstr(shown.errors, "hakmem: warning: HAKMEM_THP=??? ??? ???? ???????????? \xF0\x9F\x98\x80 ???????? ") ==
            shown.errors);
    char message[200];
    int refused = hak_option_set("\xC2\x9B"
                                 "31m\xE4\xB8\xAD",
                                 "1", message, sizeof message);
    REQUIRE_EQUAL(refused, ENOENT);
    REQUIRE(strstr(message, "there is no option '??31m\xE4\xB8\xAD';") == message);
}

int main(int count, char **arguments) {
    if (count > 1) return strcmp(arguments[1], "former") == 0 ? use_former_name() : print_values();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_complete),
        cmocka_unit_test(test_rows_are_whole),
        cmocka_unit_test(test_get_errors),
        cmocka_unit_test(test_set_and_get),
        cmocka_unit_test(test_set_errors),
        cmocka_unit_test(test_good_environment),
        cmocka_unit_test(test_bad_values_in_environment),
        cmocka_unit_test(test_unknown_names_in_environment),
        cmocka_unit_test(test_former_names_in_environment),
        cmocka_unit_test(test_former_names_at_run_time),
        cmocka_unit_test(test_monstrous_environment),
        cmocka_unit_test(test_a_value_with_line_breaks_is_one_line),
        cmocka_unit_test(test_a_value_with_controls_of_the_second_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
