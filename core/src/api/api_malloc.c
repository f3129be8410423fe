/*
 * api/api_malloc.c - the public functions that allocate and free.
 *
 * Layer: api. Checks sizes and addresses; the layers below trust them. Thread rule: any thread.
 */
#include <errno.h>
#include <hakmem.h>
#include <string.h>

#include "alloc/empty_heap.h"
#include "alloc/free.h"
#include "alloc/large.h"
#include "alloc/malloc.h"
#include "api/block.h"
#include "heap/heap_all.h"
#include "lifecycle/start.h"
#include "platform/misuse.h"
#include "platform/option.h"
#include "retention/helper_state.h"
#include "slab/slab_guard.h"
#include "superslab/registry.h"

/* ---- Allocate ---- */

/* Option `debug` 2: hak_check, whose time grows with the heap, at every REQUESTS_BETWEEN_CHECKS-th request of a
 * thread. */
static HAK_COLD void check_if_due(const Heap *heap) {
    enum { REQUESTS_BETWEEN_CHECKS = 1024 };
    if (heap->kind != HEAP_THREAD || LOAD_RELAXED(heap->requests.mallocs) % REQUESTS_BETWEEN_CHECKS != 0) return;
    /* The C library may be asking for memory in the middle of pthread_create. A check waits for the helper's end, which
     * the thread that makes the helper would do for ever. */
    if (LOAD_RELAXED(helper_is_being_made)) return;
    size_t violations = hak_check();
    if (violations > 0 && option_value(OPTION_ON_ERROR) == OPTION_ON_ERROR_ABORT) os_abort();
}

HAK_NOINLINE void *malloc_slow(size_t size_bytes, SizeClassAlignment alignment) {
    core_start();
    if (HAK_UNLIKELY(size_bytes > PTRDIFF_MAX)) {
        heap_count_if_on(heap_of_thread, COUNTER_early_return_too_large, 1);
        errno = ENOMEM;
        return NULL;
    }
    unsigned class_index = size_class_of(size_bytes, alignment);
    if (class_index == 0) return large_malloc(size_bytes, os_page_bytes);
    Heap *heap = heap_of_thread;
    if (size_bytes == 0) heap_count_if_on(heap, COUNTER_early_return_zero_size, 1);
    if (HAK_UNLIKELY(slab_is_guarded())) check_if_due(heap);
    return heap_malloc_slow(heap, class_index);
}

HAK_INLINE void *malloc_aligned_as(size_t size_bytes, SizeClassAlignment alignment) {
    void *block;
    size_t class_index;
    if (HAK_LIKELY(size_bytes <= SIZE_CLASS_TABLE_BYTES_MAX))
        class_index = size_class_of_small(size_bytes, alignment);
    else if ((class_index = size_class_of_medium(size_bytes)) == 0)
        return malloc_slow(size_bytes, alignment);
    if (HAK_LIKELY(heap_malloc(heap_of_thread, class_index, &block))) return block;
    return malloc_slow(size_bytes, alignment);
}

void *hak_malloc(size_t size_bytes) { return malloc_aligned_as(size_bytes, ALIGN_C); }
void *hak_malloc_object(size_t size_bytes) { return malloc_aligned_as(size_bytes, ALIGN_OBJECT); }
void *hak_malloc_align8(size_t size_bytes) { return malloc_aligned_as(size_bytes, ALIGN_8); }
void *hak_malloc_align16(size_t size_bytes) { return malloc_aligned_as(size_bytes, ALIGN_16); }

HAK_INLINE void *calloc_with(size_t count, size_t size_bytes, void *(*allocate)(size_t)) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size_bytes, &bytes)) bytes = SIZE_MAX;
    if (bytes > SLAB_CLASS_BYTES_MAX && bytes <= PTRDIFF_MAX) {
        size_t dirty_bytes;
        core_start();
        void *block = large_malloc_for_zeros(bytes, &dirty_bytes);
        if (block != NULL) memset(block, 0, dirty_bytes < bytes ? dirty_bytes : bytes);
        return block;
    }
    void *block = allocate(bytes);
    if (block != NULL) memset(block, 0, bytes);
    return block;
}

void *hak_calloc(size_t count, size_t size_bytes) { return calloc_with(count, size_bytes, hak_malloc); }
void *hak_calloc_align16(size_t count, size_t size_bytes) { return calloc_with(count, size_bytes, hak_malloc_align16); }

