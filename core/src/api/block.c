/*
 * api/block.c - reports frees and reallocs of addresses at which no block lives.
 *
 * Layer: api. Does not look for such addresses (block.h). Thread rule: any thread.
 */
#include "api/block.h"

#include <errno.h>

#include "platform/misuse.h"

HAK_COLD void block_report_dead(const void *block) {
    if (registry_slab_class(block) == SLAB_CLASS_FREE)
        misuse_report("double free of %p: no block lives around it (size class unknown, thread %u)", block,
                      os_thread_id());
    else
        misuse_report("invalid free of %p: inside a large block (size class large, thread %u)", block, os_thread_id());
}

HAK_COLD void *block_report_dead_realloc(const void *block) {
    unsigned slab_class = registry_slab_class(block);
    const char *format = "invalid free of %p: realloc of an address inside a large block (size class large, thread %u)";
    if (slab_class == SLAB_CLASS_FREE)
        format = "double free of %p: realloc of a freed block (size class unknown, thread %u)";
    else if (slab_class == SLAB_CLASS_FOREIGN)
        format = "invalid free of %p: realloc of what is not a block of hakmem (size class none, thread %u)";
    misuse_report(format, block, os_thread_id());
    errno = ENOMEM;
    return NULL;
}

HAK_COLD void *block_report_freed_realloc(const void *block) {
    misuse_report("invalid free of %p: realloc of a freed block (size class %u bytes, thread %u)", block,
                  (uint64_t)size_classes[registry_slab_class(block)].block_bytes, os_thread_id());
    errno = ENOMEM;
    return NULL;
}
