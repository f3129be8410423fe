/*
 * api/api_heap.c - malloc and free in a host's heap: counted and limited.
 *
 * Layer: api. Does not know how blocks are made (host_heap.c), nor who counts (account_threads.c). Thread rule: any
 * thread; a private heap is used by one thread at a time.
 */
#include <errno.h>
#include <hakmem.h>

#include "alloc/empty_heap.h"
#include "api/host_heap.h"

/* ---- Malloc ---- */

static HAK_NOINLINE void *malloc_any(hak_heap_t *heap, size_t size_bytes) {
    bool is_alive = heap->private_heap != NULL || account_is_alive(heap);
    if (HAK_UNLIKELY(size_bytes > ACCOUNT_REQUEST_BYTES_MAX || !is_alive)) {
        errno = ENOMEM;
        return NULL;
    }
    uint64_t usable_bytes = host_heap_usable_bytes(heap, size_bytes);
    if (!account_add(heap, usable_bytes, 1)) return NULL;
    void *block = host_heap_malloc(heap, size_bytes);
    if (HAK_UNLIKELY(block == NULL)) account_take_back(heap, usable_bytes, 1);
    return block;
}

/* The request is large, the ceiling would be exceeded, or the calling thread does not count alone, as in each private
 * heap, whose small blocks have a fast path here. */
static HAK_NOINLINE void *malloc_checked(hak_heap_t *heap, size_t size_bytes) {
    Heap *source = heap->private_heap;
    unsigned class_index = source == NULL ? 0 : host_heap_class_of(heap, size_bytes);
    if (class_index == 0) return malloc_any(heap, size_bytes);
    void *block;
    uint64_t usable_bytes = magazine_usable_bytes(source, class_index);
    if (!account_is_within_limits(heap, LOAD_RELAXED(heap->used_bytes) + usable_bytes)) return NULL;
    if (HAK_UNLIKELY(!heap_malloc(source, class_index, &block))) {
        block = heap_malloc_slow(source, class_index);
        if (block == NULL) return NULL;
    }
    account_add_plainly(heap, usable_bytes, 1);
    return block;
}

/* The same while the request is announced (alloc/malloc.h). */
static HAK_NOINLINE void *malloc_withdrawn(hak_heap_t *heap, size_t size_bytes) {
    heap_malloc_withdraw(heap_of_thread);
    return malloc_checked(heap, size_bytes);
}

/* The magazine is empty. The request is announced, and as long as it is the calling thread counts alone. */
static HAK_NOINLINE void *malloc_small_slow(hak_heap_t *heap, size_t size_bytes) {
    unsigned class_index = host_heap_class_of(heap, size_bytes);
    account_add_plainly(heap, size_class_usable_bytes[class_index], 1);
    void *block = host_heap_malloc_slow(heap, size_bytes, class_index);
    if (HAK_UNLIKELY(block == NULL)) account_take_back(heap, size_class_usable_bytes[class_index], 1);
    return block;
}

/* All but MALLOC_DONE: go on with the function of that name. */
typedef enum MallocStep { MALLOC_DONE, MALLOC_CHECKED, MALLOC_WITHDRAWN, MALLOC_SMALL_SLOW } MallocStep;

/* The part without a call. */
HAK_INLINE MallocStep malloc_fast(hak_heap_t *heap, size_t size_bytes, void **block) {
    unsigned class_index;
    if (HAK_LIKELY(size_bytes <= SIZE_CLASS_TABLE_BYTES_MAX))
        class_index = LOAD_RELAXED(heap->small_classes[(size_bytes + 7) / 8]);
    else if ((class_index = size_class_of_medium(size_bytes)) == 0)
        return MALLOC_CHECKED;
    Heap *source = heap_of_thread;
    uint64_t usable_bytes = magazine_usable_bytes(source, class_index);
    uint64_t wanted_bytes = LOAD_RELAXED(heap->used_bytes) + usable_bytes;
    if (HAK_UNLIKELY(IS_BELOW_RELAXED(heap->ceiling_bytes, wanted_bytes))) return MALLOC_CHECKED;
    uint64_t number = heap_malloc_announce(source);
    if (HAK_UNLIKELY(!account_is_counted_by(heap, source))) return MALLOC_WITHDRAWN;
    if (HAK_UNLIKELY(!magazine_pop(source, class_index, block))) return MALLOC_SMALL_SLOW;
    account_add_plainly(heap, usable_bytes, 1);
    heap_malloc_done(source, number);
    return MALLOC_DONE;
}

void *hak_heap_malloc(hak_heap_t *heap, size_t size_bytes) {
    void *block;
    MallocStep step = malloc_fast(heap, size_bytes, &block);
    if (HAK_LIKELY(step == MALLOC_DONE)) return block;
    if (step == MALLOC_SMALL_SLOW) return malloc_small_slow(heap, size_bytes);
    return step == MALLOC_CHECKED ? malloc_checked(heap, size_bytes) : malloc_withdrawn(heap, size_bytes);
}

static HAK_NOINLINE void *malloc_slow_or(hak_heap_t *heap, size_t size_bytes, hak_refused *refused, void *context,
                                         uintptr_t word) {
    void *block = malloc_small_slow(heap, size_bytes);
    return block != NULL ? block : refused(context, word, size_bytes);
}

