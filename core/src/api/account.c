/*
 * api/account.c - hosts' heaps: how they begin and end, their limits and their stats.
 *
 * Layer: api. Does not know how blocks are made, nor which threads count (account_threads.c). Thread rule: as
 * account.h.
 */
#include "api/account.h"

#include <errno.h>
#include <string.h>

#include "alloc/private_heap.h"
#include "api/block.h"
#include "platform/misuse.h"

static uint64_t limit_or_none(uint64_t bytes) { return bytes == 0 ? UINT64_MAX : bytes; }
static uint64_t none_as_zero(uint64_t bytes) { return bytes == UINT64_MAX ? 0 : bytes; }

/* Any thread. The user may be computing the ceiling from the former limits: account_update_ceiling reads the limits
 * again after it has stored the ceiling, which needs seq_cst for all three. */
static void set_limits(hak_heap_t *heap, uint64_t soft, uint64_t hard) {
    heap->soft_limit_bytes = soft;
    heap->hard_limit_bytes = hard;
    account_update_ceiling(heap);
}

/* ---- Life ---- */

/* Reads what this version knows; members beyond struct_bytes keep their defaults. False: struct_bytes was not set, or a
 * caller of a later version asks for what this one does not know. */
static bool read_options(hak_heap_options_t *chosen, const hak_heap_options_t *options) {
    enum { STRUCT_BYTES_MIN = 2 * sizeof(uint32_t), STRUCT_BYTES_MAX = 4096 };
    size_t bytes = options->struct_bytes;
    if (bytes < STRUCT_BYTES_MIN || bytes > STRUCT_BYTES_MAX) return false;
    for (size_t offset = sizeof *chosen; offset < bytes; offset++)
        if (((const unsigned char *)options)[offset] != 0) return false;
    memcpy(chosen, options, bytes < sizeof *chosen ? bytes : sizeof *chosen);
    return true;
}

