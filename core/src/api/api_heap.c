/*
 * api/api_heap.c - heaps of a host: what one tenant holds, counted, limited, and on request apart from all others.
 *
 * Layer: api. Does not know how blocks are made. Thread rule: a heap is used by one thread at a time; limits and stats by
 * any, so these fields are relaxed atomics.
 */
#include <errno.h>
#include <hakmem.h>
#include <string.h>

#include "api/block.h"
#include "heap/fast.h"
#include "platform/message.h"
#include "platform/option.h"

/*
 *   used_bytes <= hard_limit_bytes, unless the limit was lowered below what was held
 *   soft_refused: the soft limit has refused once since used_bytes was last below it
 *   the peak so far is the larger of peak_bytes and used_bytes
 *
 * So that a fast path compares once:
 *   ceiling_bytes: a request that leads beyond it needs a look; the hard limit, or the soft one until that has refused
 *   watch_bytes: a free from above it needs a look; peak_bytes, or 0 while soft_refused
 */
struct hak_heap {
    Heap *private_heap; /* NULL: blocks come from the calling thread's heap */
    SizeClassAlignment alignment;
    bool soft_refused;
    _Atomic uint64_t used_bytes, used_blocks, ceiling_bytes;
    uint64_t watch_bytes;
    _Atomic uint64_t peak_bytes, soft_limit_bytes, hard_limit_bytes; /* UINT64_MAX: none */
    _Atomic uint64_t soft_refusals, hard_refusals;
};

static uint64_t limit_or_none(uint64_t bytes) { return bytes == 0 ? UINT64_MAX : bytes; }
static uint64_t none_as_zero(uint64_t bytes) { return bytes == UINT64_MAX ? 0 : bytes; }

/* By any thread. The owner moves the ceiling, too, and then looks at the limits again (ceiling_follow), so all of these
 * are seq_cst. */
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
    if (chosen.is_private != 0 && (heap->private_heap = heap_private_new()) == NULL) {
        hak_free(heap);
        errno = ENOMEM;
        return NULL;
    }
    heap->alignment = is_align_8 ? ALIGN_8 : ALIGN_C;
    set_limits(heap, soft, hard);
    return heap;
}

void hak_heap_destroy(hak_heap_t *heap) {
    if (heap == NULL) return;
    if (heap->private_heap != NULL) heap_private_destroy(heap->private_heap);
    hak_free(heap);
}

/* ---- Limits ---- */

/* After soft_refused has changed, or just in case. */
static void ceiling_follow(hak_heap_t *heap) {
    uint64_t soft, hard;
    do {
        soft = heap->soft_limit_bytes, hard = heap->hard_limit_bytes;
        heap->ceiling_bytes = heap->soft_refused || soft > hard ? hard : soft;
    } while (soft != heap->soft_limit_bytes || hard != heap->hard_limit_bytes); /* set meanwhile */
}

static void refusal(_Atomic uint64_t *refusals) {
    STORE_RELAXED(*refusals, LOAD_RELAXED(*refusals) + 1);
    errno = ENOMEM;
}

static HAK_COLD bool is_refused_above_ceiling(hak_heap_t *heap, uint64_t wanted_bytes) {
    if (wanted_bytes > LOAD_RELAXED(heap->hard_limit_bytes)) {
        refusal(&heap->hard_refusals);
        return true;
    }
    bool is_first = !heap->soft_refused && wanted_bytes > LOAD_RELAXED(heap->soft_limit_bytes);
    if (is_first) {
        heap->soft_refused = true;
        heap->watch_bytes = 0;
        refusal(&heap->soft_refusals);
    }
    ceiling_follow(heap);
    return is_first;
}

/* May the heap grow by so much? */
HAK_INLINE bool is_refused(hak_heap_t *heap, uint64_t more_bytes) {
    uint64_t wanted_bytes = LOAD_RELAXED(heap->used_bytes) + more_bytes;
    return HAK_UNLIKELY(wanted_bytes > LOAD_RELAXED(heap->ceiling_bytes)) && is_refused_above_ceiling(heap, wanted_bytes);
}

