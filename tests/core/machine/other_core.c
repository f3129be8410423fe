/*
 * machine/other_core.c - what the loader finds, and what hakmem_control.h answers while no core can be used.
 */
#include "machine/other_core.h"

#include <hakmem_control.h>
#include <hakmem_core.h>
#include <string.h>

#include "platform/os.h"
#include "support/require.h"

/* ---- The loader ---- */

static OtherCore present;
static hak_core_t other;

static int is_started(void) { return present != OTHER_IDLE; }
static const hak_core_t *publish_other(void) { return &other; }

__typeof__(os_objects_ask) __real_hak_core_os_objects_ask;
__typeof__(os_objects_ask) __wrap_hak_core_os_objects_ask;
void __wrap_hak_core_os_objects_ask(const char *symbol, OsObjectVisit visit, void *context) {
    if (present == OTHER_NONE) {
        __real_hak_core_os_objects_ask(symbol, visit, context);
        return;
    }
    REQUIRE(strcmp(symbol, "hak_published") == 0);
    visit(context, (void *)(uintptr_t)publish_other, "other.so");
    visit(context, (void *)(uintptr_t)hak_published, "this.so");
}

/* ---- Without a core ---- */

static void require_none(int code, const hak_error_t *error) {
    REQUIRE_EQUAL(code, HAK_ERROR_CORE);
    REQUIRE_EQUAL(error->code, HAK_ERROR_CORE);
    REQUIRE(strstr(error->message, "other.so") != NULL && strchr(error->message, '\n') == NULL);
}

static void visit_nothing(void *unused, const char *key) {
    (void)unused, (void)key;
    REQUIRE(false);
}
static void visit_no_count(void *unused, const char *key, uint64_t count) {
    visit_nothing(unused, key);
    (void)count;
}
static void visit_no_text(void *unused, const char *key, const char *text) {
    visit_nothing(unused, key);
    (void)text;
}
static void visit_no_flag(void *unused, const char *key, int flag) {
    visit_nothing(unused, key);
    (void)flag;
}

static void check_without_core(void) {
    const hak_visitor_t visitor = {NULL,           visit_nothing, visit_nothing, visit_nothing, visit_nothing,
                                   visit_no_count, visit_no_text, visit_no_flag, visit_nothing};
    char message[HAK_CORE_MESSAGE_BYTES] = "", *text = message;
    hak_error_t error;
    hak_option_value_t value;
    uint64_t number = 1;
    REQUIRE(hak_core(message, sizeof message) == NULL && strstr(message, "other.so") != NULL);
    REQUIRE(strcmp(hak_control_version(), hak_version()) == 0);
    require_none(hak_control_option_get("thp", &value, &error), &error);
    require_none(hak_control_option_set("counters", "1", &error), &error);
    require_none(hak_control_options(&visitor, &error), &error);
    require_none(hak_control_options_json(&text, &error), &error);
    REQUIRE(text == NULL);
    require_none(hak_control_stats(&visitor, &error), &error);
    text = message;
    require_none(hak_control_stats_json(&text, &error), &error);
    REQUIRE(text == NULL);
    require_none(hak_control_trim(&number, &error), &error);
    REQUIRE_EQUAL(number, 0);
    require_none(hak_control_heap_new(0, 0, 0, &number, &error), &error);
    require_none(hak_control_heap_destroy(1, &error), &error);
    require_none(hak_control_heap_set_limit(1, 0, 0, &error), &error);
    require_none(hak_control_heap_stats(1, &visitor, &error), &error);
    require_none(hak_control_heaps(&visitor, &error), &error);
    REQUIRE(hak_control_heap(1) == NULL);
    hak_control_text_free(message);
    REQUIRE_EQUAL(hak_published()->is_started(), 0);
}

void other_core_check(OtherCore asked) {
    present = asked;
    other = *hak_published();
    other.is_started = is_started;
    if (asked != OTHER_STARTED) other.version++;
    if (asked == OTHER_NEWER)
        check_without_core();
    else
        REQUIRE(hak_core(NULL, 0) == (asked == OTHER_STARTED ? &other : hak_published()));
    present = OTHER_NONE;
}
