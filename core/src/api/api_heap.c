/*
 * api/api_heap.c - malloc, realloc and free in a host's heap: counted, limited, and for a private heap in slabs of
 * its own.
 *
 * Layer: api. Does not know how blocks are made. Thread rule: one thread at a time uses a heap.
 */
#include <errno.h>
#include <hakmem.h>
#include <string.h>

#include "alloc/empty_heap.h"
#include "alloc/free.h"
#include "alloc/malloc.h"
#include "alloc/private_heap.h"
#include "api/account.h"
#include "api/block.h"
#include "platform/message.h"
#include "platform/option.h"

/* ---- Malloc ---- */

HAK_INLINE unsigned class_of(const hak_heap_t *heap, size_t size_bytes) {
    return size_class_in(heap->small_classes, size_bytes);
}

static uint64_t usable_bytes_of_request(const hak_heap_t *heap, size_t size_bytes) {
    unsigned class_index = class_of(heap, size_bytes);
    if (HAK_LIKELY(class_index != 0)) return size_class_usable_bytes[class_index];
    return round_up_bytes(size_bytes, os_page_bytes);
}

/* The heap whose magazines and slabs serve the calling thread's requests. */
HAK_INLINE Heap *source_of(const hak_heap_t *heap) {
    return heap->private_heap != NULL ? heap->private_heap : heap_of_thread;
}

/* After heap_malloc failed; the request is announced (alloc/malloc.h). */
static void *malloc_small_slow(hak_heap_t *heap, size_t size_bytes, unsigned class_index) {
    if (heap->private_heap != NULL) return heap_malloc_slow(heap->private_heap, class_index);
    return malloc_slow(size_bytes, heap->alignment);
}

static void *malloc_uncounted(hak_heap_t *heap, size_t size_bytes) {
    unsigned class_index = class_of(heap, size_bytes);
    void *block;
    if (class_index == 0) {
        block = large_malloc(size_bytes, os_page_bytes, NULL);
        if (block != NULL && heap->private_heap != NULL) private_heap_large_add(heap->private_heap, block);
        return block;
    }
    if (heap_malloc(source_of(heap), class_index, &block)) return block;
    return malloc_small_slow(heap, size_bytes, class_index);
}

/* The request is large, or would exceed the ceiling. */
static HAK_NOINLINE void *malloc_checked(hak_heap_t *heap, size_t size_bytes) {
    if (HAK_UNLIKELY(size_bytes > PTRDIFF_MAX || !account_is_alive(heap))) {
        errno = ENOMEM;
        return NULL;
    }
    if (account_forbids(heap, usable_bytes_of_request(heap, size_bytes))) return NULL;
    void *block = malloc_uncounted(heap, size_bytes);
    if (block == NULL) return NULL;
    account_add_bytes(heap, block_usable_bytes(block));
    account_add_blocks(heap, 1);
    return block;
}

static HAK_NOINLINE void *malloc_small_slow_counted(hak_heap_t *heap, size_t size_bytes) {
    unsigned class_index = class_of(heap, size_bytes);
    void *block = malloc_small_slow(heap, size_bytes, class_index);
    if (block == NULL) return NULL;
    account_add_bytes(heap, size_class_usable_bytes[class_index]);
    account_add_blocks(heap, 1);
    return block;
}

typedef enum MallocStep { MALLOC_DONE, MALLOC_CHECKED, MALLOC_SLOW } MallocStep;

/* The part without a call. MALLOC_CHECKED: go on with malloc_checked. MALLOC_SLOW: go on with
 * malloc_small_slow_counted. */
HAK_INLINE MallocStep malloc_fast(hak_heap_t *heap, size_t size_bytes, void **block) {
    unsigned class_index;
    if (HAK_LIKELY(size_bytes <= SIZE_CLASS_TABLE_BYTES_MAX))
        class_index = LOAD_RELAXED(heap->small_classes[(size_bytes + 7) / 8]);
    else if ((class_index = size_class_of_medium(size_bytes)) == 0)
        return MALLOC_CHECKED;
    Heap *source = source_of(heap);
    uint64_t usable_bytes = magazine_usable_bytes(&source->magazine[class_index]);
    uint64_t wanted_bytes = LOAD_RELAXED(heap->used_bytes) + usable_bytes;
    if (HAK_UNLIKELY(wanted_bytes > LOAD_RELAXED(heap->ceiling_bytes))) return MALLOC_CHECKED;
    if (HAK_UNLIKELY(!heap_malloc(source, class_index, block))) return MALLOC_SLOW;
    account_add_bytes(heap, usable_bytes);
    account_add_blocks(heap, 1);
    return MALLOC_DONE;
}

