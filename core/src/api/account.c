/*
 * api/account.c - hosts' heaps: how they begin and end, their limits and their stats.
 *
 * Layer: api. Does not know how blocks are made. Thread rule: as account.h.
 */
#include "api/account.h"

#include <errno.h>
#include <string.h>

#include "alloc/private_heap.h"
#include "api/block.h"
#include "platform/message.h"

static uint64_t limit_or_none(uint64_t bytes) { return bytes == 0 ? UINT64_MAX : bytes; }
static uint64_t none_as_zero(uint64_t bytes) { return bytes == UINT64_MAX ? 0 : bytes; }

/* Any thread. The owner may be computing the ceiling from the former limits: it reads the limits again after it has
 * stored the ceiling (ceiling_update), which needs seq_cst for all three. */
static void set_limits(hak_heap_t *heap, uint64_t soft, uint64_t hard) {
    heap->soft_limit_bytes = soft;
    heap->hard_limit_bytes = hard;
    heap->ceiling_bytes = soft < hard ? soft : hard;
}

/* ---- Life ---- */

hak_heap_t *hak_heap_new(const hak_heap_options_t *options) {
    hak_heap_options_t chosen = HAK_HEAP_OPTIONS_INIT;
    if (options != NULL) {
        size_t bytes = options->struct_bytes < sizeof chosen ? options->struct_bytes : sizeof chosen;
        if (bytes < 2 * sizeof(uint32_t)) bytes = 0;
        memcpy(&chosen, options, bytes);
    }
    bool is_align_8 = chosen.alignment_bytes == 8;
    uint64_t soft = limit_or_none(chosen.soft_limit_bytes), hard = limit_or_none(chosen.hard_limit_bytes);
    if ((!is_align_8 && chosen.alignment_bytes != 0 && chosen.alignment_bytes != 16) || chosen.is_private > 1 ||
        (soft != UINT64_MAX && soft > hard)) {
        errno = EINVAL;
        return NULL;
    }
    hak_heap_t *heap = hak_calloc(1, sizeof *heap);
    if (heap == NULL) return NULL;
    if (chosen.is_private != 0 && (heap->private_heap = private_heap_new()) == NULL) {
        hak_free(heap);
        errno = ENOMEM;
        return NULL;
    }
    heap->alignment = is_align_8 ? ALIGN_8 : ALIGN_C;
    heap->small_classes = size_class_small[heap->alignment];
    set_limits(heap, soft, hard);
    heap->mark = ACCOUNT_MARK;
    return heap;
}

bool account_is_alive(const hak_heap_t *heap) {
    if (HAK_LIKELY(block_usable_bytes(heap) >= sizeof *heap && heap->mark == ACCOUNT_MARK)) return true;
    message_misuse(option_value(OPTION_ON_ERROR) == OPTION_ON_ERROR_REPORT,
                   "invalid use of %p: a heap that was destroyed before, or none (size class none, thread %u)", heap,
                   os_thread_id());
    return false;
}

void hak_heap_destroy(hak_heap_t *heap) {
    if (heap == NULL || !account_is_alive(heap)) return;
    heap->mark = 0;
    heap->ceiling_bytes = 0;
    heap->used_bytes = 1; /* above the ceiling even for a request of 0 bytes */
    if (heap->private_heap != NULL) private_heap_destroy(heap->private_heap);
    hak_free(heap);
}

/* ---- Limits ---- */

/* Recomputes ceiling_bytes from the limits and soft_refused. */
static void ceiling_update(hak_heap_t *heap) {
    uint64_t soft, hard;
    do {
        soft = heap->soft_limit_bytes, hard = heap->hard_limit_bytes;
        heap->ceiling_bytes = heap->soft_refused || soft > hard ? hard : soft;
    } while (soft != heap->soft_limit_bytes || hard != heap->hard_limit_bytes); /* another thread has set them */
}

static void count_refusal(_Atomic uint64_t *refusals) {
    STORE_RELAXED(*refusals, LOAD_RELAXED(*refusals) + 1);
    errno = ENOMEM;
}

HAK_COLD bool account_refuses(hak_heap_t *heap, uint64_t wanted_bytes) {
    if (wanted_bytes > LOAD_RELAXED(heap->hard_limit_bytes)) {
        count_refusal(&heap->hard_refusals);
        return true;
    }
    bool is_soft_refusal = !heap->soft_refused && wanted_bytes > LOAD_RELAXED(heap->soft_limit_bytes);
    if (is_soft_refusal) {
        heap->soft_refused = true;
        heap->watch_bytes = 0;
        count_refusal(&heap->soft_refusals);
    }
    ceiling_update(heap);
    return is_soft_refusal;
}

HAK_COLD void account_note_peak(hak_heap_t *heap, uint64_t used_bytes, uint64_t bytes) {
    if (used_bytes > LOAD_RELAXED(heap->peak_bytes)) STORE_RELAXED(heap->peak_bytes, used_bytes);
    if (heap->soft_refused && used_bytes - bytes <= LOAD_RELAXED(heap->soft_limit_bytes)) {
        heap->soft_refused = false;
        ceiling_update(heap);
    }
    bool is_each_free_checked = heap->soft_refused || heap->private_heap != NULL;
    heap->watch_bytes = is_each_free_checked ? 0 : LOAD_RELAXED(heap->peak_bytes) + 1;
}

/* ---- Limits and stats, by any thread ---- */

int hak_heap_set_limit(hak_heap_t *heap, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) {
    uint64_t soft = limit_or_none(soft_limit_bytes), hard = limit_or_none(hard_limit_bytes);
    if (heap == NULL || (soft != UINT64_MAX && soft > hard)) return EINVAL;
    set_limits(heap, soft, hard);
    return 0;
}

int hak_heap_stats_get(const hak_heap_t *heap, hak_heap_stats_t *stats) {
    if (heap == NULL || stats == NULL || stats->struct_bytes < 2 * sizeof(uint32_t)) return EINVAL;
    uint32_t struct_bytes = stats->struct_bytes < sizeof *stats ? stats->struct_bytes : (uint32_t)sizeof *stats;
    uint64_t used_bytes = LOAD_RELAXED(heap->used_bytes), peak_bytes = LOAD_RELAXED(heap->peak_bytes);
    hak_heap_stats_t full = {
        .struct_bytes = struct_bytes,
        .version = HAK_HEAP_VERSION,
        .used_bytes = used_bytes,
        .used_blocks = LOAD_RELAXED(heap->used_blocks),
        .peak_bytes = used_bytes > peak_bytes ? used_bytes : peak_bytes,
        .soft_limit_bytes = none_as_zero(LOAD_RELAXED(heap->soft_limit_bytes)),
        .hard_limit_bytes = none_as_zero(LOAD_RELAXED(heap->hard_limit_bytes)),
        .soft_refusals = LOAD_RELAXED(heap->soft_refusals),
        .hard_refusals = LOAD_RELAXED(heap->hard_refusals),
    };
    memcpy(stats, &full, struct_bytes);
    return 0;
}
