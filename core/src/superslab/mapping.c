/*
 * superslab/mapping.c - maps, keeps, moves and unmaps the mappings of large blocks.
 *
 * Layer: superslab. Thread rule: see mapping.h.
 */
#include "superslab/mapping.h"

#include "platform/os.h"
#include "superslab/registry.h"
#include "superslab/supply.h"

/* ---- Address space ---- */

/* Maps `bytes`, aligned to 2 MiB. 0: no memory. Without the supply lock. */
static uintptr_t map_aligned(size_t bytes) {
    size_t wide_bytes = bytes + SUPERSLAB_BYTES;
    uintptr_t wide = (uintptr_t)os_map(0, wide_bytes);
    if (wide == 0) return 0;
    uintptr_t address = round_up_bytes(wide, SUPERSLAB_BYTES);
    if (address > wide) os_unmap_or_purge((void *)wide, address - wide);
    size_t behind_bytes = wide + wide_bytes - (address + bytes);
    if (behind_bytes > 0) os_unmap_or_purge((void *)(address + bytes), behind_bytes);
    os_huge_pages_forbid((void *)address, bytes);
    return address;
}

/* Registers each 2 MiB unit of the mapping; false: no memory, none is registered. Under the supply lock, as the two
 * functions below. */
static bool units_add(SuperSlab *mapping) {
    for (size_t offset = 0; offset < mapping->mapping_bytes; offset += SUPERSLAB_BYTES) {
        unsigned slab_class = SLAB_CLASS_LARGE_INNER;
        if (registry_add(mapping, mapping->base + offset, slab_class)) continue;
        for (; offset > 0; offset -= SUPERSLAB_BYTES) {
            registry_remove_begin(mapping->base + offset - SUPERSLAB_BYTES);
            registry_remove_finish(mapping->base + offset - SUPERSLAB_BYTES);
        }
        return false;
    }
    return true;
}

/* Leaves units alone that are registered for another mapping: after a failed os_move (abandon) the kernel may have
 * given the addresses to it. */
static void units_remove_begin(const SuperSlab *mapping) {
    for (size_t offset = 0; offset < mapping->mapping_bytes; offset += SUPERSLAB_BYTES)
        if (ptr_to_superslab((void *)(mapping->base + offset)) == mapping)
            registry_remove_begin(mapping->base + offset);
}

static void units_remove_finish(uintptr_t address, size_t bytes) {
    for (size_t offset = 0; offset < bytes; offset += SUPERSLAB_BYTES) registry_remove_finish(address + offset);
}

/* ---- The mappings' queue (I16), oldest first. Under the supply lock ---- */

/* Backed bytes without a live block: of a free mapping all, else the tail behind the block. */
static size_t free_bytes_of(const SuperSlab *mapping) {
    return mapping->backed_bytes - (mapping->is_free ? 0 : mapping->block_bytes);
}