/* The peak is looked at when the count falls, and by those who ask for it: growing costs nothing. */
HAK_INLINE void count_more(hak_heap_t *heap, uint64_t bytes) {
    STORE_RELAXED(heap->used_bytes, LOAD_RELAXED(heap->used_bytes) + bytes);
}

static HAK_COLD void look_before_less(hak_heap_t *heap, uint64_t used_bytes, uint64_t bytes) {
    if (used_bytes > LOAD_RELAXED(heap->peak_bytes)) STORE_RELAXED(heap->peak_bytes, used_bytes);
    if (heap->soft_refused && used_bytes - bytes <= LOAD_RELAXED(heap->soft_limit_bytes)) {
        heap->soft_refused = false;
        ceiling_follow(heap);
    }
    heap->watch_bytes = heap->soft_refused ? 0 : LOAD_RELAXED(heap->peak_bytes);
}

HAK_INLINE void count_less(hak_heap_t *heap, uint64_t bytes) {
    uint64_t used_bytes = LOAD_RELAXED(heap->used_bytes);
    if (HAK_UNLIKELY(used_bytes > heap->watch_bytes)) look_before_less(heap, used_bytes, bytes);
    STORE_RELAXED(heap->used_bytes, used_bytes - bytes);
}

HAK_INLINE void count_blocks(hak_heap_t *heap, uint64_t more) {
    STORE_RELAXED(heap->used_blocks, LOAD_RELAXED(heap->used_blocks) + more);
}

/* ---- Malloc ---- */

static uint64_t usable_bytes_of_request(const hak_heap_t *heap, size_t size_bytes) {
    unsigned class_index = size_class_of(size_bytes, heap->alignment);
    if (HAK_LIKELY(class_index != 0)) return size_classes[class_index].usable_bytes;
    return round_up_bytes(size_bytes, os_page_bytes);
}

/* Whose magazines and slabs serve it now. */
HAK_INLINE Heap *source_of(const hak_heap_t *heap) {
    return heap->private_heap != NULL ? heap->private_heap : heap_of_thread;
}

/* The magazine gave nothing. */
static void *malloc_small_slow(hak_heap_t *heap, size_t size_bytes, unsigned class_index) {
    if (heap->private_heap != NULL) return heap_malloc_slow(heap->private_heap, class_index);
    return malloc_slow(size_bytes, heap->alignment);
}

static void *malloc_uncounted(hak_heap_t *heap, size_t size_bytes) {
    unsigned class_index = size_class_of(size_bytes, heap->alignment);
    void *block;
    if (class_index == 0) {
        block = large_malloc(size_bytes, os_page_bytes, NULL);
        if (block != NULL && heap->private_heap != NULL) heap_private_large_add(heap->private_heap, block);
        return block;
    }
    if (heap_malloc(source_of(heap), class_index, &block)) return block;
    return malloc_small_slow(heap, size_bytes, class_index);
}

/* Large, or beyond the ceiling. */
static HAK_NOINLINE void *malloc_with_a_look(hak_heap_t *heap, size_t size_bytes) {
    if (HAK_UNLIKELY(size_bytes > PTRDIFF_MAX)) {
        errno = ENOMEM;
        return NULL;
    }
    if (is_refused(heap, usable_bytes_of_request(heap, size_bytes))) return NULL;
    void *block = malloc_uncounted(heap, size_bytes);
    if (block == NULL) return NULL;
    count_more(heap, block_usable_bytes(block));
    count_blocks(heap, 1);
    return block;
}

static HAK_NOINLINE void *malloc_small_slow_counted(hak_heap_t *heap, size_t size_bytes, unsigned class_index) {
    void *block = malloc_small_slow(heap, size_bytes, class_index);
    if (block == NULL) return NULL;
    count_more(heap, size_classes[class_index].usable_bytes);
    count_blocks(heap, 1);
    return block;
}

