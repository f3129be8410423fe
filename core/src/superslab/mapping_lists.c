/*
 * superslab/mapping_lists.c - the mappings' list of slack, and their share of the supply's queues and sums.
 *
 * Layer: superslab. Thread rule: see mapping_lists.h.
 */
#include "superslab/mapping_lists.h"

#include "superslab/registry.h"

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
    ADD_RELAXED(supply.mapping_free_bytes, free_bytes);
    atomic_fetch_add(&backed_free_bytes, (int64_t)free_bytes);
    /* A mapping that is queued already stays where it is: the tail keeps its age. */
    if (free_bytes > 0 && !mapping->is_queued) supply_queue_append(&supply.mapping_queue, mapping);
    if (free_bytes == 0 && mapping->is_queued) supply_queue_remove(&supply.mapping_queue, mapping);
    if (has_slack(mapping)) slack_insert(mapping);
}

void mapping_uncount(SuperSlab *mapping) {
    if (has_slack(mapping)) slack_remove(mapping);
    size_t free_bytes = mapping_free_bytes_of(mapping);
    supply.mapping_bytes -= mapping->mapping_bytes;
    supply.mapping_unbacked_bytes -= mapping->mapping_bytes - mapping->backed_bytes;
    ADD_RELAXED(supply.mapping_free_bytes, -(uint64_t)free_bytes);
    atomic_fetch_sub_explicit(&backed_free_bytes, (int64_t)free_bytes, memory_order_relaxed);
    if (mapping->is_free) return;
    supply.large_count--;
    ADD_RELAXED(supply.large_bytes, -(uint64_t)mapping->block_bytes);
}
