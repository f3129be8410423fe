/*
 * unit/test_control.c - the control functions: answers item by item and as JSON from one list of fields, heaps by
 * number, and errors in one line, also for NULL everywhere.
 */
#include <errno.h>
#include <hakmem_control.h>
#include <hakmem_core.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/child.h"
#include "support/suite.h"

static hak_error_t error;

#define REQUIRE_ERROR(call, expected_code, expected_text)    \
    do {                                                     \
        REQUIRE_EQUAL((call), (expected_code));              \
        REQUIRE_EQUAL((int)error.code, (expected_code));     \
        assert_string_equal(error.message, (expected_text)); \
    } while (0)

/* ---- A visitor that writes one line per item ---- */

typedef struct Trace {
    char text[65536];
    size_t used;
    int depth;
} Trace;

static void trace(Trace *trace, const char *kind, const char *key, const char *value) {
    int length = snprintf(trace->text + trace->used, sizeof trace->text - trace->used, "%d %s %s %s\n", trace->depth,
                          kind, key == NULL ? "-" : key, value);
    REQUIRE_AT_LEAST(sizeof trace->text - trace->used, (size_t)length + 1);
    trace->used += (size_t)length;
}

static void begin_map(void *context, const char *key) { trace(context, "map", key, ""), ((Trace *)context)->depth++; }
static void begin_list(void *context, const char *key) { trace(context, "list", key, ""), ((Trace *)context)->depth++; }
static void end_any(void *context, const char *key) { (void)key, ((Trace *)context)->depth--; }
static void visit_text(void *context, const char *key, const char *text) { trace(context, "text", key, text); }
static void visit_flag(void *context, const char *key, int flag) { trace(context, "flag", key, flag ? "1" : "0"); }
static void visit_none(void *context, const char *key) { trace(context, "none", key, ""); }
static void visit_count(void *context, const char *key, uint64_t count) {
    char digits[32];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    trace(context, "count", key, digits);
}

static hak_visitor_t visitor_of(Trace *trace) {
    trace->used = 0;
    trace->depth = 0;
    return (hak_visitor_t){trace,       begin_map,  end_any,    begin_list, end_any,
                           visit_count, visit_text, visit_flag, visit_none};
}

static Trace seen;

/* ---- Options ---- */

static void test_options_are_read_and_set(void **state) {
    (void)state;
    hak_option_value_t value;
    REQUIRE_ERROR(hak_control_option_set("purge_delay_ms", "125", &error), HAK_ERROR_NONE, "");
    REQUIRE_ERROR(hak_control_option_get("purge_delay_ms", &value, &error), HAK_ERROR_NONE, "");
    assert_string_equal(value.text, "125");
    REQUIRE(value.is_number == 1 && value.number == 125);
    REQUIRE_EQUAL(hak_control_option_get("counters", &value, NULL), 0);
    REQUIRE(value.is_number == 1 && value.number == 0); /* a choice among numbers */
    REQUIRE_EQUAL(hak_control_option_get("thp", &value, NULL), 0);
    REQUIRE(value.is_number == 0);
    assert_string_equal(value.text, "auto");
}

static void use_former_names(void *unused) {
    (void)unused;
    hak_option_value_t value;
    REQUIRE_ERROR(hak_control_option_get("retain_young_bytes", &value, &error), HAK_ERROR_NONE, "");
    REQUIRE(value.is_number == 1 && value.number == 16 << 20);
    REQUIRE_ERROR(hak_control_option_set("retain_young_percent", "33", &error), HAK_ERROR_NONE, "");
    REQUIRE_ERROR(hak_control_option_get("retain_young_percent", &value, &error), HAK_ERROR_NONE, "");
    assert_string_equal(value.text, "33");
    REQUIRE_ERROR(hak_control_option_get("retain_burst_percent", &value, &error), HAK_ERROR_NONE, "");
    REQUIRE(value.is_number == 1 && value.number == 33);
}

/* As hak_option_get: each warns once. */
static void test_former_names_of_options(void **state) {
    (void)state;
    ChildResult result = child_run(use_former_names, NULL);
    child_require_success(&result);
    assert_string_equal(result.errors,
                        "hakmem: warning: retain_young_bytes is called retain_burst_bytes now; the former name works "
                        "until hakmem 0.3.0\n"
                        "hakmem: warning: retain_young_percent is called retain_burst_percent now; the former name "
                        "works until hakmem 0.3.0\n");
}

