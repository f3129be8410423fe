/*
 * api/api_heap_realloc.c - realloc in a host's heap: counted and limited.
 *
 * Layer: api. Does not know how blocks are made (host_heap.c), nor who counts (account_threads.c). Thread rule: any
 * thread; a private heap is used by one thread at a time.
 */
#include <errno.h>
#include <hakmem.h>
#include <string.h>

#include "alloc/empty_heap.h"
#include "alloc/large.h"
#include "api/host_heap.h"
#include "platform/message.h"

/* ---- Blocks of any size, not counted ---- */

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
                                                                  : host_heap_malloc(heap, size_bytes);
    if (moved == NULL) {
        if (is_growing) return NULL;
        errno = saved;
        return block; /* shrinking never fails */
    }
    memcpy(moved, block, is_growing ? usable_bytes : size_bytes);
    host_heap_free(heap, block);
    return moved;
}

static void *realloc_uncounted(hak_heap_t *heap, void *block, size_t usable_bytes, size_t size_bytes) {
    if (heap->private_heap != NULL) return private_realloc(heap, block, usable_bytes, size_bytes);
    return heap->alignment == ALIGN_8 ? hak_realloc_align8(block, size_bytes) : hak_realloc(block, size_bytes);
}

/* ---- A block of another one's private heap ---- */

/* The caller gets a copy that is this account's; the block is left alone, and reported. */
static HAK_COLD void *copy_of_private(hak_heap_t *heap, const void *block, size_t usable_bytes, size_t size_bytes) {
    heap_report_private(block);
    void *copy = hak_heap_malloc(heap, size_bytes);
    if (copy != NULL) memcpy(copy, block, size_bytes < usable_bytes ? size_bytes : usable_bytes);
    return copy;
}

/* ---- A block that an account does not hold ---- */

/* False, after a report and with errno ENOMEM: the account was destroyed, or does not hold the block. */
static HAK_NOINLINE bool is_held_after_all(const hak_heap_t *heap, const void *block, size_t usable_bytes) {
    bool is_alive = account_is_alive(heap);
    if (HAK_LIKELY(is_alive && account_holds(heap, usable_bytes))) return true;
    if (is_alive) account_report_not_held(heap, block, usable_bytes);
    errno = ENOMEM;
    return false;
}

/* The same, with a fast path for who counts alone. It takes bytes for blocks: one comparison less. */
HAK_INLINE bool is_held_or_reported(const hak_heap_t *heap, const void *block, size_t usable_bytes) {
    bool is_held = account_is_counted_by(heap, heap_of_thread) && LOAD_RELAXED(heap->used_bytes) >= usable_bytes;
    return HAK_LIKELY(is_held) || is_held_after_all(heap, block, usable_bytes);
}

/* ---- Small blocks of an account ---- */

/* Takes a block of the class, and counts what it has more than `from`, a block of `from_bytes`. NULL, errno ENOMEM:
 * refused, no memory, or `from` is not held, which is reported. */
HAK_INLINE void *take_larger(hak_heap_t *heap, const void *from, uint64_t from_bytes, size_t size_bytes,
                             unsigned class_index) {
    void *block;
    uint64_t more_bytes = size_class_usable_bytes[class_index] - from_bytes;
    Heap *source = heap_of_thread;
    uint64_t number = heap_malloc_announce(source);
    uint64_t used_bytes = LOAD_RELAXED(heap->used_bytes);
    bool is_allowed = used_bytes >= from_bytes && used_bytes + more_bytes <= LOAD_RELAXED(heap->ceiling_bytes);
    if (HAK_LIKELY(is_allowed && account_is_counted_by(heap, source) && magazine_pop(source, class_index, &block))) {
        account_add_plainly(heap, more_bytes, 0);
        heap_malloc_done(source, number);
        return block;
    }
    heap_malloc_withdraw(source);
    if (!is_held_or_reported(heap, from, from_bytes) || !account_add(heap, more_bytes, 0)) return NULL;
    block = host_heap_malloc(heap, size_bytes);
    if (block == NULL) account_take_back(heap, more_bytes, 0);
    return block;
}

/* Takes a block of the class, and counts nothing. NULL: no memory; errno as it was. */
HAK_INLINE void *take_uncounted(hak_heap_t *heap, Heap *source, size_t size_bytes, unsigned class_index) {
    void *block;
    if (HAK_LIKELY(heap_malloc(source, class_index, &block))) return block;
    int saved = errno;
    block = host_heap_malloc_slow(heap, size_bytes, class_index);
    if (block == NULL) errno = saved;
    return block;
}

/* Frees a block that moved to a smaller one, of `fewer_bytes` less. */
HAK_INLINE void free_larger(hak_heap_t *heap, void *block, unsigned class_index, uint64_t fewer_bytes) {
    Heap *source = heap_of_thread;
    uint64_t number = heap_free_announce(source);
    uint64_t used_bytes = LOAD_RELAXED(heap->used_bytes);
    bool is_counted = used_bytes >= fewer_bytes && IS_ABOVE_RELAXED(heap->watch_bytes, used_bytes) &&
                      account_is_counted_by(heap, source);
    if (HAK_LIKELY(is_counted && magazine_push(source, class_index, block))) {
        STORE_RELAXED(heap->used_bytes, used_bytes - fewer_bytes);
        if (HAK_UNLIKELY(heap_free_done(source, number) == HEAP_FREE_LAST)) empty_heap_flush_if_due(source);
        return;
    }
    heap_free_withdraw(source);
    heap_free(source, block, class_index);
    account_subtract(heap, fewer_bytes, 0);
}

