/*
 * superslab/mapping.c - takes, keeps, resizes and releases the mappings of large blocks. Their lists and sums:
 * mapping_lists.c; which free one serves: mapping_reuse.c; their address space: mapping_space.c.
 *
 * Layer: superslab. Thread rule: see mapping.h.
 */
#include "superslab/mapping.h"

#include "platform/os.h"
#include "superslab/mapping_lists.h"
#include "superslab/mapping_reuse.h"
#include "superslab/mapping_space.h"
#include "superslab/registry.h"

/* ---- Headers ---- */

static uint64_t origins; /* given so far */

/* The mapping lies where it did not lie before. */
static void origin_renew(SuperSlab *mapping) { mapping->origin = ++origins; }

/* For `bytes` at `base`, without a block, not counted, not registered, of a new origin. NULL: no memory. Under the
 * lock. */
static SuperSlab *header_new(uintptr_t base, size_t bytes) {
    SuperSlab *mapping = supply_header_take();
    if (mapping == NULL) return NULL;
    mapping->is_mapping = true;
    mapping->base = base;
    mapping->mapping_bytes = bytes;
    mapping->backed_bytes = 0;
    mapping->is_queued = false;
    origin_renew(mapping);
    /* The header may have been a SuperSlab's, which a stale pointer still finds: its slabs have no owner. */
    for (unsigned index = 0; index < SLABS_PER_SUPERSLAB; index++) STORE_RELAXED(mapping->slab[index].owner, NULL);
    mapping->slab[0].slab_index = 0;
    mapping->slab[0].large_heap = NULL;
    return mapping;
}

/* ---- Take and return ---- */

/* A mapping without a block, not counted. NULL: no memory, or no room for `spare_bytes` more. Without the lock. */
static SuperSlab *mapping_new(size_t mapping_bytes, size_t alignment, size_t spare_bytes) {
    uintptr_t address = mapping_space_map(mapping_bytes, alignment, spare_bytes);
    if (address == 0) return NULL;
    lock_acquire(&supply_lock);
    SuperSlab *mapping = header_new(address, mapping_bytes);
    if (mapping != NULL && !registry_add(mapping, address, mapping_bytes, SLAB_CLASS_LARGE_INNER)) {
        supply_header_return(mapping);
        mapping = NULL;
    }
    lock_release(&supply_lock);
    if (mapping == NULL) os_unmap_or_purge((void *)address, mapping_bytes);
    return mapping;
}

/* Makes a free mapping live. Keeps a tail, because this block may grow as the last one did. Under the lock. */
static SuperSlab *take_whole(SuperSlab *mapping, size_t block_bytes) {
    mapping_uncount(mapping);
    mapping_count(mapping, block_bytes, true);
    return mapping;
}

/* The same for one that is long enough: its front alone, if that leaves backed OS pages and more than 2 MiB. */
static SuperSlab *take(SuperSlab *mapping, size_t block_bytes) {
    size_t front_bytes = round_up_bytes(block_bytes, SUPERSLAB_BYTES);
    bool is_divisible = mapping->backed_bytes > front_bytes && mapping->mapping_bytes > front_bytes + SUPERSLAB_BYTES;
    SuperSlab *front = is_divisible ? header_new(mapping->base, front_bytes) : NULL;
    if (front == NULL) return take_whole(mapping, block_bytes);
    mapping_take_front(mapping, front);
    mapping_count(front, block_bytes, true);
    return front;
}

/* Gives a mapping that may have come to the queue again its former age. */
static void restore_age(SuperSlab *mapping, uint32_t since_ms) {
    if (!mapping->is_queued) return;
    supply_queue_remove(&supply.mapping_queue, mapping);
    supply_queue_insert(&supply.mapping_queue, mapping, since_ms);
}

static SuperSlab *resize_or_move(SuperSlab *mapping, size_t bytes, bool *lacks_room);

/* A free mapping that is too short, and live from now on: made longer, with its OS pages. NULL: it is free again,
 * `since_ms` as before. */
