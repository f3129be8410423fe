/*
 * unit/test_control_refused.c - the control functions where a core of another version serves the process: each says so,
 * gives nothing, and starts nothing. The version is then that of the core which the caller is linked with.
 *
 * In unit because the link wraps the look for other cores: the test is what it finds.
 */
#include <hakmem_control.h>
#include <hakmem_core.h>
#include <stdio.h>
#include <string.h>

#include "platform/os.h"
#include "support/suite.h"

static int is_started(void) { return 1; }

/* With the members that every version has. */
static const hak_core_t *publish(void) {
    static const hak_core_t other = {.version = HAK_CORE_VERSION + 7, .is_started = is_started};
    return &other;
}

static unsigned searches;

void __wrap_hak_core_os_objects_ask(const char *symbol, OsObjectVisit visit, void *context);
void __wrap_hak_core_os_objects_ask(const char *symbol, OsObjectVisit visit, void *context) {
    (void)symbol;
    searches++;
    visit(context, (void *)(uintptr_t)publish, "/usr/lib/other.so");
}

static hak_error_t error;

static void require_refused(int result) {
    char wanted[HAK_CORE_MESSAGE_BYTES];
    snprintf(wanted, sizeof wanted,
             "another hakmem serves this process, with interface %d where hakmem %s knows %d: /usr/lib/other.so; use "
             "the same release of hakmem in both",
             HAK_CORE_VERSION + 7, HAK_VERSION_STRING, HAK_CORE_VERSION);
    REQUIRE_EQUAL(result, HAK_ERROR_CORE);
    REQUIRE_EQUAL((int)error.code, HAK_ERROR_CORE);
    assert_string_equal(error.message, wanted);
    memset(&error, 0, sizeof error);
}

/* Fails when it is called. */
static void never_map(void *context, const char *key) { (void)context, (void)key, abort(); }
static void never_count(void *context, const char *key, uint64_t count) { (void)count, never_map(context, key); }
static void never_text(void *context, const char *key, const char *text) { (void)text, never_map(context, key); }
static void never_flag(void *context, const char *key, int flag) { (void)flag, never_map(context, key); }
static const hak_visitor_t visitor = {NULL,        never_map,  never_map,  never_map, never_map,
                                      never_count, never_text, never_flag, never_map};

static void test_options_are_refused(void **state) {
    (void)state;
    hak_option_value_t value = {.text = "before"};
    char *text = (char *)&value;
    require_refused(hak_control_option_get("counters", &value, &error));
    assert_string_equal(value.text, "");
    require_refused(hak_control_option_set("counters", "1", &error));
    require_refused(hak_control_options(&visitor, &error));
    require_refused(hak_control_options_json(&text, &error));
    REQUIRE(text == NULL);
}

static void test_stats_and_trim_are_refused(void **state) {
    (void)state;
    uint64_t given_back_bytes = 1;
    char *text = (char *)&given_back_bytes;
    require_refused(hak_control_stats(&visitor, &error));
    require_refused(hak_control_stats_json(&text, &error));
    REQUIRE(text == NULL);
    require_refused(hak_control_trim(&given_back_bytes, &error));
    REQUIRE_EQUAL(given_back_bytes, 0);
    hak_control_text_free((char *)&given_back_bytes); /* whose is it? it stays */
    hak_control_text_free(NULL);
}

static void test_heaps_are_refused(void **state) {
    (void)state;
    uint64_t number = 1;
    require_refused(hak_control_heap_new(0, 0, 0, &number, &error));
    REQUIRE_EQUAL(number, 0);
    require_refused(hak_control_heap_destroy(1, &error));
    require_refused(hak_control_heap_set_limit(1, 0, 0, &error));
    require_refused(hak_control_heap_stats(1, &visitor, &error));
    require_refused(hak_control_heaps(&visitor, &error));
    REQUIRE(hak_control_heap(1) == NULL);
}

static void test_version_is_ones_own(void **state) {
    (void)state;
    assert_string_equal(hak_control_version(), HAK_VERSION_STRING);
}

static void test_refused_without_a_place_for_the_message(void **state) {
    (void)state;
    REQUIRE(hak_core(NULL, 0) == NULL);
    REQUIRE_EQUAL(hak_control_option_set("counters", "1", NULL), HAK_ERROR_CORE);
    REQUIRE_EQUAL(hak_published()->is_started(), 0);
    REQUIRE_OP(searches, >, 10); /* each time anew: the other one may have been unloaded */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_are_refused),
        cmocka_unit_test(test_stats_and_trim_are_refused),
        cmocka_unit_test(test_heaps_are_refused),
        cmocka_unit_test(test_version_is_ones_own),
        cmocka_unit_test(test_refused_without_a_place_for_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
