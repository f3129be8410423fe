/*
 * support/operations.c - which operation a record is, and what comes before and after all of them.
 */
#include "support/operations.h"

#include <string.h>

#include "support/operations_table.h"
#include "support/require.h"
#include "support/stats.h"

static const Operation operations[] = {
    {25, "malloc", do_malloc, false},
    {25, "free", do_free, false},
    {9, "calloc", do_calloc, false},
    {7, "aligned", do_aligned, false},
    {2, "too large", do_too_large, false},
    {16, "realloc", do_realloc, false},
    {6, "grow", do_grow, false},
    {18, "many", do_many, false},
    {16, "free many", do_free_many, false},
    {4, "free all but few", do_free_all_but_few, false},
    {8, "heap new", do_heap_new, false},
    {10, "heap malloc", do_heap_malloc, false},
    {7, "heap realloc", do_heap_realloc, false},
    {5, "heap free", do_heap_free, false},
    {6, "heap share", do_heap_share, false},
    {3, "heap limit", do_heap_limit, false},
    {4, "heap destroy", do_heap_destroy, false},
    {6, "trim", do_trim, false},
    {4, "flush", do_flush, false},
    {7, "option", do_option, false},
    {1, "wrong option", do_wrong_option, false},
    {1, "text", do_text, false},
    {2, "quiesce", do_quiesce, false},
    {2, "check", do_check, true},
    {2, "check inside", do_check_inside, false},
    {1, "look", do_look, true},
    {2, "control", do_control, false},
    {9, "pass time", do_pass_time, false},
    {6, "refuse", do_refuse, false},
    {4, "end thread", do_end_thread, false},
    {2, "fork", do_fork, false},
    {1, "clone", do_clone, true},
    {2, "interrupt", do_interrupt, true},
    {7, "hook malloc", do_hook_malloc, false},
    {3, "hook calloc", do_hook_calloc, false},
    {7, "hook realloc", do_hook_realloc, false},
    {7, "hook free", do_hook_free, false},
    {3, "hook mode", do_hook_mode, true},
    {6, "misuse", do_misuse, true},
};

enum { OPERATIONS = sizeof operations / sizeof *operations };

const Operation *operation_of(const Record *record) {
    unsigned sum = 0;
    for (size_t index = 0; index + 1 < OPERATIONS; index++) {
        sum += operations[index].share;
        if (record->operation < sum) return &operations[index];
    }
    return &operations[OPERATIONS - 1];
}

void operations_run_stream(Actor *actor, const uint8_t *stream, size_t records) {
    for (size_t index = 0; index < records; index++) {
        Record record = record_at(stream + index * RECORD_BYTES);
        const Operation *operation = operation_of(&record);
        if (!operation->is_alone)
            operation->run(actor, &record);
        else
            REQUIRE_EQUAL(hak_check(), 0);
    }
    reference_check(actor->reference);
}

/* ---- Begin and end ---- */

void operations_begin(Actor *actor, size_t os_page_bytes, unsigned hooks) {
    reference_reset(actor->reference);
    actor->reference->is_all_counted = true;
    sizes_learn(os_page_bytes);
    operations_hook(hooks);
}

void operations_free_all(Actor *actor) {
    Reference *reference = actor->reference;
    ReferenceHeap *heap;
    ReferenceBlock *block;
    unsigned wish = 0;
    while ((heap = reference_hold_heap(reference, 0)) != NULL) {
        heap->is_held = false;
        Record record = {0, 0, (uint16_t)(heap - reference->heaps), 0};
        do_heap_destroy(actor, &record);
    }
    for (; (block = reference_hold_live(reference, wish)) != NULL; wish = (unsigned)(block - reference->blocks))
        operations_free(actor, block, 7);
    operations_free_of_previous(actor);
    REQUIRE_EQUAL(reference->live_blocks, 0);
    REQUIRE_EQUAL(reference->live_bytes, 0);
}

void operations_require_nothing(Actor *actor) {
    const Reference *reference = actor->reference;
    if (!reference->is_inexact && !reference->may_keep_caches)
        stats_require_all_returned();
    else
        reference_check_stats(&reference, 1);
}

void operations_end(Actor *actor) {
    Record record = {0};
    if (actor->surroundings != NULL) actor->surroundings->refuse(0, 0, 0);
    do_check(actor, &record);
    operations_free_all(actor);
}

void operations_reset_options(void) {
    const hak_option_info_t *info;
    for (size_t index = 0; (info = hak_option_info(index)) != NULL; index++)
        if (!info->at_start_only) stats_option_set(info->name, info->default_value);
}