hak_heap_t *hak_heap_new(const hak_heap_options_t *options) {
    hak_heap_options_t chosen = HAK_HEAP_OPTIONS_INIT;
    bool is_read = options == NULL || read_options(&chosen, options);
    bool is_align_8 = chosen.alignment_bytes == 8;
    uint64_t soft = limit_or_none(chosen.soft_limit_bytes), hard = limit_or_none(chosen.hard_limit_bytes);
    bool is_aligned = is_align_8 || chosen.alignment_bytes == 0 || chosen.alignment_bytes == 16;
    if (!is_read || !is_aligned || chosen.is_private > 1 || (soft != UINT64_MAX && soft > hard)) {
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
    misuse_report("invalid use of %p: a heap that was destroyed before, or none (size class none, thread %u)", heap,
                  os_thread_id());
    return false;
}

HAK_COLD void account_report_not_held(const hak_heap_t *heap, const void *block, size_t usable_bytes) {
    uint64_t held_blocks = account_held_blocks(heap), held_bytes = account_held_bytes(heap);
    misuse_report("invalid free of %p: not a block of the heap %p, which holds %u blocks of %u bytes (size class %u "
                  "bytes, thread %u)",
                  block, heap, held_blocks, held_bytes, (uint64_t)usable_bytes, os_thread_id());
}

void hak_heap_destroy(hak_heap_t *heap) {
    if (heap == NULL || !account_is_alive(heap)) return;
    Heap *private_heap = heap->private_heap;
    heap->mark = 0;
    heap->private_heap = NULL;
    heap->user = NULL;
    heap->ceiling_bytes = 0;
    heap->watch_bytes = 0;
    if (private_heap != NULL) private_heap_destroy(private_heap);
    hak_free(heap);
}

/* ---- Limits ---- */

typedef struct Limits {
    uint64_t soft, hard;
    bool is_soft_over, is_counted_alone; /* is_soft_over: only the hard limit refuses */
} Limits;

static Limits limits_of(hak_heap_t *heap) {
    return (Limits){heap->soft_limit_bytes, heap->hard_limit_bytes, heap->soft_refused && heap->awaited_bytes == 0,
                    heap->user != NULL};
}

void account_update_ceiling(hak_heap_t *heap) {
    Limits used, now = limits_of(heap);
    do { /* again, if another thread has changed something meanwhile */
        used = now;
        uint64_t lower = used.is_soft_over || used.soft > used.hard ? used.hard : used.soft;
        heap->ceiling_bytes = used.is_counted_alone ? lower : 0;
        now = limits_of(heap);
    } while (now.soft != used.soft || now.hard != used.hard || now.is_soft_over != used.is_soft_over ||
             now.is_counted_alone != used.is_counted_alone);
}

static void count_refusal(_Atomic uint64_t *refusals) {
    atomic_fetch_add_explicit(refusals, 1, memory_order_relaxed);
    errno = ENOMEM;
}

HAK_COLD bool account_refuses(hak_heap_t *heap, uint64_t wanted_bytes) {
    if (wanted_bytes > LOAD_RELAXED(heap->hard_limit_bytes)) {
        count_refusal(&heap->hard_refusals);
        return true;
    }
    if (wanted_bytes <= LOAD_RELAXED(heap->soft_limit_bytes)) return false;
    uint64_t held_bytes = account_held_bytes(heap);
    bool is_soft_refusal = !atomic_exchange(&heap->soft_refused, true);
    heap->awaited_bytes = is_soft_refusal && wanted_bytes > held_bytes ? wanted_bytes - held_bytes : 0;
    if (is_soft_refusal) {
        heap->watch_bytes = 0;
        count_refusal(&heap->soft_refusals);
    }
    account_update_ceiling(heap);
    return is_soft_refusal;
}

void account_note_peak(hak_heap_t *heap, uint64_t held_bytes) {
    uint64_t peak_bytes = LOAD_RELAXED(heap->peak_bytes);
    while (held_bytes > peak_bytes)
        if (atomic_compare_exchange_weak_explicit(&heap->peak_bytes, &peak_bytes, held_bytes, memory_order_relaxed,
                                                  memory_order_relaxed))
            break;
}

HAK_COLD void account_note_fall(hak_heap_t *heap, uint64_t held_bytes, uint64_t left_bytes) {
    account_note_peak(heap, held_bytes);
    uint64_t soft = LOAD_RELAXED(heap->soft_limit_bytes), awaited_bytes = LOAD_RELAXED(heap->awaited_bytes);
    bool is_soft_again = left_bytes <= soft && awaited_bytes <= soft - left_bytes;
    if (LOAD_RELAXED(heap->soft_refused) && is_soft_again) {
        heap->soft_refused = false;
        account_update_ceiling(heap);
    }
    bool is_each_free_checked = LOAD_RELAXED(heap->soft_refused) || LOAD_RELAXED(heap->user) == NULL;
    STORE_RELAXED(heap->watch_bytes, is_each_free_checked ? 0 : LOAD_RELAXED(heap->peak_bytes) + 1);
}

/* ---- Limits and stats, by any thread ---- */

int hak_heap_set_limit(hak_heap_t *heap, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) {
    uint64_t soft = limit_or_none(soft_limit_bytes), hard = limit_or_none(hard_limit_bytes);
    if (heap == NULL || (soft != UINT64_MAX && soft > hard) || !account_is_alive(heap)) return EINVAL;
    set_limits(heap, soft, hard);
    return 0;
}

int hak_heap_stats_get(const hak_heap_t *heap, hak_heap_stats_t *stats) {
    if (heap == NULL || stats == NULL || stats->struct_bytes < 2 * sizeof(uint32_t) || !account_is_alive(heap))
        return EINVAL;
    uint32_t struct_bytes = stats->struct_bytes < sizeof *stats ? stats->struct_bytes : (uint32_t)sizeof *stats;
    uint64_t held_bytes = account_held_bytes(heap), peak_bytes = LOAD_RELAXED(heap->peak_bytes);
    hak_heap_stats_t full = {
        .struct_bytes = struct_bytes,
        .version = HAK_HEAP_VERSION,
        .used_bytes = held_bytes,
        .used_blocks = account_held_blocks(heap),
        .peak_bytes = held_bytes > peak_bytes ? held_bytes : peak_bytes,
        .soft_limit_bytes = none_as_zero(LOAD_RELAXED(heap->soft_limit_bytes)),
        .hard_limit_bytes = none_as_zero(LOAD_RELAXED(heap->hard_limit_bytes)),
        .soft_refusals = LOAD_RELAXED(heap->soft_refusals),
        .hard_refusals = LOAD_RELAXED(heap->hard_refusals),
    };
    memcpy(stats, &full, struct_bytes);
    return 0;
}