static SuperSlab *extend_free(SuperSlab *mapping, size_t bytes, uint32_t since_ms) {
    bool lacks_room;
    SuperSlab *longer = resize_or_move(mapping, bytes, &lacks_room);
    if (longer != NULL) return longer;
    lock_acquire(&supply_lock);
    mapping_uncount(mapping);
    mapping_count(mapping, mapping->block_bytes, false);
    restore_age(mapping, since_ms);
    lock_release(&supply_lock);
    return NULL;
}

SuperSlab *mapping_take(size_t bytes, size_t alignment, bool is_growing, size_t *dirty_bytes) {
    if (alignment < SUPERSLAB_BYTES) alignment = SUPERSLAB_BYTES;
    if (bytes > PTRDIFF_MAX - 2 * SUPERSLAB_BYTES || alignment > PTRDIFF_MAX - bytes) return NULL;
    size_t block_bytes = round_up_bytes(bytes, os_page_bytes);
    lock_acquire(&supply_lock);
    SuperSlab *mapping = mapping_find_free(block_bytes, alignment, is_growing);
    if (mapping != NULL && mapping->mapping_bytes < block_bytes && dirty_bytes != NULL) mapping = NULL;
    bool is_too_short = mapping != NULL && mapping->mapping_bytes < block_bytes;
    if (dirty_bytes != NULL) *dirty_bytes = mapping != NULL ? mapping->backed_bytes : 0;
    uint32_t since_ms = is_too_short ? mapping->queue_since_ms : 0;
    if (mapping != NULL)
        mapping = is_too_short ? take_whole(mapping, mapping->block_bytes) : take(mapping, block_bytes);
    lock_release(&supply_lock);
    if (is_too_short) mapping = extend_free(mapping, bytes, since_ms);
    if (mapping != NULL) return mapping;
    /* Whole units merge with their neighbours, and leave room to grow. The second try is for when room is short. */
    mapping = mapping_new(round_up_bytes(bytes, SUPERSLAB_BYTES), alignment, 0);
    if (mapping == NULL) mapping = mapping_new(round_up_bytes(bytes, SLAB_BYTES), alignment, 0);
    if (mapping == NULL) return NULL;
    lock_acquire(&supply_lock);
    mapping_count(mapping, block_bytes, true);
    lock_release(&supply_lock);
    return mapping;
}

/* Called with the lock, which it releases while the kernel works. The mapping is not counted and in no queue. */
static void purge_tail_unlocked(SuperSlab *mapping) {
    size_t tail_bytes = mapping->backed_bytes - mapping->block_bytes;
    detached_begin();
    lock_release(&supply_lock);
    bool is_purged = os_purge((void *)(mapping->base + mapping->block_bytes), tail_bytes);
    lock_acquire(&supply_lock);
    detached_end();
    if (!is_purged) return;
    ADD_RELAXED(supply.purged_bytes, tail_bytes);
    mapping->backed_bytes = mapping->block_bytes;
}

bool mapping_return(SuperSlab *mapping, const void *block) {
    lock_acquire(&supply_lock);
    bool is_live = registry_slab_class(block) == SLAB_CLASS_LARGE && ptr_to_superslab(block) == mapping;
    if (is_live) {
        mapping_uncount(mapping);
        registry_slab_class_set(mapping->base, SLAB_CLASS_FREE);
        if (mapping->is_queued) {
            supply_queue_remove(&supply.mapping_queue, mapping);
            purge_tail_unlocked(mapping); /* free for longer than the OS pages of the block */
        }
        mapping_count(mapping, mapping->block_bytes, false);
    }
    lock_release(&supply_lock);
    return is_live;
}

/* Unmaps a free mapping or, where `wanted_bytes` are less than it has, its end: a block that grows finds the front
 * behind itself. Called with the lock, which it releases while the kernel works. Returns the backed bytes. */
