/*
 * api/api_realloc.c - realloc: in place where the block fits, by moving OS pages where it is large, else by a copy.
 *
 * Layer: api. Thread rule: any thread, for a block that the caller holds.
 */
#include <errno.h>
#include <hakmem.h>
#include <string.h>

#include "api/block.h"
#include "heap/heap_all.h"

HAK_INLINE void *realloc_with(void *block, size_t size_bytes, void *(*allocate)(size_t)) {
    if (block == NULL) return allocate(size_bytes);
    size_t usable_bytes = block_usable_bytes(block);
    if (HAK_UNLIKELY(usable_bytes == 0)) return block_report_dead_realloc(block);
    if (HAK_UNLIKELY(block_was_freed(block))) return block_report_freed_realloc(block);
    if (size_bytes == 0) size_bytes = 1;
    if (size_bytes <= PTRDIFF_MAX && block_fits_in_place(usable_bytes, size_bytes)) {
        heap_count_if_on(heap_of_thread, COUNTER_early_return_realloc_in_place, 1);
        return block;
    }
    if (usable_bytes > SLAB_CLASS_BYTES_MAX && size_bytes > SLAB_CLASS_BYTES_MAX && size_bytes <= PTRDIFF_MAX) {
        void *resized = large_resize(block, size_bytes);
        if (resized != NULL) return resized;
    }
    bool is_growing_large = size_bytes > usable_bytes && size_bytes > SLAB_CLASS_BYTES_MAX && size_bytes <= PTRDIFF_MAX;
    int saved = errno;
    void *moved = is_growing_large ? large_malloc_growing(size_bytes) : allocate(size_bytes);
    if (moved == NULL) {
        if (size_bytes > usable_bytes) return NULL;
        errno = saved;
        return block; /* shrinking never fails */
    }
    memcpy(moved, block, size_bytes < usable_bytes ? size_bytes : usable_bytes);
    if (is_growing_large && usable_bytes > SLAB_CLASS_BYTES_MAX)
        large_free_outgrown(block);
    else
        hak_free(block);
    return moved;
}

void *hak_realloc(void *block, size_t size_bytes) { return realloc_with(block, size_bytes, hak_malloc); }

void *hak_realloc_object(void *block, size_t size_bytes) { return realloc_with(block, size_bytes, hak_malloc_object); }

void *hak_realloc_align8(void *block, size_t size_bytes) { return realloc_with(block, size_bytes, hak_malloc_align8); }

void *hak_realloc_align16(void *block, size_t size_bytes) {
    return realloc_with(block, size_bytes, hak_malloc_align16);
}