void *hak_heap_malloc(hak_heap_t *heap, size_t size_bytes) {
    void *block;
    MallocStep step = malloc_fast(heap, size_bytes, &block);
    if (HAK_LIKELY(step == MALLOC_DONE)) return block;
    return step == MALLOC_CHECKED ? malloc_checked(heap, size_bytes) : malloc_small_slow_counted(heap, size_bytes);
}

static HAK_NOINLINE void *malloc_checked_or(hak_heap_t *heap, size_t size_bytes, hak_refused *refused, void *context,
                                            uintptr_t word) {
    void *block = malloc_checked(heap, size_bytes);
    return block != NULL ? block : refused(context, word, size_bytes);
}

static HAK_NOINLINE void *malloc_slow_or(hak_heap_t *heap, size_t size_bytes, hak_refused *refused, void *context,
                                         uintptr_t word) {
    void *block = malloc_small_slow_counted(heap, size_bytes);
    return block != NULL ? block : refused(context, word, size_bytes);
}

void *hak_heap_malloc_or(hak_heap_t *heap, size_t size_bytes, hak_refused *refused, void *context, uintptr_t word) {
    void *block;
    MallocStep step = malloc_fast(heap, size_bytes, &block);
    if (HAK_LIKELY(step == MALLOC_DONE)) return block;
    return step == MALLOC_CHECKED ? malloc_checked_or(heap, size_bytes, refused, context, word)
                                  : malloc_slow_or(heap, size_bytes, refused, context, word);
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
    if (heap->private_heap != NULL) private_heap_large_remove(heap->private_heap, block);
    large_free(block);
}

/* Usable bytes of a block of `heap`. 0: it is none, which is reported as misuse. */
HAK_INLINE size_t own_usable_bytes(const hak_heap_t *heap, const void *block) {
    size_t usable_bytes = block_usable_bytes(block);
    bool is_own = usable_bytes != 0 && (heap->private_heap == NULL || private_heap_owns(heap->private_heap, block));
    if (HAK_LIKELY(is_own)) return usable_bytes;
    report_not_of_heap(block);
    return 0;
}

/* `block` is large, NULL, of a private heap, or misuse, or used_bytes is at least watch_bytes. */
static HAK_NOINLINE void free_checked(hak_heap_t *heap, void *block) {
    size_t usable_bytes = block == NULL ? 0 : own_usable_bytes(heap, block);
    if (usable_bytes == 0) return;
    account_subtract_bytes(heap, usable_bytes);
    account_add_blocks(heap, (uint64_t)-1);
    free_uncounted(heap, block);
}

static HAK_NOINLINE void *free_checked_or(hak_heap_t *heap, void *block, size_t size_bytes,
                                          hak_foreign_free_sized *foreign_free, void *context) {
    if (registry_slab_class(block) == SLAB_CLASS_FOREIGN) return foreign_free(context, block, size_bytes);
    free_checked(heap, block);
    return NULL;
}

/* After HEAP_FREE_SLOW: the free is still announced (alloc/free.h). */
static HAK_NOINLINE void *free_slow_or(Heap *source, hak_heap_t *heap, void *block, size_t size_bytes,
                                       hak_foreign_free_sized *foreign_free, void *context) {
    heap_free_withdraw(source);
    return free_checked_or(heap, block, size_bytes, foreign_free, context);
}

static HAK_NOINLINE void *last_free_or(Heap *source) {
    empty_heap_flush_if_due(source);
    return NULL;
}

