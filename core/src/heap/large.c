/*
 * heap/large.c - large blocks: counts and checks around their mappings.
 *
 * Layer: heap. Thread rule: any thread.
 */
#include "heap/large.h"

#include <errno.h>

#include "heap/heap.h"
#include "platform/message.h"
#include "platform/option.h"
#include "superslab/registry.h"
#include "superslab/superslab.h"

void *large_malloc(size_t size_bytes, size_t alignment) {
    SuperSlab *superslab = superslab_large_map(size_bytes, alignment);
    if (superslab == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    atomic_fetch_add_explicit(&heap_retired_mallocs, 1, memory_order_relaxed);
    return (void *)superslab->base;
}

static bool is_block(const SuperSlab *superslab, const void *block) {
    return superslab != NULL && superslab->large_bytes != 0 && superslab->base == (uintptr_t)block;
}

void large_free(void *block) {
    SuperSlab *superslab = ptr_to_superslab(block);
    if (!is_block(superslab, block)) {
        message_misuse(option_value(OPTION_ON_ERROR) == OPTION_ON_ERROR_REPORT,
                       "invalid free of %p: inside a large block (size class large, thread %u)", block, os_thread_id());
        return;
    }
    superslab_large_unmap(superslab);
}

size_t large_usable_bytes(const void *block) {
    const SuperSlab *superslab = ptr_to_superslab(block);
    return is_block(superslab, block) ? superslab->large_bytes : 0;
}
