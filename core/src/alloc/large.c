/*
 * alloc/large.c - chooses between runs and mappings, and checks what is freed.
 *
 * Layer: alloc. Thread rule: see large.h.
 */
#include "alloc/large.h"

#include <errno.h>

#include "heap/heap_all.h"
#include "heap/owner_lock.h"
#include "platform/misuse.h"
#include "platform/os_memory_tool.h"
#include "retention/bounds.h"
#include "retention/retention.h"
#include "superslab/mapping.h"
#include "superslab/registry.h"
#include "superslab/run.h"

/* `room_bytes` more than `size_bytes`: for a block that grows. */
static void *take(size_t size_bytes, size_t room_bytes, size_t alignment, size_t *dirty_bytes) {
    if (size_bytes <= RUN_BYTES_MAX && alignment <= RUN_BYTES_MAX) {
        if (room_bytes > RUN_BYTES_MAX) room_bytes = RUN_BYTES_MAX;
        bool is_zero = false;
        Slab *first = run_take(size_bytes, room_bytes, alignment, &is_zero);
        if (dirty_bytes != NULL) *dirty_bytes = is_zero ? 0 : size_bytes;
        return first != NULL ? (void *)slab_address(first) : NULL;
    }
    SuperSlab *mapping = mapping_take(size_bytes, alignment, room_bytes > size_bytes, dirty_bytes);
    return mapping != NULL ? (void *)mapping->base : NULL;
}

static void *large_malloc_with_room(size_t size_bytes, size_t room_bytes, size_t alignment, size_t *dirty_bytes) {
    void *block = take(size_bytes, room_bytes, alignment, dirty_bytes);
    if (HAK_UNLIKELY(block == NULL) && retention_make_room(NULL))
        block = take(size_bytes, size_bytes, alignment, dirty_bytes);
    if (block == NULL) {
        heap_count_if_on(heap_of_thread, COUNTER_early_return_out_of_memory, 1);
        errno = ENOMEM;
        return NULL;
    }
    atomic_fetch_add_explicit(&heap_large_mallocs, 1, memory_order_relaxed);
    retention_after_use((int64_t)size_bytes);
    os_memory_tool_show(block, round_up_bytes(size_bytes, os_page_bytes));
    return block;
}

void *large_malloc(size_t size_bytes, size_t alignment) {
    return large_malloc_with_room(size_bytes, size_bytes, alignment, NULL);
}

void *large_malloc_for_zeros(size_t size_bytes, size_t *dirty_bytes) {
    return large_malloc_with_room(size_bytes, size_bytes, os_page_bytes, dirty_bytes);
}

void *large_malloc_growing(size_t size_bytes) {
    size_t room_bytes = size_bytes <= PTRDIFF_MAX / 2 ? 2 * size_bytes : PTRDIFF_MAX;
    return large_malloc_with_room(size_bytes, room_bytes, os_page_bytes, NULL);
}

/* What a large block lies in: its mapping, or the first slab of its run. Both NULL: no block starts there. */
typedef struct LargePlace {
    SuperSlab *mapping;
    Slab *run;
} LargePlace;

static LargePlace place_of(const void *block) {
    LargePlace place = {NULL, NULL};
    SuperSlab *superslab = ptr_to_superslab(block);
    if (registry_slab_class(block) != SLAB_CLASS_LARGE || superslab == NULL) return place;
    if (superslab->is_mapping) {
        if (superslab->base == (uintptr_t)block) place.mapping = superslab;
    } else if ((uintptr_t)block % SLAB_BYTES == 0) {
        place.run = &superslab->slab[((uintptr_t)block >> SLAB_SHIFT) % SLABS_PER_SUPERSLAB];
    }
    return place;
}

static Slab *first_slab_of(LargePlace place) { return place.mapping != NULL ? &place.mapping->slab[0] : place.run; }

void large_free(void *block) {
    int64_t free_bytes = LOAD_RELAXED(backed_free_bytes);
    LargePlace place = place_of(block);
    const Slab *first = first_slab_of(place);
    if (first != NULL && first->large_heap != NULL) {
        heap_report_private(block);
    } else if (first == NULL) {
        misuse_report("invalid free of %p: inside a large block (size class large, thread %u)", block, os_thread_id());
    } else if (place.mapping != NULL ? mapping_return(place.mapping, block) : run_return(place.run, block)) {
        retention_poll_if_due(LOAD_RELAXED(backed_free_bytes) - free_bytes);
    } else {
        misuse_report("double free of %p (size class large, thread %u)", block, os_thread_id());
    }
}

void large_free_outgrown(void *block) {
    LargePlace place = place_of(block);
    bool is_run = place.run != NULL && place.run->large_heap == NULL;
    /* Without free mappings and tails of live ones, which are no holes: the next block that grows finds the same places
     * as this one, and a block grows into its tail. */
    bool is_purged = is_run &&
                     LOAD_RELAXED(backed_free_bytes) - (int64_t)superslab_mapping_free_bytes() > bounds_idle_bytes() &&
                     run_return_purged(place.run, block);
    if (!is_purged) large_free(block);
}

void large_free_purged(void *block) {
    LargePlace place = place_of(block);
    if (place.run != NULL) {
        (void)run_return_purged(place.run, block);
    } else if (place.mapping != NULL && mapping_return(place.mapping, block)) {
        (void)mapping_purge(0, 0, SIZE_MAX);
    }
}

Slab *large_first_slab(const void *block) { return first_slab_of(place_of(block)); }

size_t large_usable_bytes(const void *block) {
    LargePlace place = place_of(block);
    if (place.mapping != NULL) return place.mapping->block_bytes;
    return place.run != NULL ? place.run->run_bytes : 0;
}

void *large_resize(void *block, size_t size_bytes) {
    int64_t free_bytes = LOAD_RELAXED(backed_free_bytes);
    LargePlace place = place_of(block);
    const Slab *first = first_slab_of(place);
    void *resized = NULL;
    if (first == NULL || first->large_heap != NULL) return NULL; /* large_free, which comes next, reports it */
    if (place.run != NULL && size_bytes <= RUN_BYTES_MAX) {
        if (run_resize(place.run, size_bytes)) resized = block;
    } else if (place.mapping != NULL && size_bytes > RUN_BYTES_MAX) {
        bool lacks_room;
        SuperSlab *mapping = mapping_resize(place.mapping, size_bytes, &lacks_room);
        if (HAK_UNLIKELY(lacks_room) && retention_make_room(NULL))
            mapping = mapping_resize(place.mapping, size_bytes, &lacks_room);
        if (mapping != NULL) resized = (void *)mapping->base;
    }
    if (resized != NULL) os_memory_tool_show(resized, round_up_bytes(size_bytes, os_page_bytes));
    retention_after_use((int64_t)size_bytes);
    retention_poll_if_due(LOAD_RELAXED(backed_free_bytes) - free_bytes); /* a shrunk one left free OS pages */
    return resized;
}