static void test_option_errors(void **state) {
    (void)state;
    hak_option_value_t value;
    const char *unknown = "there is no option 'purge_delay'; the nearest is 'purge_delay_ms'";
    REQUIRE_ERROR(hak_control_option_get("purge_delay", &value, &error), HAK_ERROR_NAME, unknown);
    REQUIRE_ERROR(hak_control_option_set("purge_delay", "1", &error), HAK_ERROR_NAME, unknown);
    REQUIRE_ERROR(hak_control_option_set("purge_delay_ms", "soon", &error), HAK_ERROR_VALUE,
                  "option 'purge_delay_ms' is not set: 'soon' is not a whole number from 0 to 3600000");
    REQUIRE_ERROR(hak_control_option_set("purge_delay_ms", "3600001", &error), HAK_ERROR_VALUE,
                  "option 'purge_delay_ms' is not set: '3600001' is not a whole number from 0 to 3600000");
    REQUIRE_ERROR(hak_control_option_set("thp", "never", &error), HAK_ERROR_AT_START,
                  "option 'thp' is read once at the start; set HAKMEM_THP=never in the environment");
}

static void test_options_are_told(void **state) {
    (void)state;
    hak_visitor_t visitor = visitor_of(&seen);
    REQUIRE_EQUAL(hak_control_option_set("purge_delay_ms", "250", NULL), 0);
    REQUIRE_EQUAL(hak_control_options(&visitor, &error), 0);
    REQUIRE(strncmp(seen.text, "0 list - \n1 map - \n2 text name retain_bytes\n", 44) == 0);
    REQUIRE(strstr(seen.text, "2 text name purge_delay_ms\n2 text variable HAKMEM_PURGE_DELAY_MS\n2 text kind integer\n"
                              "2 count value 250\n2 count default 250\n2 count minimum 0\n2 count maximum 3600000\n"
                              "2 list choices \n2 text unit ms\n") != NULL);
    REQUIRE(strstr(seen.text,
                   "2 text kind choice\n2 text value auto\n2 text default auto\n2 none minimum \n"
                   "2 none maximum \n2 list choices \n3 text - never\n3 text - auto\n3 text - always\n") != NULL);
    char *text;
    REQUIRE_EQUAL(hak_control_options_json(&text, &error), 0);
    REQUIRE(strncmp(text, "{\"version\": 1, \"options\": [{\"name\": \"retain_bytes\", ", 52) == 0);
    REQUIRE(strstr(text, "\"minimum\": null, \"maximum\": null, \"choices\": [\"never\", \"auto\", \"always\"]") !=
            NULL);
    REQUIRE(strstr(text, "\"at_start_only\": true}") != NULL && strchr(text, '\n') == NULL);
    hak_control_text_free(text);
}

/* ---- Stats ---- */

static void test_stats_are_told_as_they_are(void **state) {
    (void)state;
    hak_visitor_t visitor = visitor_of(&seen);
    void *block = hak_malloc(48);
    hak_stats_t stats = HAK_STATS_INIT;
    REQUIRE_EQUAL(hak_control_stats(&visitor, &error), 0);
    REQUIRE_EQUAL(hak_stats_get(&stats), 0);
    char wanted[256];
    snprintf(wanted, sizeof wanted, "0 map - \n1 count version %u\n1 count live_bytes %llu\n1 count live_blocks %llu\n",
             HAK_STATS_VERSION, (unsigned long long)stats.live_bytes, (unsigned long long)stats.live_blocks);
    REQUIRE(strncmp(seen.text, wanted, strlen(wanted)) == 0);
    REQUIRE(strstr(seen.text, "1 list classes \n2 map - \n3 count block_bytes 8\n") != NULL);
    REQUIRE(strstr(seen.text, "1 map counters \n") != NULL && strstr(seen.text, "refill") == NULL);
    REQUIRE(strstr(seen.text, "heaps") == NULL);
    hak_free(block);
}

static void test_counters_are_told_while_they_are_on(void **state) {
    (void)state;
    hak_visitor_t visitor = visitor_of(&seen);
    REQUIRE_EQUAL(hak_control_option_set("counters", "1", NULL), 0);
    REQUIRE_EQUAL(hak_control_stats(&visitor, &error), 0);
    REQUIRE_EQUAL(hak_control_option_set("counters", "0", NULL), 0);
    REQUIRE(strstr(seen.text, "1 map counters \n2 count refill_") != NULL);
}

