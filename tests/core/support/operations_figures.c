/*
 * support/operations_figures.c - every function that tells something: figures, checks, and those of hakmem_control.h.
 */
#include <errno.h>
#include <hakmem_control.h>
#include <stdio.h>
#include <string.h>

#include "support/operations_table.h"
#include "support/require.h"
#include "support/stats.h"

/* ---- Figures and checks ---- */

void do_check(Actor *actor, const Record *record) {
    const Reference *references[] = {actor->reference};
    (void)record;
    reference_check(actor->reference);
    if (actor->surroundings != NULL)
        reference_check_stats(references, 1);
    else
        REQUIRE_EQUAL(hak_check(), 0); /* others have blocks, too */
}

/* While other threads are in the middle of something. */
void do_check_inside(Actor *actor, const Record *record) {
    hak_stats_t stats = HAK_STATS_INIT;
    (void)actor;
    if (record->a % 2 == 0)
        REQUIRE_EQUAL(hak_check(), 0);
    else
        REQUIRE_EQUAL(hak_stats_get(&stats), 0);
}

static void look_at_options(void) {
    char value[64];
    const hak_option_info_t *info;
    for (size_t index = 0; (info = hak_option_info(index)) != NULL; index++)
        REQUIRE_EQUAL(hak_option_get(info->name, value, sizeof value), 0);
}

static void look_at_counters(void) {
    uint64_t value;
    for (size_t index = 0; hak_stats_counter(index, &value) != NULL; index++)
        REQUIRE(hak_stats_counter(index, NULL) != NULL);
}

static void look_at_stats(Reference *reference, size_t bytes) {
    hak_stats_t before = stats_now(), stats = HAK_STATS_INIT;
    hak_stats_passed(bytes);
    hak_stats_served(bytes);
    reference->passed_requests++;
    reference->passed_bytes += bytes;
    reference->served_bytes += bytes;
    hak_stats_t after = stats_now();
    REQUIRE_EQUAL(after.passed_requests, before.passed_requests + 1);
    REQUIRE_EQUAL(after.passed_bytes, before.passed_bytes + bytes);
    REQUIRE_EQUAL(after.served_bytes, before.served_bytes + bytes);
    stats.struct_bytes = 4;
    REQUIRE_EQUAL(hak_stats_get(&stats), EINVAL);
    REQUIRE_EQUAL(hak_stats_get(NULL), EINVAL);
    hak_heap_stats_t of_heap = HAK_HEAP_STATS_INIT;
    REQUIRE_EQUAL(hak_heap_stats_get(NULL, &of_heap), EINVAL);
    stats.struct_bytes = 16;
    REQUIRE_EQUAL(hak_stats_get(&stats), 0);
    REQUIRE_EQUAL(stats.live_blocks, 0);
    REQUIRE_EQUAL(hak_heap_stats_get(NULL, NULL), EINVAL);
    REQUIRE_EQUAL(hak_heap_set_limit(NULL, 1, 1), EINVAL);
}

/* The core says once that an option has another name now. */
static void look_at_former_names(Actor *actor, unsigned value) {
    static const char *const names[][2] = {{"retain_young_bytes", "retain_burst_bytes"},
                                           {"retain_young_percent", "retain_burst_percent"}};
    const char *const *name = names[value % 2];
    char text[64], read[64];
    hak_option_value_t number;
    if (actor->surroundings == NULL) return;
    snprintf(text, sizeof text, "%u", value % 1000);
    uint64_t lines = actor->surroundings->expect_lines(true);
    stats_option_set(name[0], text);
    uint64_t lines_now = actor->surroundings->expect_lines(actor->reference->has_late_lines);
    if (!actor->reference->has_late_lines) REQUIRE_AT_MOST(lines_now - lines, 1);
    REQUIRE_EQUAL(hak_option_get(name[0], read, sizeof read), 0);
    REQUIRE(strcmp(read, text) == 0);
    REQUIRE_EQUAL(hak_control_option_get(name[0], &number, NULL), 0);
    REQUIRE(number.is_number && number.number == value % 1000 && strcmp(number.text, text) == 0);
    REQUIRE_EQUAL(hak_option_get(name[1], read, sizeof read), 0);
    REQUIRE(strcmp(read, text) == 0);
}

void do_look(Actor *actor, const Record *record) {
    switch (record->a % 5) {
    case 0: look_at_options(); break;
    case 1: look_at_counters(); break;
    case 2: look_at_former_names(actor, record->b); break;
    default: look_at_stats(actor->reference, record->b); break;
    }
    REQUIRE(strcmp(hak_version(), HAK_VERSION_STRING) == 0);
}

