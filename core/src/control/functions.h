/*
 * control/functions.h - the functions of a core as rows, for whoever goes through all of them.
 *
 * Layer: control. The list is hak_core_t of hakmem_core.h: what a function does stands there or in hakmem.h. Thread
 * rule: constants.
 */
#ifndef HAK_CONTROL_FUNCTIONS_H
#define HAK_CONTROL_FUNCTIONS_H

/* ROW(member of hak_core_t, function of the core), in the order of the struct. */

/* Made from core/include/hakmem_core.h by: python tests/lint/core_functions.py --write */
#define CORE_FUNCTIONS(ROW)                                                     \
    ROW(malloc, hak_malloc)                                                     \
    ROW(calloc, hak_calloc)                                                     \
    ROW(realloc, hak_realloc)                                                   \
    ROW(free, hak_free)                                                         \
    ROW(free_sized, hak_free_sized)                                             \
    ROW(aligned_alloc, hak_aligned_alloc)                                       \
    ROW(usable_size, hak_usable_size)                                           \
    ROW(owns, hak_owns)                                                         \
    ROW(malloc_object, hak_malloc_object)                                       \
    ROW(malloc_align8, hak_malloc_align8)                                       \
    ROW(realloc_object, hak_realloc_object)                                     \
    ROW(realloc_align8, hak_realloc_align8)                                     \
    ROW(free_if_owned, hak_free_if_owned)                                       \
    ROW(heap_new, hak_heap_new)                                                 \
    ROW(heap_destroy, hak_heap_destroy)                                         \
    ROW(heap_malloc, hak_heap_malloc)                                           \
    ROW(heap_realloc, hak_heap_realloc)                                         \
    ROW(heap_free, hak_heap_free)                                               \
    ROW(heap_set_limit, hak_heap_set_limit)                                     \
    ROW(heap_stats_get, hak_heap_stats_get)                                     \
    ROW(trim, hak_trim)                                                         \
    ROW(thread_flush, hak_thread_flush)                                         \
    ROW(stats_get, hak_stats_get)                                               \
    ROW(stats_classes, hak_stats_classes)                                       \
    ROW(stats_counter, hak_stats_counter)                                       \
    ROW(stats_passed, hak_stats_passed)                                         \
    ROW(stats_served, hak_stats_served)                                         \
    ROW(option_info, hak_option_info)                                           \
    ROW(option_get, hak_option_get)                                             \
    ROW(option_set, hak_option_set)                                             \
    ROW(check, hak_check)                                                       \
    ROW(heap_id_new, heap_id_new)                                               \
    ROW(heap_id_destroy, heap_id_destroy)                                       \
    ROW(heap_id_set_limit, heap_id_set_limit)                                   \
    ROW(heap_id_stats_get, heap_id_stats_get)                                   \
    ROW(heap_id_heap, heap_id_heap)                                             \
    ROW(heap_id_next, heap_id_next)                                             \
    ROW(quiesce_begin, hak_quiesce_begin)                                       \
    ROW(quiesce_end, hak_quiesce_end)                                           \
    ROW(hook_over, hook_over)                                                   \
    ROW(hook_is_ours, hook_is_ours)                                             \
    ROW(hook_set_mode, hook_set_mode)                                           \
    ROW(hook_noticed, hook_noticed)

#endif