void *hak_heap_malloc(hak_heap_t *heap, size_t size_bytes) {
    unsigned class_index = size_class_of(size_bytes, heap->alignment);
    uint64_t used_bytes = LOAD_RELAXED(heap->used_bytes) + size_classes[class_index].usable_bytes;
    if (HAK_UNLIKELY(class_index == 0 || used_bytes > LOAD_RELAXED(heap->ceiling_bytes)))
        return malloc_with_a_look(heap, size_bytes);
    void *block;
    if (HAK_UNLIKELY(!heap_malloc(source_of(heap), class_index, &block)))
        return malloc_small_slow_counted(heap, size_bytes, class_index);
    STORE_RELAXED(heap->used_bytes, used_bytes);
    count_blocks(heap, 1);
    return block;
}

/* ---- Free ---- */

static HAK_COLD void report_not_of_heap(const void *block) {
    message_misuse(option_value(OPTION_ON_ERROR) == OPTION_ON_ERROR_REPORT,
                   "invalid free of %p: not a block of this heap (size class unknown, thread %u)", block,
                   os_thread_id());
}

static void free_uncounted(hak_heap_t *heap, void *block) {
    unsigned class_index = registry_slab_class(block);
    if (class_index - 1u < SIZE_CLASS_COUNT) {
        heap_free(source_of(heap), block, class_index);
        return;
    }
    if (heap->private_heap != NULL) heap_private_large_remove(heap->private_heap, block);
    large_free(block);
}

/* 0: not a live block's start, or not of this heap; reported. */
HAK_INLINE size_t own_usable_bytes(const hak_heap_t *heap, const void *block) {
    size_t usable_bytes = block_usable_bytes(block);
    bool is_own = usable_bytes != 0 && (heap->private_heap == NULL || heap_private_owns(heap->private_heap, block));
    if (HAK_LIKELY(is_own)) return usable_bytes;
    report_not_of_heap(block);
    return 0;
}

/* Large, NULL, of a private heap, or to be reported. */
static HAK_NOINLINE void free_with_a_look(hak_heap_t *heap, void *block) {
    size_t usable_bytes = block == NULL ? 0 : own_usable_bytes(heap, block);
    if (usable_bytes == 0) return;
    count_less(heap, usable_bytes);
    count_blocks(heap, (uint64_t)-1);
    free_uncounted(heap, block);
}

/* False: it needs a look. */
HAK_INLINE bool free_small(hak_heap_t *heap, void *block) {
    unsigned class_index = registry_slab_class_near(block);
    if (HAK_UNLIKELY(class_index - 1u >= SIZE_CLASS_COUNT) || heap->private_heap != NULL) return false;
    count_less(heap, size_classes[class_index].usable_bytes);
    count_blocks(heap, (uint64_t)-1);
    heap_free(heap_of_thread, block, class_index);
    return true;
}

void hak_heap_free(hak_heap_t *heap, void *block) {
    if (HAK_UNLIKELY(!free_small(heap, block))) free_with_a_look(heap, block);
}

static HAK_NOINLINE void free_with_a_look_or(hak_heap_t *heap, void *block, size_t size_bytes,
                                             void (*foreign_free)(void *context, void *block, size_t size_bytes),
                                             void *context) {
    if (registry_slab_class(block) == SLAB_CLASS_FOREIGN)
        foreign_free(context, block, size_bytes);
    else
        free_with_a_look(heap, block);
}

void hak_heap_free_or(hak_heap_t *heap, void *block, size_t size_bytes,
                      void (*foreign_free)(void *context, void *block, size_t size_bytes), void *context) {
    if (HAK_UNLIKELY(!free_small(heap, block))) free_with_a_look_or(heap, block, size_bytes, foreign_free, context);
}

/* ---- Realloc ---- */

/* NULL: not possible in its place, nothing changed. */
static void *resize_large(hak_heap_t *heap, void *block, size_t size_bytes) {
    heap_private_large_remove(heap->private_heap, block);
    void *resized = large_resize(block, size_bytes);
    heap_private_large_add(heap->private_heap, resized != NULL ? resized : block);
    return resized;
}