/* The document has the same items as the visitor sees, in the same order, and the heaps. */
static void test_json_is_the_same_walk(void **state) {
    (void)state;
    char *text;
    uint64_t number;
    REQUIRE_EQUAL(hak_control_heap_new(0, 4096, 0, &number, &error), 0);
    REQUIRE_EQUAL(hak_control_stats_json(&text, &error), 0);
    hak_visitor_t visitor = visitor_of(&seen);
    REQUIRE_EQUAL(hak_control_stats(&visitor, &error), 0);
    const char *place = text;
    for (const char *line = seen.text; *line != '\0'; line = strchr(line, '\n') + 1) {
        char key[64] = "", quoted[80];
        if (sscanf(line, "%*d %*s %63s", key) != 1 || strcmp(key, "-") == 0) continue;
        snprintf(quoted, sizeof quoted, "\"%s\": ", key);
        place = strstr(place, quoted);
        if (place == NULL) print_error("not in the document, or not in this order: %s\n", key);
        REQUIRE(place != NULL);
    }
    char wanted[256];
    snprintf(wanted, sizeof wanted,
             "{\"heap\": %llu, \"used_bytes\": 0, \"used_blocks\": 0, \"peak_bytes\": 0, \"soft_limit_bytes\": 0, "
             "\"hard_limit_bytes\": 4096, \"soft_refusals\": 0, \"hard_refusals\": 0}]}",
             (unsigned long long)number);
    REQUIRE(strstr(place, "\"heaps\": [") != NULL);
    REQUIRE(strcmp(text + strlen(text) - strlen(wanted), wanted) == 0);
    REQUIRE(strchr(text, '\n') == NULL);
    hak_control_text_free(text);
    REQUIRE_EQUAL(hak_control_heap_destroy(number, &error), 0);
}

static void test_trim_and_version(void **state) {
    (void)state;
    uint64_t bytes = 1;
    char *block = hak_malloc(300000);
    memset(block, 1, 300000);
    hak_free(block);
    REQUIRE_EQUAL(hak_control_trim(&bytes, &error), 0);
    REQUIRE_AT_LEAST(bytes, 300000);
    assert_string_equal(hak_control_version(), HAK_VERSION_STRING);
}

/* ---- Heaps ---- */

static void test_heaps_by_number(void **state) {
    (void)state;
    uint64_t first, second;
    hak_visitor_t visitor = visitor_of(&seen);
    REQUIRE_EQUAL(hak_control_heap_new(0, 0, 0, &first, &error), 0);
    REQUIRE_EQUAL(hak_control_heap_new(1024, 2048, 1, &second, &error), 0);
    REQUIRE_EQUAL(second, first + 1);
    hak_heap_t *heap = hak_control_heap(second);
    REQUIRE(heap != NULL && hak_control_heap(second + 1) == NULL);
    REQUIRE(hak_heap_malloc(heap, 1000) != NULL);
    REQUIRE(hak_heap_malloc(heap, 1000) == NULL);
    REQUIRE_EQUAL(hak_control_heap_stats(second, &visitor, &error), 0);
    char wanted[256];
    snprintf(wanted, sizeof wanted,
             "0 map - \n1 count heap %llu\n1 count used_bytes 1024\n1 count used_blocks 1\n1 count peak_bytes 1024\n"
             "1 count soft_limit_bytes 1024\n1 count hard_limit_bytes 2048\n1 count soft_refusals 1\n"
             "1 count hard_refusals 0\n",
             (unsigned long long)second);
    assert_string_equal(seen.text, wanted);

    visitor = visitor_of(&seen);
    REQUIRE_EQUAL(hak_control_heaps(&visitor, &error), 0);
    size_t maps = 0;
    for (const char *place = seen.text; (place = strstr(place, "1 map - ")) != NULL; place++) maps++;
    REQUIRE_EQUAL(maps, 2);

    REQUIRE_EQUAL(hak_control_heap_set_limit(second, 0, 4096, &error), 0);
    REQUIRE(hak_heap_malloc(heap, 1000) != NULL);
    REQUIRE_EQUAL(hak_control_heap_destroy(first, &error), 0);
    REQUIRE(hak_control_heap(first) == NULL && hak_control_heap(second) == heap); /* not the next one instead */
    REQUIRE_EQUAL(hak_published()->heap_id_next(first), second);
    REQUIRE_EQUAL(hak_published()->heap_id_next(UINT64_MAX), 0);
    REQUIRE_EQUAL(hak_control_heap_destroy(second, &error), 0);
    REQUIRE(hak_control_heap(first) == NULL);
}