static size_t release(SuperSlab *mapping, size_t wanted_bytes) {
    size_t backed_bytes = mapping->backed_bytes, mapping_bytes = mapping->mapping_bytes;
    size_t kept_bytes = wanted_bytes < backed_bytes ? (backed_bytes - wanted_bytes) & ~(SUPERSLAB_BYTES - 1) : 0;
    uintptr_t address = mapping->base + kept_bytes;
    mapping_uncount(mapping);
    if (kept_bytes == 0) supply_queue_remove(&supply.mapping_queue, mapping);
    registry_remove_begin(mapping, address, mapping_bytes - kept_bytes);
    if (kept_bytes > 0) {
        mapping->mapping_bytes = mapping->backed_bytes = kept_bytes;
        mapping_count(mapping, kept_bytes, false);
    }
    detached_begin();
    lock_release(&supply_lock);
    os_unmap_or_purge((void *)address, mapping_bytes - kept_bytes);
    if (kept_bytes == 0) (void)os_purge(mapping, round_up_bytes(sizeof *mapping, os_page_bytes));
    lock_acquire(&supply_lock);
    registry_remove_finish(address, mapping_bytes - kept_bytes);
    ADD_RELAXED(supply.purged_bytes, backed_bytes - kept_bytes);
    if (kept_bytes == 0) supply_header_return(mapping);
    detached_end();
    return backed_bytes - kept_bytes;
}

/* Purges the last PIECE_BYTES of a live block's tail. Keeps the lock meanwhile, because the block may grow into its
 * tail at any time; releases it after each piece, so that other threads get it. Returns the bytes; 0: the kernel
 * refused. */
static size_t purge_tail_piece(SuperSlab *mapping) {
    enum { PIECE_BYTES = 256 * 1024 };
    size_t bytes = mapping_free_bytes_of(mapping);
    if (bytes > PIECE_BYTES) bytes = PIECE_BYTES;
    size_t left_bytes = mapping->backed_bytes - bytes;
    if (!os_purge((void *)(mapping->base + left_bytes), bytes)) return 0;
    mapping->backed_bytes = left_bytes; /* not block_bytes, which the block's holder reads without the lock */
    supply.mapping_unbacked_bytes += bytes;
    ADD_RELAXED(supply.mapping_free_bytes, -(uint64_t)bytes);
    ADD_RELAXED(supply.purged_bytes, bytes);
    atomic_fetch_sub_explicit(&backed_free_bytes, (int64_t)bytes, memory_order_relaxed);
    if (mapping_free_bytes_of(mapping) == 0) supply_queue_remove(&supply.mapping_queue, mapping);
    lock_release(&supply_lock);
    lock_acquire(&supply_lock);
    return bytes;
}

size_t mapping_purge(uint32_t age_ms, int64_t target_bytes, size_t bytes_max) {
    size_t given_back_bytes = 0;
    uint32_t now_ms = (uint32_t)os_now_ms();
    lock_acquire(&supply_lock);
    int64_t excess_bytes;
    while ((excess_bytes = atomic_load(&backed_free_bytes) - target_bytes) > 0 && given_back_bytes < bytes_max) {
        size_t wanted_bytes = bytes_max - given_back_bytes;
        if ((uint64_t)excess_bytes < wanted_bytes) wanted_bytes = (size_t)excess_bytes;
        SuperSlab *mapping = supply.mapping_queue.oldest;
        if (mapping == NULL || !os_has_aged(now_ms, mapping->queue_since_ms, age_ms)) break;
        size_t bytes = mapping->is_free ? release(mapping, wanted_bytes) : purge_tail_piece(mapping);
        if (bytes == 0) { /* the kernel refused: to the end of the queue, asked again later */
            supply_queue_remove(&supply.mapping_queue, mapping);
            supply_queue_append(&supply.mapping_queue, mapping);
            break;
        }
        given_back_bytes += bytes;
    }
    lock_release(&supply_lock);
    return given_back_bytes;
}

/* ---- Resize ---- */

/* Forgets a new mapping after a failed os_move, which may have unmapped it: the kernel may have given the addresses to
 * others since. So they are left alone. */
static void abandon(SuperSlab *mapping) {
    lock_acquire(&supply_lock);
    registry_remove_begin(mapping, mapping->base, mapping->mapping_bytes);
    registry_remove_finish(mapping->base, mapping->mapping_bytes);
    supply_header_return(mapping);
    lock_release(&supply_lock);
}

