/*
 * control/figures.h - the figures of a core, taken at once and told item by item.
 *
 * Layer: control. The lists of fields in figures.c are the only ones: JSON and the maps of all languages come from them.
 * Thread rule: any thread.
 */
#ifndef HAK_CONTROL_FIGURES_H
#define HAK_CONTROL_FIGURES_H

#include <hakmem_control.h>
#include <hakmem_core.h>

#include "base/base.h"

enum { FIGURES_CLASSES_MAX = 256, FIGURES_COUNTERS_MAX = 64 };

typedef struct Figures {
    hak_stats_t stats;
    hak_class_stats_t classes[FIGURES_CLASSES_MAX];
    size_t class_count;
    const char *counter_names[FIGURES_COUNTERS_MAX];
    uint64_t counters[FIGURES_COUNTERS_MAX];
    size_t counter_count; /* 0: the option is off */
} Figures;

/* Before anything is told: making a language's map would change them. */
void figures_take(const hak_core_t *core, Figures *figures);

/* Items of a map that has begun. */
void figures_visit(const Figures *figures, const hak_visitor_t *visitor);

/* A map, without a key. False, and nothing told: there is no such heap. */
bool figures_visit_heap(const hak_core_t *core, uint64_t number, const hak_visitor_t *visitor);

/* A list of such maps. */
void figures_visit_heaps(const hak_core_t *core, const char *key, const hak_visitor_t *visitor);

/* A list of maps. */
void figures_visit_options(const hak_core_t *core, const char *key, const hak_visitor_t *visitor);

/* Are the values of this option decimal numbers? */
bool figures_option_is_number(const hak_option_info_t *row);
uint64_t figures_number_of_text(const char *digits);

#endif