/* Moves a small block to a small block of another class. The caller passes both classes, so that each is looked up
 * once: growing tables and strings make this a hot path. */
static void *move_small(hak_heap_t *heap, void *block, size_t size_bytes, unsigned from_class, unsigned to_class) {
    uint64_t from_bytes = size_class_usable_bytes[from_class], to_bytes = size_class_usable_bytes[to_class];
    if (HAK_UNLIKELY(private_heap_owns_small(block))) return copy_of_private(heap, block, from_bytes, size_bytes);
    if (to_bytes > from_bytes) {
        void *moved = take_larger(heap, block, from_bytes, size_bytes, to_class);
        if (HAK_UNLIKELY(moved == NULL)) return NULL;
        memcpy(moved, block, from_bytes);
        heap_free(heap_of_thread, block, from_class);
        return moved;
    }
    if (HAK_UNLIKELY(!is_held_or_reported(heap, block, from_bytes))) return NULL;
    void *moved = take_uncounted(heap, heap_of_thread, size_bytes, to_class);
    if (HAK_UNLIKELY(moved == NULL)) return block; /* shrinking never fails */
    memcpy(moved, block, size_bytes);
    free_larger(heap, block, from_class, from_bytes - to_bytes);
    return moved;
}

/* The same in a private heap. */
static void *move_small_private(hak_heap_t *heap, void *block, size_t size_bytes, unsigned from_class,
                                unsigned to_class) {
    uint64_t from_bytes = size_class_usable_bytes[from_class], to_bytes = size_class_usable_bytes[to_class];
    uint64_t used_bytes = LOAD_RELAXED(heap->used_bytes);
    bool is_growing = to_bytes > from_bytes;
    if (is_growing && !account_is_within_limits(heap, used_bytes + (to_bytes - from_bytes))) return NULL;
    void *moved = take_uncounted(heap, heap->private_heap, size_bytes, to_class);
    if (HAK_UNLIKELY(moved == NULL)) {
        if (is_growing) errno = ENOMEM;
        return is_growing ? NULL : block; /* shrinking never fails */
    }
    memcpy(moved, block, is_growing ? from_bytes : size_bytes);
    heap_free(heap->private_heap, block, from_class);
    if (is_growing)
        account_add_plainly(heap, to_bytes - from_bytes, 0);
    else
        account_subtract_plainly(heap, from_bytes - to_bytes, 0);
    return moved;
}

/* ---- All others ---- */

static void *resize(hak_heap_t *heap, void *block, size_t usable_bytes, size_t size_bytes) {
    uint64_t counted_bytes = usable_bytes;
    if (size_bytes > usable_bytes) {
        counted_bytes = host_heap_usable_bytes(heap, size_bytes);
        if (!account_add(heap, counted_bytes - usable_bytes, 0)) return NULL;
    }
    void *resized = realloc_uncounted(heap, block, usable_bytes, size_bytes);
    if (resized == NULL) {
        account_take_back(heap, counted_bytes - usable_bytes, 0);
        return NULL;
    }
    size_t resized_bytes = block_usable_bytes(resized);
    HAK_ASSERT_OP(resized_bytes, <=, counted_bytes);
    if (resized_bytes < counted_bytes) account_subtract(heap, counted_bytes - resized_bytes, 0);
    return resized;
}

void *hak_heap_realloc(hak_heap_t *heap, void *block, size_t size_bytes) {
    unsigned from_class = registry_slab_class_near(block), to_class = host_heap_class_of(heap, size_bytes);
    if (HAK_UNLIKELY(block_was_freed(block))) return block_report_freed_realloc(block);
    bool is_from_small = from_class - 1u < SIZE_CLASS_COUNT, is_private = heap->private_heap != NULL;
    bool is_of_heap = !is_private || (is_from_small && private_heap_slab_owner(block) == heap->private_heap);
    if (HAK_LIKELY(is_from_small && to_class != 0 && is_of_heap)) {
        if (block_fits_in_place(size_class_usable_bytes[from_class], size_bytes)) return block;
        return is_private ? move_small_private(heap, block, size_bytes, from_class, to_class)
                          : move_small(heap, block, size_bytes, from_class, to_class);
    }
    if (block == NULL) return hak_heap_malloc(heap, size_bytes);
    if (HAK_UNLIKELY(size_bytes > ACCOUNT_REQUEST_BYTES_MAX)) {
        errno = ENOMEM;
        return NULL;
    }
    if (HAK_UNLIKELY(block_usable_bytes(block) == 0)) return block_report_dead_realloc(block);
    if (HAK_UNLIKELY(heap->private_heap == NULL && private_heap_owns_any(block)))
        return copy_of_private(heap, block, block_usable_bytes(block), size_bytes);
    size_t usable_bytes = host_heap_block_bytes(heap, block);
    if (usable_bytes == 0) {
        errno = ENOMEM;
        return NULL;
    }
    if (heap->private_heap == NULL && !is_held_or_reported(heap, block, usable_bytes)) return NULL;
    return resize(heap, block, usable_bytes, size_bytes);
}
