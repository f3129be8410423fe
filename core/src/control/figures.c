/*
 * control/figures.c - reads the figures of a core all at once, and passes them to a visitor item by item.
 *
 * Layer: control. Does not choose the core. Thread rule: any thread; holds no lock while a visitor runs.
 */
#include "control/figures.h"

#include <string.h>

/* ---- The lists of fields ---- */

#define STATS_FIELDS(FIELD)                                                                                          \
    FIELD(version)                                                                                                   \
    FIELD(live_bytes) FIELD(live_blocks) FIELD(cached_bytes) FIELD(pinned_bytes) FIELD(free_resident_bytes)          \
    FIELD(unbacked_bytes) FIELD(metadata_bytes) FIELD(mapped_bytes) FIELD(large_bytes) FIELD(superslabs_active)      \
    FIELD(superslabs_spare) FIELD(superslabs_born) FIELD(superslabs_died) FIELD(purged_bytes_total)                  \
    FIELD(served_requests) FIELD(passed_requests) FIELD(passed_bytes) FIELD(served_bytes)                          \
    FIELD(burst_bound_bytes) FIELD(regret_bytes_total) FIELD(learn_tried) FIELD(learn_kept) FIELD(learn_taken_back)

#define CLASS_FIELDS(FIELD) FIELD(block_bytes) FIELD(live) FIELD(cached) FIELD(free) FIELD(slabs)

#define HEAP_FIELDS(FIELD)                                                                                           \
    FIELD(used_bytes) FIELD(used_blocks) FIELD(peak_bytes) FIELD(soft_limit_bytes) FIELD(hard_limit_bytes)           \
    FIELD(soft_refusals) FIELD(hard_refusals)

/* Fails to compile where a struct has a field that its list lacks. */
#define ONE(field) +1
#define BYTES_OF_COUNTS(fields) (sizeof(uint64_t) * (0 fields(ONE)))
_Static_assert(sizeof(hak_stats_t) == BYTES_OF_COUNTS(STATS_FIELDS), "struct_bytes and version fill one count");
_Static_assert(sizeof(hak_class_stats_t) == BYTES_OF_COUNTS(CLASS_FIELDS), "all fields of a class");
_Static_assert(sizeof(hak_heap_stats_t) == 2 * sizeof(uint32_t) + BYTES_OF_COUNTS(HEAP_FIELDS), "all fields");

/* ---- Figures ---- */

static bool counters_are_on(const hak_core_t *core) {
    char value[64];
    return core->option_get("counters", value, sizeof value) == 0 && strcmp(value, "1") == 0;
}

static size_t take_counters(const hak_core_t *core, Figures *figures) {
    if (!counters_are_on(core)) return 0;
    for (size_t index = 0; index < FIGURES_COUNTERS_MAX; index++) {
        figures->counter_names[index] = core->stats_counter(index, &figures->counters[index]);
        if (figures->counter_names[index] == NULL) return index;
    }
    return FIGURES_COUNTERS_MAX;
}

void figures_take(const hak_core_t *core, Figures *figures) {
    figures->stats = (hak_stats_t)HAK_STATS_INIT;
    (void)core->stats_get(&figures->stats);
    size_t classes = core->stats_classes(figures->classes, FIGURES_CLASSES_MAX);
    figures->class_count = classes < FIGURES_CLASSES_MAX ? classes : FIGURES_CLASSES_MAX;
    figures->counter_count = take_counters(core, figures);
}

static void visit_class(const hak_class_stats_t *row, const hak_visitor_t *visitor) {
    visitor->begin_map(visitor->context, NULL);
#define VISIT(field) visitor->count(visitor->context, #field, row->field);
    CLASS_FIELDS(VISIT)
#undef VISIT
    visitor->end_map(visitor->context, NULL);
}

void figures_visit(const Figures *figures, const hak_visitor_t *visitor) {
#define VISIT(field) visitor->count(visitor->context, #field, figures->stats.field);
    STATS_FIELDS(VISIT)
#undef VISIT
    visitor->begin_list(visitor->context, "classes");
    for (size_t index = 0; index < figures->class_count; index++) visit_class(&figures->classes[index], visitor);
    visitor->end_list(visitor->context, "classes");
    visitor->begin_map(visitor->context, "counters");
    for (size_t index = 0; index < figures->counter_count; index++)
        visitor->count(visitor->context, figures->counter_names[index], figures->counters[index]);
    visitor->end_map(visitor->context, "counters");
}