static void test_heap_errors(void **state) {
    (void)state;
    uint64_t number, bytes;
    hak_visitor_t visitor = visitor_of(&seen);
    const char *above = "the soft limit 20 is above the hard limit 10; give soft <= hard, or 0 for none";
    REQUIRE_ERROR(hak_control_heap_new(20, 10, 0, &number, &error), HAK_ERROR_VALUE, above);
    REQUIRE_EQUAL(number, 0);
    REQUIRE_ERROR(hak_control_heap_new(0, 0, 2, &number, &error), HAK_ERROR_VALUE, "is_private is 2; give 0 or 1");
    REQUIRE_EQUAL(hak_control_heap_new(0, 0, 0, &number, &error), 0);
    REQUIRE_ERROR(hak_control_heap_set_limit(number, 20, 10, &error), HAK_ERROR_VALUE, above);
    REQUIRE_EQUAL(hak_control_heap_destroy(number, &error), 0);
    char none[64];
    snprintf(none, sizeof none, "there is no heap %llu; heap_new makes one", (unsigned long long)number);
    REQUIRE_ERROR(hak_control_heap_destroy(number, &error), HAK_ERROR_NAME, none);
    REQUIRE_ERROR(hak_control_heap_set_limit(number, 0, 0, &error), HAK_ERROR_NAME, none);
    REQUIRE_ERROR(hak_control_heap_stats(number, &visitor, &error), HAK_ERROR_NAME, none);
    REQUIRE_EQUAL(seen.used, 0);
    REQUIRE_ERROR(hak_control_trim(&bytes, &error), HAK_ERROR_NONE, "");
}

static void test_null_is_an_error_everywhere(void **state) {
    (void)state;
    hak_option_value_t value;
    REQUIRE_ERROR(hak_control_option_get(NULL, &value, &error), HAK_ERROR_TYPE,
                  "the name of an option is missing; give text");
    REQUIRE_ERROR(hak_control_option_get("thp", NULL, &error), HAK_ERROR_TYPE, "the place for the value is missing");
    REQUIRE_ERROR(hak_control_option_set(NULL, "1", &error), HAK_ERROR_TYPE,
                  "the name of an option is missing; give text");
    REQUIRE_ERROR(hak_control_option_set("counters", NULL, &error), HAK_ERROR_TYPE,
                  "the value of option 'counters' is missing; give a whole number or text");
    REQUIRE_ERROR(hak_control_options(NULL, &error), HAK_ERROR_TYPE, "the visitor is missing");
    REQUIRE_ERROR(hak_control_stats(NULL, &error), HAK_ERROR_TYPE, "the visitor is missing");
    REQUIRE_ERROR(hak_control_heap_stats(1, NULL, &error), HAK_ERROR_TYPE, "the visitor is missing");
    REQUIRE_ERROR(hak_control_heaps(NULL, &error), HAK_ERROR_TYPE, "the visitor is missing");
    REQUIRE_ERROR(hak_control_options_json(NULL, &error), HAK_ERROR_TYPE, "the place for the text is missing");
    REQUIRE_ERROR(hak_control_stats_json(NULL, &error), HAK_ERROR_TYPE, "the place for the text is missing");
    REQUIRE_ERROR(hak_control_trim(NULL, &error), HAK_ERROR_TYPE, "the place for the bytes is missing");
    REQUIRE_ERROR(hak_control_heap_new(0, 0, 0, NULL, &error), HAK_ERROR_TYPE,
                  "the place for the number of the heap is missing");
    REQUIRE_EQUAL(hak_control_option_set("counters", NULL, NULL), HAK_ERROR_TYPE);
    hak_control_text_free(NULL);
}

/* The list of numbers can be used in a forked child. */
static void test_heaps_after_fork(void **state) {
    (void)state;
    uint64_t number;
    REQUIRE_EQUAL(hak_control_heap_new(0, 0, 0, &number, &error), 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) _exit(hak_control_heap_destroy(number, &error));
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    REQUIRE_EQUAL(hak_control_heap_destroy(number, &error), 0);
}

/* Nobody else is here: this program's own core serves. */
static void test_own_core_serves(void **state) {
    (void)state;
    char message[HAK_CORE_MESSAGE_BYTES];
    REQUIRE(hak_core(message, sizeof message) == hak_published());
    REQUIRE_EQUAL(hak_published()->version, HAK_CORE_VERSION);
    void *block = hak_published()->malloc(10);
    REQUIRE_EQUAL(hak_free_if_owned(block), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_are_read_and_set),
        cmocka_unit_test(test_former_names_of_options),
        cmocka_unit_test(test_option_errors),
        cmocka_unit_test(test_options_are_told),
        cmocka_unit_test(test_stats_are_told_as_they_are),
        cmocka_unit_test(test_counters_are_told_while_they_are_on),
        cmocka_unit_test(test_json_is_the_same_walk),
        cmocka_unit_test(test_trim_and_version),
        cmocka_unit_test(test_heaps_by_number),
        cmocka_unit_test(test_heap_errors),
        cmocka_unit_test(test_null_is_an_error_everywhere),
        cmocka_unit_test(test_heaps_after_fork),
        cmocka_unit_test(test_own_core_serves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