static void queue_append(SuperSlab *mapping) {
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

static void queue_remove(SuperSlab *mapping) {
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

/* The newest free mapping of at least `mapping_bytes` and at most twice that; NULL: none among the newest. */
static SuperSlab *queue_find(size_t mapping_bytes) {
    enum { UNFIT_MAX = 32, VISITS_MAX = 256 };
    SuperSlab *mapping = supply.mapping_newest;
    unsigned visits = 0, unfit = 0;
    for (; mapping != NULL && visits < VISITS_MAX && unfit < UNFIT_MAX; visits++, mapping = mapping->queue_previous) {
        if (!mapping->is_free) continue;
        if (mapping->mapping_bytes >= mapping_bytes && mapping->mapping_bytes / 2 <= mapping_bytes) return mapping;
        unfit++;
    }
    return NULL;
}

/* ---- The supply's sums. Under the supply lock; a mapping that is not counted is its caller's alone ---- */

/* Sets the block, live or not, and adds the mapping to the sums, the queue and the registry. */
static void count_block(SuperSlab *mapping, size_t block_bytes, bool is_live) {
    mapping->block_bytes = block_bytes;
    if (mapping->backed_bytes < block_bytes) mapping->backed_bytes = block_bytes;
    mapping->is_free = !is_live;
    registry_slab_class_set(mapping->base, is_live ? SLAB_CLASS_LARGE : SLAB_CLASS_FREE);
    if (is_live) {
        supply.large_count++;
        supply.large_bytes += block_bytes;
    }
    size_t free_bytes = free_bytes_of(mapping);
    supply.mapping_bytes += mapping->mapping_bytes;
    supply.mapping_unbacked_bytes += mapping->mapping_bytes - mapping->backed_bytes;
    supply.mapping_free_bytes += free_bytes;
    atomic_fetch_add_explicit(&backed_free_bytes, (int64_t)free_bytes, memory_order_relaxed);
    /* A mapping that is queued already stays where it is: the tail keeps its age. */
    if (free_bytes > 0 && !mapping->is_queued) queue_append(mapping);
    if (free_bytes == 0 && mapping->is_queued) queue_remove(mapping);
}

/* Takes the mapping out of the sums, before its block changes or it is unmapped; it stays in the queue. */
static void uncount_block(const SuperSlab *mapping) {
    size_t free_bytes = free_bytes_of(mapping);
    supply.mapping_bytes -= mapping->mapping_bytes;
    supply.mapping_unbacked_bytes -= mapping->mapping_bytes - mapping->backed_bytes;
    supply.mapping_free_bytes -= free_bytes;
    atomic_fetch_sub_explicit(&backed_free_bytes, (int64_t)free_bytes, memory_order_relaxed);
    if (mapping->is_free) return;
    supply.large_count--;
    supply.large_bytes -= mapping->block_bytes;
}

/* ---- Take and return ---- */

/* A mapping without a block, not counted. NULL: no memory. Without the lock. */
static SuperSlab *mapping_new(size_t mapping_bytes) {
    uintptr_t address = map_aligned(mapping_bytes);
    if (address == 0) return NULL;
    lock_acquire(&supply_lock);
    SuperSlab *mapping = supply_header_take();
    if (mapping != NULL) {
        mapping->base = address;
        mapping->mapping_bytes = mapping_bytes;
        mapping->backed_bytes = 0;
        mapping->is_queued = false;
        /* The header may have been a SuperSlab's, which a stale pointer still finds: its slabs have no owner. */
        for (unsigned index = 0; index < SLABS_PER_SUPERSLAB; index++) STORE_RELAXED(mapping->slab[index].owner, NULL);
        mapping->slab[0].large_heap = NULL;
        if (!units_add(mapping)) {
            mapping->mapping_bytes = 0;
            supply_header_return(mapping);
            mapping = NULL;
        }
    }
    lock_release(&supply_lock);
    if (mapping == NULL) os_unmap_or_purge((void *)address, mapping_bytes);
    return mapping;
}

SuperSlab *mapping_take(size_t bytes, bool *is_zero) {
    if (bytes > PTRDIFF_MAX - 2 * SUPERSLAB_BYTES) return NULL;
    size_t block_bytes = round_up_bytes(bytes, os_page_bytes);
    size_t mapping_bytes = round_up_bytes(bytes, SUPERSLAB_BYTES);
    lock_acquire(&supply_lock);
    SuperSlab *mapping = queue_find(mapping_bytes);
    *is_zero = mapping == NULL;
    if (mapping != NULL) {
        uncount_block(mapping);
        count_block(mapping, block_bytes, true); /* keeps a tail, because this block may grow as the last one did */
    }
    lock_release(&supply_lock);
    if (mapping != NULL) return mapping;
    mapping = mapping_new(mapping_bytes);
    if (mapping == NULL) return NULL;
    lock_acquire(&supply_lock);
    count_block(mapping, block_bytes, true);
    lock_release(&supply_lock);
    return mapping;
}

/* Called with the lock, which it releases while the kernel works. The mapping is not counted and in no queue. */
static void purge_tail_unlocked(SuperSlab *mapping) {
    size_t tail_bytes = mapping->backed_bytes - mapping->block_bytes;
    atomic_fetch_add_explicit(&detached_count, 1, memory_order_relaxed);
    lock_release(&supply_lock);
    bool is_purged = os_purge((void *)(mapping->base + mapping->block_bytes), tail_bytes);
    lock_acquire(&supply_lock);
    atomic_fetch_sub_explicit(&detached_count, 1, memory_order_relaxed);
    if (!is_purged) return;
    supply.purged_bytes += tail_bytes;
    mapping->backed_bytes = mapping->block_bytes;
}

bool mapping_return(SuperSlab *mapping, const void *block) {
    lock_acquire(&supply_lock);
    bool is_live = registry_slab_class(block) == SLAB_CLASS_LARGE && ptr_to_superslab(block) == mapping;
    if (is_live) {
        uncount_block(mapping);
        registry_slab_class_set(mapping->base, SLAB_CLASS_FREE);
        if (mapping->is_queued) {
            queue_remove(mapping);
            purge_tail_unlocked(mapping); /* free for longer than the OS pages of the block */
        }
        count_block(mapping, mapping->block_bytes, false);
    }
    lock_release(&supply_lock);
    return is_live;
}

/* Unmaps a free mapping. Called with the lock, which it releases while the kernel works. Returns the backed bytes. */
static size_t release(SuperSlab *mapping) {
    size_t bytes = mapping->backed_bytes;
    queue_remove(mapping);
    uncount_block(mapping);
    units_remove_begin(mapping);
    atomic_fetch_add_explicit(&detached_count, 1, memory_order_relaxed);
    lock_release(&supply_lock);
    uintptr_t address = mapping->base;
    size_t mapping_bytes = mapping->mapping_bytes;
    os_unmap_or_purge((void *)address, mapping_bytes);
    (void)os_purge(mapping, round_up_bytes(sizeof *mapping, os_page_bytes));
    lock_acquire(&supply_lock);
    units_remove_finish(address, mapping_bytes);
    supply.purged_bytes += bytes;
    supply_header_return(mapping);
    atomic_fetch_sub_explicit(&detached_count, 1, memory_order_relaxed);
    return bytes;
}

/* Purges the last PIECE_BYTES of a live block's tail. Keeps the lock meanwhile, because the block may grow into its
 * tail at any time; releases it after each piece, so that other threads get it. Returns the bytes; 0: the kernel
 * refused. */
static size_t purge_tail_piece(SuperSlab *mapping) {
    enum { PIECE_BYTES = 256 * 1024 };
    size_t bytes = free_bytes_of(mapping);
    if (bytes > PIECE_BYTES) bytes = PIECE_BYTES;
    size_t left_bytes = mapping->backed_bytes - bytes;
    if (!os_purge((void *)(mapping->base + left_bytes), bytes)) return 0;
    mapping->backed_bytes = left_bytes; /* not block_bytes, which the block's holder reads without the lock */
    supply.mapping_unbacked_bytes += bytes;
    supply.mapping_free_bytes -= bytes;
    supply.purged_bytes += bytes;
    atomic_fetch_sub_explicit(&backed_free_bytes, (int64_t)bytes, memory_order_relaxed);
    if (free_bytes_of(mapping) == 0) queue_remove(mapping);
    lock_release(&supply_lock);
    lock_acquire(&supply_lock);
    return bytes;
}

size_t mapping_purge(uint32_t age_ms, int64_t target_bytes, size_t bytes_max) {
    size_t given_back_bytes = 0;
    uint32_t now_ms = (uint32_t)os_now_ms();
    lock_acquire(&supply_lock);
    while (LOAD_RELAXED(backed_free_bytes) > target_bytes && given_back_bytes < bytes_max) {
        SuperSlab *mapping = supply.mapping_oldest;
        if (mapping == NULL || !os_has_aged(now_ms, mapping->queue_since_ms, age_ms)) break;
        size_t bytes = mapping->is_free ? release(mapping) : purge_tail_piece(mapping);
        if (bytes == 0) { /* the kernel refused: to the end of the queue, asked again later */
            queue_remove(mapping);
            queue_append(mapping);
            break;
        }
        given_back_bytes += bytes;
    }
    lock_release(&supply_lock);
    return given_back_bytes;
}

/* ---- Resize ---- */

static void resize_in_place(SuperSlab *mapping, size_t block_bytes) {
    lock_acquire(&supply_lock);
    uncount_block(mapping);
    count_block(mapping, block_bytes, true);
    lock_release(&supply_lock);
}

/* Unmaps a new mapping, except for its first `lost_bytes`: a failed os_move may have unmapped them, and the kernel
 * may have given them to others since. */
static void abandon(SuperSlab *mapping, size_t lost_bytes) {
    uintptr_t address = mapping->base;
    size_t bytes = mapping->mapping_bytes;
    lock_acquire(&supply_lock);
    units_remove_begin(mapping);
    lock_release(&supply_lock);
    if (bytes > lost_bytes) os_unmap_or_purge((void *)(address + lost_bytes), bytes - lost_bytes);
    lock_acquire(&supply_lock);
    units_remove_finish(address, bytes);
    supply_header_return(mapping);
    lock_release(&supply_lock);
}

SuperSlab *mapping_resize(SuperSlab *mapping, size_t bytes) {
    if (bytes > PTRDIFF_MAX - 2 * SUPERSLAB_BYTES) return NULL;
    size_t block_bytes = round_up_bytes(bytes, os_page_bytes);
    if (block_bytes <= mapping->mapping_bytes) {
        resize_in_place(mapping, block_bytes);
        return mapping;
    }
    SuperSlab *moved = mapping_new(round_up_bytes(bytes, SUPERSLAB_BYTES));
    if (moved == NULL) return NULL;
    uintptr_t old_address = mapping->base;
    size_t old_bytes = mapping->mapping_bytes;
    lock_acquire(&supply_lock);
    uncount_block(mapping);
    if (mapping->is_queued) queue_remove(mapping);
    size_t moved_bytes = mapping->backed_bytes;
    units_remove_begin(mapping);
    lock_release(&supply_lock);
    if (os_move((void *)old_address, moved_bytes, (void *)moved->base)) {
        if (old_bytes > moved_bytes) os_unmap_or_purge((void *)(old_address + moved_bytes), old_bytes - moved_bytes);
    } else {
        lock_acquire(&supply_lock);
        (void)units_add(mapping); /* cannot fail: the radix leaves exist */
        count_block(mapping, mapping->block_bytes, true);
        lock_release(&supply_lock);
        abandon(moved, moved_bytes);
        return NULL;
    }
    lock_acquire(&supply_lock);
    units_remove_finish(old_address, old_bytes);
    supply_header_return(mapping);
    count_block(moved, block_bytes, true);
    lock_release(&supply_lock);
    return moved;
}