HAK_INLINE void *free_or(hak_heap_t *heap, void *block, size_t size_bytes, hak_foreign_free_sized *foreign_free,
                         void *context) {
    if (HAK_UNLIKELY(LOAD_RELAXED(heap->used_bytes) >= heap->watch_bytes)) /* always in a private heap */
        return free_checked_or(heap, block, size_bytes, foreign_free, context);
    Heap *source = heap_of_thread;
    unsigned slab_class = registry_slab_class_near(block);
    HeapFreeStep step = heap_free_fast(source, block, slab_class);
    if (HAK_UNLIKELY(step == HEAP_FREE_SLOW))
        return free_slow_or(source, heap, block, size_bytes, foreign_free, context);
    ADD_RELAXED(heap->used_bytes, -magazine_usable_bytes(&source->magazine[slab_class]));
    account_add_blocks(heap, (uint64_t)-1);
    return HAK_LIKELY(step == HEAP_FREE_DONE) ? NULL : last_free_or(source);
}

static HAK_COLD void *free_foreign(void *heap, void *block, size_t size_bytes) {
    (void)size_bytes;
    free_checked(heap, block); /* ignores NULL, reports anything else */
    return NULL;
}

void hak_heap_free(hak_heap_t *heap, void *block) { (void)free_or(heap, block, 0, free_foreign, heap); }

void *hak_heap_free_or(hak_heap_t *heap, void *block, size_t size_bytes, hak_foreign_free_sized *foreign_free,
                       void *context) {
    return free_or(heap, block, size_bytes, foreign_free, context);
}

/* ---- Realloc ---- */

/* For a private heap. NULL: not possible without a copy, nothing changed. */
static void *resize_large(hak_heap_t *heap, void *block, size_t size_bytes) {
    private_heap_large_remove(heap->private_heap, block);
    void *resized = large_resize(block, size_bytes);
    private_heap_large_add(heap->private_heap, resized != NULL ? resized : block);
    return resized;
}

static void *private_malloc_growing(hak_heap_t *heap, size_t size_bytes) {
    void *block = large_malloc_growing(size_bytes);
    if (block != NULL) private_heap_large_add(heap->private_heap, block);
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

/* Moves a small block of an account to a small block of another class. The caller passes both classes, so that each
 * is looked up once: growing tables and strings make this a hot path. */
static void *move_small(hak_heap_t *heap, void *block, size_t size_bytes, unsigned from_class, unsigned to_class) {
    uint64_t from_bytes = size_class_usable_bytes[from_class], to_bytes = size_class_usable_bytes[to_class];
    bool is_growing = to_bytes > from_bytes;
    if (is_growing && account_forbids(heap, to_bytes - from_bytes)) return NULL;
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
        account_add_bytes(heap, to_bytes - from_bytes);
    else
        account_subtract_bytes(heap, from_bytes - to_bytes);
    return moved;
}

void *hak_heap_realloc(hak_heap_t *heap, void *block, size_t size_bytes) {
    unsigned from_class = registry_slab_class_near(block), to_class = class_of(heap, size_bytes);
    if (HAK_UNLIKELY(block_was_freed(block))) return block_report_freed_realloc(block);
    if (HAK_LIKELY(from_class - 1u < SIZE_CLASS_COUNT && to_class != 0 && heap->private_heap == NULL)) {
        if (block_fits_in_place(size_class_usable_bytes[from_class], size_bytes)) return block;
        return move_small(heap, block, size_bytes, from_class, to_class);
    }
    if (block == NULL) return hak_heap_malloc(heap, size_bytes);
    size_t usable_bytes = own_usable_bytes(heap, block);
    if (HAK_UNLIKELY(usable_bytes == 0 || size_bytes > PTRDIFF_MAX)) {
        errno = ENOMEM;
        return NULL;
    }
    if (size_bytes > usable_bytes && account_forbids(heap, usable_bytes_of_request(heap, size_bytes) - usable_bytes))
        return NULL;
    void *resized = realloc_uncounted(heap, block, usable_bytes, size_bytes);
    if (resized == NULL) return NULL;
    size_t resized_bytes = block_usable_bytes(resized);
    if (resized_bytes >= usable_bytes)
        account_add_bytes(heap, resized_bytes - usable_bytes);
    else
        account_subtract_bytes(heap, usable_bytes - resized_bytes);
    return resized;
}