static HAK_NOINLINE void *malloc_checked_or(hak_heap_t *heap, size_t size_bytes, hak_refused *refused, void *context,
                                            uintptr_t word) {
    void *block = malloc_checked(heap, size_bytes);
    return block != NULL ? block : refused(context, word, size_bytes);
}

static HAK_NOINLINE void *malloc_withdrawn_or(hak_heap_t *heap, size_t size_bytes, hak_refused *refused, void *context,
                                              uintptr_t word) {
    void *block = malloc_withdrawn(heap, size_bytes);
    return block != NULL ? block : refused(context, word, size_bytes);
}

void *hak_heap_malloc_or(hak_heap_t *heap, size_t size_bytes, hak_refused *refused, void *context, uintptr_t word) {
    void *block;
    MallocStep step = malloc_fast(heap, size_bytes, &block);
    if (HAK_LIKELY(step == MALLOC_DONE)) return block;
    if (step == MALLOC_SMALL_SLOW) return malloc_slow_or(heap, size_bytes, refused, context, word);
    return step == MALLOC_CHECKED ? malloc_checked_or(heap, size_bytes, refused, context, word)
                                  : malloc_withdrawn_or(heap, size_bytes, refused, context, word);
}

/* ---- Free ---- */

/* `block` is large, NULL, of a private heap, or misuse; or the calling thread does not count alone, or used_bytes is
 * at least watch_bytes. */
static HAK_NOINLINE void free_checked(hak_heap_t *heap, void *block) {
    if (block == NULL || (heap->private_heap == NULL && !account_is_alive(heap))) return;
    size_t usable_bytes = host_heap_block_bytes(heap, block);
    if (usable_bytes == 0) return;
    if (HAK_UNLIKELY(!account_holds(heap, usable_bytes))) {
        account_report_not_held(heap, block, usable_bytes);
        return;
    }
    host_heap_free(heap, block);
    account_subtract(heap, usable_bytes, 1);
}

static HAK_NOINLINE void *free_any_or(hak_heap_t *heap, void *block, size_t size_bytes,
                                      hak_foreign_free_sized *foreign_free, void *context) {
    if (registry_slab_class(block) == SLAB_CLASS_FOREIGN) return foreign_free(context, block, size_bytes);
    free_checked(heap, block);
    return NULL;
}

/* With a fast path for the small blocks of a private heap. */
static HAK_NOINLINE void *free_checked_or(hak_heap_t *heap, void *block, size_t size_bytes,
                                          hak_foreign_free_sized *foreign_free, void *context) {
    Heap *source = heap->private_heap;
    unsigned slab_class = registry_slab_class_near(block);
    bool is_own_small = source != NULL && slab_class - 1u < SIZE_CLASS_COUNT &&
                        private_heap_slab_owner(block) == source;
    if (!is_own_small) return free_any_or(heap, block, size_bytes, foreign_free, context);
    uint64_t usable_bytes = magazine_usable_bytes(source, slab_class);
    if (HAK_UNLIKELY(LOAD_RELAXED(heap->used_bytes) < usable_bytes || LOAD_RELAXED(heap->used_blocks) == 0)) {
        account_report_not_held(heap, block, usable_bytes);
        return NULL;
    }
    account_subtract_plainly(heap, usable_bytes, 1);
    heap_free(source, block, slab_class);
    return NULL;
}

/* The free is announced (alloc/free.h). */
static HAK_NOINLINE void *free_withdrawn_or(hak_heap_t *heap, void *block, size_t size_bytes,
                                            hak_foreign_free_sized *foreign_free, void *context) {
    heap_free_withdraw(heap_of_thread);
    return free_checked_or(heap, block, size_bytes, foreign_free, context);
}

static HAK_NOINLINE void *last_free_or(Heap *source) {
    empty_heap_flush_if_due(source);
    return NULL;
}

HAK_INLINE void *free_or(hak_heap_t *heap, void *block, size_t size_bytes, hak_foreign_free_sized *foreign_free,
                         void *context) {
    uint64_t used_bytes = LOAD_RELAXED(heap->used_bytes), left_bytes;
    if (HAK_UNLIKELY(!IS_ABOVE_RELAXED(heap->watch_bytes, used_bytes)))
        return free_checked_or(heap, block, size_bytes, foreign_free, context);
    Heap *source = heap_of_thread;
    unsigned slab_class = registry_slab_class_near(block);
    uint64_t number = heap_free_announce(source);
    bool is_held = !__builtin_sub_overflow(used_bytes, magazine_usable_bytes(source, slab_class), &left_bytes) &&
                   !IS_EQUAL_RELAXED(heap->used_blocks, 0);
    if (HAK_UNLIKELY(!account_is_counted_by(heap, source) || !is_held || !magazine_push(source, slab_class, block)))
        return free_withdrawn_or(heap, block, size_bytes, foreign_free, context);
    STORE_RELAXED(heap->used_bytes, left_bytes);
    ADD_RELAXED(heap->used_blocks, -1);
    return HAK_LIKELY(heap_free_done(source, number) == HEAP_FREE_DONE) ? NULL : last_free_or(source);
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
