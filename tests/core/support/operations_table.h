/*
 * support/operations_table.h - the operations, for the table of operations.c; each file of operations_...c has some.
 */
#ifndef SUPPORT_OPERATIONS_TABLE_H
#define SUPPORT_OPERATIONS_TABLE_H

#include <hakmem_core.h>

#include "support/operations.h"

typedef void RunOperation(Actor *actor, const Record *record);

/* operations_blocks.c */
RunOperation do_malloc, do_free, do_calloc, do_aligned, do_too_large, do_realloc, do_grow, do_many, do_free_many,
    do_free_all_but_few;

/* operations_heaps.c */
RunOperation do_heap_new, do_heap_malloc, do_heap_realloc, do_heap_free, do_heap_share, do_heap_limit, do_heap_destroy;

/* operations_options.c */
RunOperation do_option, do_wrong_option;

/* operations_texts.c */
RunOperation do_text;

/* operations_figures.c */
RunOperation do_check, do_check_inside, do_look, do_control;

/* operations_process.c */
RunOperation do_trim, do_flush, do_quiesce, do_pass_time, do_refuse, do_end_thread, do_fork, do_clone, do_interrupt;

/* operations_hooks.c */
RunOperation do_hook_malloc, do_hook_calloc, do_hook_realloc, do_hook_free, do_hook_mode;

/* operations_misuse.c */
RunOperation do_misuse;

/* ---- Shared by them ---- */

/* Frees a held block, in the way that its heap wants, or in one of several. */
void operations_free(Actor *actor, ReferenceBlock *block, unsigned way);

/* A live block of no heap, of so many usable bytes, near `wish`, and holds it; NULL: none near. */
ReferenceBlock *operations_hold_of_none(Actor *actor, unsigned wish, size_t bytes_min, size_t bytes_max);

/* The functions in the runtime's table at an entry, for misuse of them. */
const hak_hook_t *operations_hook_of(unsigned number);

/* The blocks of the previous allocator, through all entries by turns. */
void operations_free_of_previous(Actor *actor);

/* Has the OS refused a call since `before`? */
static inline uint64_t actor_refusals(const Actor *actor) {
    return actor->surroundings == NULL ? 0 : actor->surroundings->refusals();
}

#endif