/* ---- hakmem_control.h ---- */

/* Depth of the maps and lists that are open; 0 again at the end. */
static void visit_begin(void *depth, const char *key) {
    (void)key;
    ++*(int *)depth;
}
static void visit_end(void *depth, const char *key) {
    (void)key;
    --*(int *)depth;
}
static void visit_count(void *depth, const char *key, uint64_t count) { (void)depth, (void)key, (void)count; }
static void visit_text(void *depth, const char *key, const char *text) { (void)depth, (void)key, (void)text; }
static void visit_flag(void *depth, const char *key, int flag) { (void)depth, (void)key, (void)flag; }
static void visit_none(void *depth, const char *key) { (void)depth, (void)key; }

static hak_visitor_t visitor_of(int *depth) {
    return (hak_visitor_t){depth,       visit_begin, visit_end,  visit_begin, visit_end,
                           visit_count, visit_text,  visit_flag, visit_none};
}

static void look_at_json(Actor *actor, bool is_of_options) {
    uint64_t refusals = actor_refusals(actor);
    char *text = NULL;
    hak_error_t error;
    int code = is_of_options ? hak_control_options_json(&text, &error) : hak_control_stats_json(&text, &error);
    if (code != 0) {
        REQUIRE_EQUAL(code, HAK_ERROR_MEMORY);
        REQUIRE(text == NULL && actor_refusals(actor) > refusals);
        return;
    }
    REQUIRE(text[0] == '{' && text[strlen(text) - 1] == '}');
    hak_control_text_free(text);
}

static void require_type(int code, const hak_error_t *error) {
    REQUIRE_EQUAL(code, HAK_ERROR_TYPE);
    REQUIRE_EQUAL(error->code, HAK_ERROR_TYPE);
}

static void leave_out_arguments(void) {
    hak_error_t error;
    uint64_t number;
    hak_option_value_t value;
    require_type(hak_control_option_get("thp", NULL, &error), &error);
    require_type(hak_control_option_get(NULL, &value, &error), &error);
    require_type(hak_control_options(NULL, &error), &error);
    require_type(hak_control_options_json(NULL, &error), &error);
    require_type(hak_control_stats(NULL, &error), &error);
    require_type(hak_control_stats_json(NULL, &error), &error);
    require_type(hak_control_trim(NULL, &error), &error);
    require_type(hak_control_heaps(NULL, &error), &error);
    require_type(hak_control_heap_stats(1, NULL, &error), &error);
    require_type(hak_control_heap_new(0, 0, 0, NULL, &error), &error);
    REQUIRE_EQUAL(hak_control_heap_new(0, 0, 2, &number, &error), HAK_ERROR_VALUE);
    REQUIRE(hak_control_heap(UINT64_MAX) == NULL);
    REQUIRE_EQUAL(hak_control_heap_set_limit(UINT64_MAX, 0, 0, &error), HAK_ERROR_NAME);
    hak_control_text_free(NULL);
}

/* Without one of its functions. Nothing is visited. */
static void leave_out_function(hak_visitor_t visitor, size_t number) {
    enum { FUNCTIONS = sizeof visitor / sizeof(void *) - 1 };
    hak_error_t error;
    memset((char *)&visitor + sizeof(void *) * (1 + number % FUNCTIONS), 0, sizeof(void *));
    require_type(hak_control_stats(&visitor, &error), &error);
}

void do_control(Actor *actor, const Record *record) {
    int depth = 0;
    hak_visitor_t visitor = visitor_of(&depth);
    hak_option_value_t value;
    switch (record->a % 9) {
    case 0: look_at_json(actor, true); break;
    case 1: look_at_json(actor, false); break;
    case 2: REQUIRE_EQUAL(hak_control_options(&visitor, NULL), 0); break;
    case 3: REQUIRE_EQUAL(hak_control_stats(&visitor, NULL), 0); break;
    case 4: REQUIRE_EQUAL(hak_control_heaps(&visitor, NULL), 0); break;
    case 5: leave_out_arguments(); break;
    case 6: (void)hak_control_heap_stats(record->b % 8, &visitor, NULL); break;
    case 7: leave_out_function(visitor, record->b); break;
    default:
        REQUIRE_EQUAL(hak_control_option_get("domains", &value, NULL), 0);
        REQUIRE(value.is_number == 0 && strcmp(hak_control_version(), HAK_VERSION_STRING) == 0);
        break;
    }
    REQUIRE_EQUAL(depth, 0);
}