void *hak_aligned_alloc(size_t alignment, size_t size_bytes) {
    if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
        errno = EINVAL;
        return NULL;
    }
    if (alignment <= 16) return hak_malloc(size_bytes > 8 || alignment <= 8 ? size_bytes : 16);
    if (size_bytes > PTRDIFF_MAX) return hak_malloc(size_bytes);
    core_start();
    if (size_bytes == 0) size_bytes = 1;
    /* Slabs are 64 KiB-aligned, so blocks of a power-of-two size are aligned to their size, but for shifted ones. */
    size_t class_bytes = alignment, canary_bytes = size_class_canary_bytes();
    while ((class_bytes < size_bytes + canary_bytes && class_bytes <= SLAB_CLASS_BYTES_MAX) ||
           class_bytes == SHIFTED_CLASS_BYTES)
        class_bytes *= 2;
    if (class_bytes <= SLAB_CLASS_BYTES_MAX) return hak_malloc(class_bytes - canary_bytes);
    return large_malloc(size_bytes, alignment);
}

/* ---- Free ---- */

static HAK_COLD void *report_foreign_free(void *unused, void *block) {
    (void)unused;
    if (block == NULL) return NULL;
    misuse_report("invalid free of %p: not a block of hakmem (size class none, thread %u)", block, os_thread_id());
    return NULL;
}

/* After HEAP_FREE_SLOW: the magazine is full or closed, the block is large or foreign, or it lies outside the
 * registry's window. Returns 0 for a foreign address, else 1. */
static HAK_NOINLINE int free_slow(void *block) {
    unsigned slab_class = registry_slab_class(block);
    heap_free_withdraw(heap_of_thread);
    if (slab_class == SLAB_CLASS_FOREIGN) {
        heap_count_if_on(heap_of_thread,
                         block == NULL ? COUNTER_early_return_null_free : COUNTER_early_return_foreign_free, 1);
        return 0;
    }
    if (slab_class <= SIZE_CLASS_COUNT)
        heap_free(heap_of_thread, block, slab_class);
    else if (slab_class == SLAB_CLASS_FREE)
        block_report_dead(block);
    else
        large_free(block);
    return 1;
}

/* Each entry point tail-calls its slow paths, so that its fast path needs no stack frame. */

static HAK_NOINLINE int last_free(Heap *heap) {
    empty_heap_flush_if_due(heap);
    return 1;
}

int hak_free_if_owned(void *block) {
    Heap *heap = heap_of_thread;
    HeapFreeStep step = heap_free_fast(heap, block, registry_slab_class_near(block));
    if (HAK_LIKELY(step == HEAP_FREE_DONE)) return 1;
    return step == HEAP_FREE_LAST ? last_free(heap) : free_slow(block);
}

static HAK_NOINLINE void *free_slow_or(void *block, hak_foreign_free *foreign_free, void *context) {
    return free_slow(block) ? NULL : foreign_free(context, block);
}

static HAK_NOINLINE void *last_free_or(Heap *heap) {
    empty_heap_flush_if_due(heap);
    return NULL;
}

HAK_INLINE void *free_or(void *block, hak_foreign_free *foreign_free, void *context) {
    Heap *heap = heap_of_thread;
    HeapFreeStep step = heap_free_fast(heap, block, registry_slab_class_near(block));
    if (HAK_LIKELY(step == HEAP_FREE_DONE)) return NULL;
    return step == HEAP_FREE_LAST ? last_free_or(heap) : free_slow_or(block, foreign_free, context);
}

void *hak_free_or(void *block, hak_foreign_free *foreign_free, void *context) {
    return free_or(block, foreign_free, context);
}

void hak_free(void *block) { (void)free_or(block, report_foreign_free, NULL); }

void hak_free_sized(void *block, size_t size_bytes) {
    if (HAK_UNLIKELY(option_value(OPTION_DEBUG) != 0) && block != NULL) {
        size_t usable_bytes = hak_usable_size(block);
        /* Only the upper bound is checked: the smallest size of a block depends on the entry point's alignment. */
        if (usable_bytes != 0 && size_bytes > usable_bytes) {
            bool is_small = usable_bytes <= SLAB_CLASS_BYTES_MAX;
            uint64_t class_bytes = usable_bytes + (is_small ? size_class_canary_bytes() : 0);
            misuse_report("corruption: %p is freed as %u bytes (size class %u bytes, thread %u)", block,
                          (uint64_t)size_bytes, class_bytes, os_thread_id());
            return;
        }
    }
    hak_free(block);
}

/* ---- Look-ups ---- */

size_t hak_usable_size(const void *block) { return block_usable_bytes(block); }

int hak_owns(const void *address) { return registry_slab_class(address) != SLAB_CLASS_FOREIGN; }
