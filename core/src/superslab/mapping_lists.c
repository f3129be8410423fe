/*
 * superslab/mapping_lists.c - the mappings' queue, their list of slack, and their share of the supply's sums.
 *
 * Layer: superslab. Thread rule: see mapping_lists.h.
 */
#include "superslab/mapping_lists.h"

#include "platform/os.h"
#include "superslab/registry.h"

/* ---- The queue ---- */

void mapping_queue_append(SuperSlab *mapping) {
    mapping->is_queued = true;
    mapping->queue_since_ms = (uint32_t)os_now_ms();
    mapping->queue_next = NULL;
    mapping->queue_previous = supply.mapping_newest;
    if (supply.mapping_newest != NULL)
        supply.mapping_newest->queue_next = mapping;
    else
        supply.mapping_oldest = mapping;
    supply.mapping_newest = mapping;
}

void mapping_queue_remove(SuperSlab *mapping) {
    mapping->is_queued = false;
    if (mapping->queue_previous != NULL)
        mapping->queue_previous->queue_next = mapping->queue_next;
    else
        supply.mapping_oldest = mapping->queue_next;
    if (mapping->queue_next != NULL)
        mapping->queue_next->queue_previous = mapping->queue_previous;
    else
        supply.mapping_newest = mapping->queue_previous;
}

/* ---- The list of mappings with slack (I16): addresses that a cut gives back ---- */

static bool has_slack(const SuperSlab *mapping) {
    return !mapping->is_free && mapping_cut_bytes_of(mapping) < mapping->mapping_bytes;
}

static void slack_insert(SuperSlab *mapping) {
    mapping->previous = NULL;
    mapping->next = supply.mapping_slack;
    if (mapping->next != NULL) mapping->next->previous = mapping;
    supply.mapping_slack = mapping;
}

static void slack_remove(SuperSlab *mapping) {
    if (mapping->previous != NULL)
        mapping->previous->next = mapping->next;
    else
        supply.mapping_slack = mapping->next;
    if (mapping->next != NULL) mapping->next->previous = mapping->previous;
}

/* ---- The supply's sums ---- */

void mapping_count(SuperSlab *mapping, size_t block_bytes, bool is_live) {
    /* Where the size stays, the block's holder may be reading it without the lock. */
    if (mapping->block_bytes != block_bytes) mapping->block_bytes = block_bytes;
    if (mapping->backed_bytes < block_bytes) {
        first_touched(block_bytes - mapping->backed_bytes);
        mapping->backed_bytes = block_bytes;
    }
    mapping->is_free = !is_live;
    registry_slab_class_set(mapping->base, is_live ? SLAB_CLASS_LARGE : SLAB_CLASS_FREE);
    if (is_live) {
        supply.large_count++;
        ADD_RELAXED(supply.large_bytes, block_bytes);
    }
    size_t free_bytes = mapping_free_bytes_of(mapping);
    supply.mapping_bytes += mapping->mapping_bytes;
    supply.mapping_unbacked_bytes += mapping->mapping_bytes - mapping->backed_bytes;
    supply.mapping_free_bytes += free_bytes;
    atomic_fetch_add(&backed_free_bytes, (int64_t)free_bytes);
    /* A mapping that is queued already stays where it is: the tail keeps its age. */
    if (free_bytes > 0 && !mapping->is_queued) mapping_queue_append(mapping);
    if (free_bytes == 0 && mapping->is_queued) mapping_queue_remove(mapping);
    if (has_slack(mapping)) slack_insert(mapping);
}

void mapping_uncount(SuperSlab *mapping) {
    if (has_slack(mapping)) slack_remove(mapping);
    size_t free_bytes = mapping_free_bytes_of(mapping);
    supply.mapping_bytes -= mapping->mapping_bytes;
    supply.mapping_unbacked_bytes -= mapping->mapping_bytes - mapping->backed_bytes;
    supply.mapping_free_bytes -= free_bytes;
    atomic_fetch_sub_explicit(&backed_free_bytes, (int64_t)free_bytes, memory_order_relaxed);
    if (mapping->is_free) return;
    supply.large_count--;
    ADD_RELAXED(supply.large_bytes, -(uint64_t)mapping->block_bytes);
}
