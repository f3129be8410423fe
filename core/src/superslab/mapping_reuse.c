/*
 * superslab/mapping_reuse.c - which free mapping serves a block, cuts it in two, and joins it to a block that grows.
 *
 * Layer: superslab. Thread rule: see mapping_reuse.h.
 */
#include "superslab/mapping_reuse.h"

#include "platform/message.h"
#include "superslab/mapping_lists.h"
#include "superslab/registry.h"

/* ---- Find ---- */

/* Is it worth its addresses, or the system calls that make it longer? */
static bool is_worth_taking(const SuperSlab *mapping, size_t bytes) {
    enum { EXTENDED_SHARE = 8 };
    size_t new_bytes = round_up_bytes(bytes, SUPERSLAB_BYTES);
    if (mapping->mapping_bytes < bytes) return mapping->backed_bytes >= bytes / EXTENDED_SHARE;
    return mapping->mapping_bytes / 2 <= new_bytes || mapping->backed_bytes > new_bytes;
}

static bool is_better(const SuperSlab *one, const SuperSlab *other, size_t bytes, bool is_growing) {
    if (is_growing || other->backed_bytes < bytes) return one->backed_bytes > other->backed_bytes;
    return one->backed_bytes >= bytes && one->backed_bytes < other->backed_bytes;
}

SuperSlab *mapping_find_free(size_t bytes, size_t alignment, bool is_growing) {
    enum { FREE_MAX = 32, VISITS_MAX = 256 };
    SuperSlab *mapping = supply.mapping_queue.newest, *best = NULL;
    unsigned visits = 0, free_count = 0;
    for (; mapping != NULL && visits < VISITS_MAX && free_count < FREE_MAX; mapping = mapping->queue_previous) {
        visits++;
        if (!mapping->is_free) continue;
        free_count++;
        if (mapping->base % alignment != 0 || !is_worth_taking(mapping, bytes)) continue;
        if (mapping->mapping_bytes < bytes && alignment > SUPERSLAB_BYTES) continue; /* it may have to move */
        if (best == NULL || is_better(mapping, best, bytes, is_growing)) best = mapping;
        if (!is_growing && best->backed_bytes == bytes) break; /* none is better */
    }
    return best;
}

/* ---- Cut and join ---- */

/* The piece is in no mapping now, and still registered as a part of this one. */
static void leave_front(SuperSlab *mapping, size_t bytes) {
    HAK_ASSERT_OP(mapping->is_free, ==, true);
    HAK_ASSERT_OP(bytes, <, mapping->backed_bytes);
    mapping_uncount(mapping);
    mapping->base += bytes;
    mapping->mapping_bytes -= bytes;
    mapping->backed_bytes -= bytes;
    mapping_count(mapping, mapping->backed_bytes, false);
}

/* The addresses are registered already, so the tables have room for them. */
static void register_again(SuperSlab *mapping, uintptr_t address, size_t bytes) {
    (void)registry_add(mapping, address, bytes, SLAB_CLASS_LARGE_INNER);
}

void mapping_take_front(SuperSlab *mapping, SuperSlab *front) {
    size_t bytes = front->mapping_bytes;
    front->origin = mapping->origin;
    front->backed_bytes = bytes;
    leave_front(mapping, bytes);
    register_again(front, front->base, bytes);
}

/* NULL: something else lies there, or a mapping whose tail is purged before it is free. */
static SuperSlab *free_mapping_behind(const SuperSlab *mapping) {
    const void *end = (const void *)(mapping->base + mapping->mapping_bytes);
    SuperSlab *behind = registry_slab_class(end) == SLAB_CLASS_FREE ? ptr_to_superslab(end) : NULL;
    bool is_free_mapping = behind != NULL && behind->is_mapping && behind->is_free;
    return is_free_mapping && behind->origin == mapping->origin ? behind : NULL;
}

void mapping_absorb(SuperSlab *mapping, size_t bytes) {
    SuperSlab *behind;
    while (mapping->mapping_bytes < bytes && (behind = free_mapping_behind(mapping)) != NULL) {
        uintptr_t end = mapping->base + mapping->mapping_bytes;
        size_t hole_bytes = mapping->mapping_bytes - mapping->backed_bytes;
        if (hole_bytes > 0 && mapping->mapping_bytes + behind->mapping_bytes < bytes) break;
        first_touched(hole_bytes);
        SuperSlab *emptied = NULL;
        size_t taken_bytes = round_up_bytes(bytes, SUPERSLAB_BYTES) - mapping->mapping_bytes;
        if (taken_bytes < behind->backed_bytes) {
            leave_front(behind, taken_bytes);
            mapping->backed_bytes = mapping->mapping_bytes + taken_bytes;
        } else {
            taken_bytes = behind->mapping_bytes; /* all: without backed bytes it would be in no queue */
            supply_queue_remove(&supply.mapping_queue, behind);
            mapping_uncount(behind);
            mapping->backed_bytes = mapping->mapping_bytes + behind->backed_bytes;
            emptied = behind;
        }
        register_again(mapping, end, taken_bytes);
        if (emptied != NULL) supply_header_return(emptied); /* not while the registry still leads to it */
        mapping->mapping_bytes += taken_bytes;
    }
}
