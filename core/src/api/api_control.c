/*
 * api/api_control.c - trim, thread flush, options, version.
 *
 * Layer: api. Thread rule: any thread.
 */
#include <errno.h>
#include <hakmem.h>

#include "alloc/empty_heap.h"
#include "cache/reclaim.h"
#include "heap/heap.h"
#include "heap/heap_slabs.h"
#include "lifecycle/freeze.h"
#include "lifecycle/start.h"
#include "platform/option.h"
#include "retention/purge.h"
#include "retention/retention.h"
#include "superslab/superslab.h"

const char *hak_version(void) { return HAK_VERSION_STRING; }

/* ---- Giving memory back ---- */

void hak_thread_flush(void) {
    if (heap_of_thread->kind != HEAP_THREAD) return;
    empty_heap_flush(heap_of_thread);
    retention_after_return(heap_of_thread, 0);
}

size_t hak_trim(void) {
    core_start();
    uint64_t before_bytes = superslab_purged_bytes() + heap_slabs_purged_bytes();
    hak_thread_flush();
    reclaim_others(false);
    (void)purge_run(0, 0, SIZE_MAX);
    return (size_t)(superslab_purged_bytes() + heap_slabs_purged_bytes() - before_bytes);
}

void hak_quiesce_begin(void) {
    core_start();
    core_quiesce_begin();
}

int hak_quiesce_end(void) { return core_quiesce_end() ? 0 : EINVAL; }

/* ---- Options ---- */

const hak_option_info_t *hak_option_info(size_t index) { return option_info(index); }

int hak_option_get(const char *name, char *value, size_t value_bytes) {
    core_start();
    return option_get(name, value, value_bytes);
}

int hak_option_set(const char *name, const char *value, char *message, size_t message_bytes) {
    core_start();
    int error = option_set(name, value, message, message_bytes);
    if (error == 0) retention_poll_now();
    return error;
}
