/*
 * unit/test_json.c - the visitor that writes JSON: quotes, backslashes and control characters in a text, the largest
 * number, and how many bytes it says it needs where the buffer is too small.
 */
#include <string.h>

#include "control/json.h"
#include "support/suite.h"

static char text[256];

static Json written(size_t capacity, const char *value) {
    Json json;
    memset(text, '#', sizeof text);
    json_begin(&json, text, capacity);
    hak_visitor_t visitor = json_visitor(&json);
    visitor.begin_map(visitor.context, NULL);
    visitor.text(visitor.context, "key", value);
    visitor.end_map(visitor.context, NULL);
    return json;
}

static void test_texts_are_quoted(void **state) {
    (void)state;
    static const struct {
        const char *value, *wanted;
    } cases[] = {
        {"", "{\"key\": \"\"}"},
        {"plain \xe2\x82\xac", "{\"key\": \"plain \xe2\x82\xac\"}"},
        {"say \"no\"", "{\"key\": \"say \\\"no\\\"\"}"},
        {"back\\slash", "{\"key\": \"back\\\\slash\"}"},
        {"\x01\x0a\x1f ", "{\"key\": \"\\u0001\\u000a\\u001f \"}"},
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        Json json = written(sizeof text, cases[index].value);
        assert_string_equal(text, cases[index].wanted);
        REQUIRE_EQUAL(json.needed, strlen(text));
    }
}

static void test_all_kinds_of_item(void **state) {
    (void)state;
    Json json;
    json_begin(&json, text, sizeof text);
    hak_visitor_t visitor = json_visitor(&json);
    visitor.begin_list(visitor.context, NULL);
    visitor.count(visitor.context, NULL, UINT64_MAX);
    visitor.count(visitor.context, NULL, 0);
    visitor.flag(visitor.context, NULL, 1);
    visitor.flag(visitor.context, NULL, 0);
    visitor.none(visitor.context, NULL);
    visitor.end_list(visitor.context, NULL);
    assert_string_equal(text, "[18446744073709551615, 0, true, false, null]");
}

static void test_needs_are_the_same_in_any_buffer(void **state) {
    (void)state;
    size_t wanted = written(sizeof text, "a \"b\" \n").needed;
    for (size_t capacity = 0; capacity <= wanted + 1; capacity++) {
        REQUIRE_EQUAL(written(capacity, "a \"b\" \n").needed, wanted);
        if (capacity > 0) REQUIRE_EQUAL(strlen(text), capacity - 1 < wanted ? capacity - 1 : wanted);
        REQUIRE_EQUAL(text[capacity], '#');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_quoted),
        cmocka_unit_test(test_all_kinds_of_item),
        cmocka_unit_test(test_needs_are_the_same_in_any_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