/* ---- Heaps by number ---- */

bool figures_visit_heap(const hak_core_t *core, uint64_t number, const hak_visitor_t *visitor) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    if (core->heap_id_stats_get(number, &stats) != 0) return false;
    visitor->begin_map(visitor->context, NULL);
    visitor->count(visitor->context, "heap", number);
#define VISIT(field) visitor->count(visitor->context, #field, stats.field);
    HEAP_FIELDS(VISIT)
#undef VISIT
    visitor->end_map(visitor->context, NULL);
    return true;
}

void figures_visit_heaps(const hak_core_t *core, const char *key, const hak_visitor_t *visitor) {
    visitor->begin_list(visitor->context, key);
    uint64_t number = core->heap_id_next(0);
    for (; number != 0; number = core->heap_id_next(number)) (void)figures_visit_heap(core, number, visitor);
    visitor->end_list(visitor->context, key);
}

/* ---- Options ---- */

bool figures_option_is_number(const hak_option_info_t *row) {
    if (row->kind != HAK_OPTION_CHOICE) return row->kind == HAK_OPTION_INTEGER;
    return strspn(row->choices, "0123456789,") == strlen(row->choices);
}

uint64_t figures_number_of_text(const char *digits) {
    uint64_t number = 0;
    for (; *digits != '\0'; digits++) number = number * 10 + (uint64_t)(*digits - '0');
    return number;
}

static void visit_value(const hak_option_info_t *row, const char *key, const char *text, const hak_visitor_t *visitor) {
    if (figures_option_is_number(row))
        visitor->count(visitor->context, key, figures_number_of_text(text));
    else
        visitor->text(visitor->context, key, text);
}

static void visit_choices(const char *choices, const hak_visitor_t *visitor) {
    visitor->begin_list(visitor->context, "choices");
    while (*choices != '\0') {
        char choice[64];
        size_t length = strcspn(choices, ",");
        size_t kept = length < sizeof choice ? length : sizeof choice - 1;
        memcpy(choice, choices, kept);
        choice[kept] = '\0';
        visitor->text(visitor->context, NULL, choice);
        choices += length + (choices[length] == ',');
    }
    visitor->end_list(visitor->context, "choices");
}

static void visit_bound(const hak_option_info_t *row, const char *key, int64_t bound, const hak_visitor_t *visitor) {
    if (row->kind == HAK_OPTION_INTEGER)
        visitor->count(visitor->context, key, (uint64_t)bound);
    else
        visitor->none(visitor->context, key);
}

static void visit_option(const hak_core_t *core, const hak_option_info_t *row, const hak_visitor_t *visitor) {
    static const char *const kind_names[] = {
        [HAK_OPTION_INTEGER] = "integer", [HAK_OPTION_CHOICE] = "choice", [HAK_OPTION_SET] = "set"};
    char value[64];
    (void)core->option_get(row->name, value, sizeof value);
    visitor->begin_map(visitor->context, NULL);
    visitor->text(visitor->context, "name", row->name);
    visitor->text(visitor->context, "variable", row->variable);
    visitor->text(visitor->context, "kind", kind_names[row->kind]);
    visit_value(row, "value", value, visitor);
    visit_value(row, "default", row->default_value, visitor);
    visit_bound(row, "minimum", row->minimum, visitor);
    visit_bound(row, "maximum", row->maximum, visitor);
    visit_choices(row->choices, visitor);
    visitor->text(visitor->context, "unit", row->unit);
    visitor->text(visitor->context, "help", row->help);
    visitor->flag(visitor->context, "at_start_only", row->at_start_only);
    visitor->end_map(visitor->context, NULL);
}

void figures_visit_options(const hak_core_t *core, const char *key, const hak_visitor_t *visitor) {
    visitor->begin_list(visitor->context, key);
    const hak_option_info_t *row;
    for (size_t index = 0; (row = core->option_info(index)) != NULL; index++) visit_option(core, row, visitor);
    visitor->end_list(visitor->context, key);
}