/* To a new mapping, which has room for both lengths. NULL: the kernel refused to move; nothing changed. */
static SuperSlab *move(SuperSlab *mapping, SuperSlab *moved, size_t block_bytes) {
    lock_acquire(&supply_lock);
    mapping_uncount(mapping);
    if (mapping->is_queued) supply_queue_remove(&supply.mapping_queue, mapping);
    uintptr_t old_address = mapping->base;
    size_t old_bytes = mapping->mapping_bytes;
    registry_remove_begin(mapping, old_address, old_bytes);
    lock_release(&supply_lock);
    if (!os_move((void *)old_address, old_bytes, (void *)moved->base, moved->mapping_bytes)) {
        lock_acquire(&supply_lock);
        (void)registry_add(mapping, old_address, old_bytes, SLAB_CLASS_LARGE_INNER); /* cannot fail: leaves exist */
        uint32_t since_ms = mapping->queue_since_ms;
        mapping_count(mapping, mapping->block_bytes, true);
        restore_age(mapping, since_ms);
        lock_release(&supply_lock);
        abandon(moved);
        return NULL;
    }
    lock_acquire(&supply_lock);
    registry_remove_finish(old_address, old_bytes);
    moved->backed_bytes = mapping->backed_bytes;
    supply_header_return(mapping);
    mapping_count(moved, block_bytes, true);
    lock_release(&supply_lock);
    return moved;
}

/* In place or, where room is short, by calls that need none for both lengths. */
static bool resize(SuperSlab *mapping, size_t bytes, bool is_room_short, bool *lacks_room) {
    size_t block_bytes = round_up_bytes(bytes, os_page_bytes);
    lock_acquire(&supply_lock);
    mapping_uncount(mapping);
    uintptr_t base = mapping->base;
    mapping_absorb(mapping, block_bytes);
    bool fits = block_bytes <= mapping->mapping_bytes ||
                mapping_space_extend(mapping, round_up_bytes(bytes, SUPERSLAB_BYTES), is_room_short, lacks_room) ||
                (is_room_short && mapping_space_extend(mapping, round_up_bytes(bytes, SLAB_BYTES), true, lacks_room));
    if (mapping->base != base) origin_renew(mapping);
    mapping_count(mapping, fits ? block_bytes : mapping->block_bytes, true);
    lock_release(&supply_lock);
    return fits;
}

/* In place, or to a new mapping. NULL as of mapping_resize. */
static SuperSlab *resize_or_move(SuperSlab *mapping, size_t bytes, bool *lacks_room) {
    *lacks_room = false;
    if (bytes > PTRDIFF_MAX / 2 - 2 * SUPERSLAB_BYTES) return NULL;
    if (resize(mapping, bytes, false, lacks_room)) return mapping;
    if (!*lacks_room) return NULL;
    /* Some kernels move only where the difference fits beside the target. */
    size_t spare_bytes = round_up_bytes(bytes - mapping->block_bytes, SUPERSLAB_BYTES);
    SuperSlab *moved = mapping_new(round_up_bytes(bytes, SUPERSLAB_BYTES), SUPERSLAB_BYTES, spare_bytes);
    *lacks_room = moved == NULL;
    return moved != NULL ? move(mapping, moved, round_up_bytes(bytes, os_page_bytes)) : NULL;
}

SuperSlab *mapping_resize(SuperSlab *mapping, size_t bytes, bool *lacks_room) {
    SuperSlab *resized = resize_or_move(mapping, bytes, lacks_room);
    if (resized != NULL || !*lacks_room) return resized;
    return resize(mapping, bytes, true, lacks_room) ? mapping : NULL;
}

/* ---- Cut ---- */

void mapping_cut_all(void) {
    bool is_cut = true;
    for (uint64_t left = superslab_counts().large_blocks; is_cut && left > 0; left--) {
        lock_acquire(&supply_lock); /* for one mapping at a time, so that other threads get it */
        SuperSlab *mapping = supply.mapping_slack;
        is_cut = mapping != NULL;
        if (is_cut) {
            mapping_uncount(mapping);
            is_cut = mapping_space_cut(mapping, mapping_cut_bytes_of(mapping));
            if (mapping->backed_bytes > mapping->mapping_bytes) {
                ADD_RELAXED(supply.purged_bytes, mapping->backed_bytes - mapping->mapping_bytes);
                mapping->backed_bytes = mapping->mapping_bytes;
            }
            mapping_count(mapping, mapping->block_bytes, true);
        }
        lock_release(&supply_lock);
    }
}
