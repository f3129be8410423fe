/*
 * control/figures.h - reads the figures of a core all at once, and passes them to a visitor item by item.
 *
 * Layer: control. JSON and the maps of all languages come from the lists of fields in figures.c. Thread rule: any
 * thread.
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
    size_t counter_count; /* 0 while the option `counters` is 0 */
} Figures;

/* Reads all figures. Called before the first visit, since a visitor that builds a map allocates and would change
 * them. */
void figures_take(const hak_core_t *core, Figures *figures);

/* Visits the figures as items of a map that the caller has begun. */
void figures_visit(const Figures *figures, const hak_visitor_t *visitor);

/* Visits a map without a key. False: no such heap, and nothing was visited. */
bool figures_visit_heap(const hak_core_t *core, uint64_t number, const hak_visitor_t *visitor);

/* Visits a list of such maps, one per heap that has a number. */
void figures_visit_heaps(const hak_core_t *core, const char *key, const hak_visitor_t *visitor);

/* Visits a list of maps, one per option. */
void figures_visit_options(const hak_core_t *core, const char *key, const hak_visitor_t *visitor);

/* True: all values of the option are whole numbers. */
bool figures_option_is_number(const hak_option_info_t *row);

/* `digits` are decimal and at most UINT64_MAX. */
uint64_t figures_number_of_text(const char *digits);

#endif