static void *private_malloc_growing(hak_heap_t *heap, size_t size_bytes) {
    void *block = large_malloc_growing(size_bytes);
    if (block != NULL) heap_private_large_add(heap->private_heap, block);
    return block;
}

static void *private_realloc(hak_heap_t *heap, void *block, size_t usable_bytes, size_t size_bytes) {
    if (block_fits_in_place(usable_bytes, size_bytes)) return block;
    if (usable_bytes > SLAB_CLASS_BYTES_MAX && size_bytes > SLAB_CLASS_BYTES_MAX) {
        void *resized = resize_large(heap, block, size_bytes);
        if (resized != NULL) return resized;
    }
    int saved = errno;
    bool is_growing = size_bytes > usable_bytes;
    void *moved = is_growing && size_bytes > SLAB_CLASS_BYTES_MAX ? private_malloc_growing(heap, size_bytes)
                                                                  : malloc_uncounted(heap, size_bytes);
    if (moved == NULL) {
        if (is_growing) return NULL;
        errno = saved;
        return block; /* shrinking never fails */
    }
    memcpy(moved, block, is_growing ? usable_bytes : size_bytes);
    free_uncounted(heap, block);
    return moved;
}

static void *realloc_uncounted(hak_heap_t *heap, void *block, size_t usable_bytes, size_t size_bytes) {
    if (heap->private_heap != NULL) return private_realloc(heap, block, usable_bytes, size_bytes);
    return heap->alignment == ALIGN_8 ? hak_realloc_align8(block, size_bytes) : hak_realloc(block, size_bytes);
}

/* A growing table or string of an account: both sizes small, so that each class is found once. */
static void *move_small(hak_heap_t *heap, void *block, size_t size_bytes, unsigned from_class, unsigned to_class) {
    uint64_t from_bytes = size_classes[from_class].usable_bytes, to_bytes = size_classes[to_class].usable_bytes;
    bool is_growing = to_bytes > from_bytes;
    if (is_growing && is_refused(heap, to_bytes - from_bytes)) return NULL;
    int saved = errno;
    void *moved;
    if (!heap_malloc(heap_of_thread, to_class, &moved)) moved = malloc_small_slow(heap, size_bytes, to_class);
    if (HAK_UNLIKELY(moved == NULL)) {
        if (is_growing) return NULL;
        errno = saved;
        return block; /* shrinking never fails */
    }
    memcpy(moved, block, size_bytes < from_bytes ? size_bytes : from_bytes);
    heap_free(heap_of_thread, block, from_class);
    if (is_growing)
        count_more(heap, to_bytes - from_bytes);
    else
        count_less(heap, from_bytes - to_bytes);
    return moved;
}

void *hak_heap_realloc(hak_heap_t *heap, void *block, size_t size_bytes) {
    unsigned from_class = registry_slab_class_near(block), to_class = size_class_of(size_bytes, heap->alignment);
    if (HAK_LIKELY(from_class - 1u < SIZE_CLASS_COUNT && to_class != 0 && heap->private_heap == NULL)) {
        if (block_fits_in_place(size_classes[from_class].usable_bytes, size_bytes)) return block;
        return move_small(heap, block, size_bytes, from_class, to_class);
    }
    if (block == NULL) return hak_heap_malloc(heap, size_bytes);
    size_t usable_bytes = own_usable_bytes(heap, block);
    if (HAK_UNLIKELY(usable_bytes == 0 || size_bytes > PTRDIFF_MAX)) {
        errno = ENOMEM;
        return NULL;
    }
    if (size_bytes > usable_bytes && is_refused(heap, usable_bytes_of_request(heap, size_bytes) - usable_bytes))
        return NULL;
    void *resized = realloc_uncounted(heap, block, usable_bytes, size_bytes);
    if (resized == NULL) return NULL;
    size_t resized_bytes = block_usable_bytes(resized);
    if (resized_bytes >= usable_bytes)
        count_more(heap, resized_bytes - usable_bytes);
    else
        count_less(heap, usable_bytes - resized_bytes);
    return resized;
}

/* ---- Control ---- */

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
