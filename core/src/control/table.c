/*
 * control/table.c - the table of this core's functions, for other shared objects.
 *
 * Layer: control. Does not choose among cores (control/attach.c). Thread rule: any thread; the table is constant.
 */
#include "control/table.h"

#include "api/hook.h"
#include "control/heap_id.h"
#include "heap/heap_all.h"
#include "lifecycle/start.h"

/* core_start adds the shared heap to the list. */
static int is_started(void) { return LOAD_RELAXED(heap_list) != NULL; }

const hak_core_t core_table = {
    .version = HAK_CORE_VERSION,
    .is_started = is_started,
    .library_version = HAK_VERSION_STRING,
    .start = core_start,

    .malloc = hak_malloc,
    .calloc = hak_calloc,
    .realloc = hak_realloc,
    .free = hak_free,
    .free_sized = hak_free_sized,
    .aligned_alloc = hak_aligned_alloc,
    .usable_size = hak_usable_size,
    .owns = hak_owns,
    .malloc_object = hak_malloc_object,
    .malloc_align8 = hak_malloc_align8,
    .realloc_object = hak_realloc_object,
    .realloc_align8 = hak_realloc_align8,
    .free_if_owned = hak_free_if_owned,

    .heap_new = hak_heap_new,
    .heap_destroy = hak_heap_destroy,
    .heap_malloc = hak_heap_malloc,
    .heap_realloc = hak_heap_realloc,
    .heap_free = hak_heap_free,
    .heap_set_limit = hak_heap_set_limit,
    .heap_stats_get = hak_heap_stats_get,

    .trim = hak_trim,
    .thread_flush = hak_thread_flush,
    .stats_get = hak_stats_get,
    .stats_classes = hak_stats_classes,
    .stats_counter = hak_stats_counter,
    .stats_passed = hak_stats_passed,
    .stats_served = hak_stats_served,
    .option_info = hak_option_info,
    .option_get = hak_option_get,
    .option_set = hak_option_set,
    .check = hak_check,

    .heap_id_new = heap_id_new,
    .heap_id_destroy = heap_id_destroy,
    .heap_id_set_limit = heap_id_set_limit,
    .heap_id_stats_get = heap_id_stats_get,
    .heap_id_heap = heap_id_heap,
    .heap_id_next = heap_id_next,
    .quiesce_begin = hak_quiesce_begin,
    .quiesce_end = hak_quiesce_end,

    .hook_over = hook_over,
    .hook_is_ours = hook_is_ours,
    .hook_set_mode = hook_set_mode,
    .hook_noticed = hook_noticed,
};

const hak_core_t *hak_published(void) { return &core_table; }
