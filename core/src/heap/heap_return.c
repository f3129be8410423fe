/*
 * heap/heap_return.c - blocks of one class go back to their slabs, whoever owns these.
 *
 * Layer: heap. Chooses the order: as given, sorted by slab, or one by one. Thread rule: slow paths of any thread,
 * which hold no heap's lock (reclaim holds heap_list_lock). One heap's lock is taken at a time (owner_lock.h).
 */
#include "heap/heap_return.h"

#include <string.h>

#include "heap/heap_return_scattered.h"
#include "heap/owner_lock.h"

static ReturnBatch batch_of(const void *block) {
    unsigned slab_class = registry_slab_class(block);
    bool is_block = slab_class - 1u < SIZE_CLASS_COUNT;
    const SizeClass *size_class = &size_classes[is_block ? slab_class : 0];
    return (ReturnBatch){is_block ? slab_class : SLAB_CLASS_COUNT, size_class, slab_rows_of(size_class),
                         LOAD_RELAXED(registry_window_base)};
}

/* Blocks of half an OS page and more: returning one often frees an OS page, which owner_lock_return_block refuses. */
static bool is_os_page_sized(const ReturnBatch *batch) { return batch->size_class->block_bytes * 2 >= os_page_bytes; }

/* ---- In the order given ---- */

/* A lone block: its neighbours in the batch lie in other slabs. False: it is still to be returned. */
static bool return_lone(OwnerLock *held, const ReturnBatch *batch, const void *block) {
    SlabSingle single = return_batch_find(batch, block);
    if (HAK_UNLIKELY(single.slab == NULL)) return false;
    owner_lock_move(held, single.slab);
    if (HAK_UNLIKELY(held->owner == NULL || owner_lock_forbids_free(held))) return false;
    if (!owner_lock_return_block(held, batch, &single)) return false;
    owner_lock_count_returned(held, 1, batch->size_class);
    return true;
}

/* Returns the number of blocks dealt with: all, or, with `stop_at_lone`, those before the second lone block in
 * succession. The lock of the last block's owner stays held. */
static unsigned return_in_order(OwnerLock *held, const ReturnBatch *batch, void *const *blocks, unsigned count,
                                bool stop_at_lone) {
    bool was_lone = false, tries_lone = !is_os_page_sized(batch);
    unsigned done = 0;
    uintptr_t slab_index = return_batch_slab_index(batch, blocks[0]);
    for (;;) {
        uintptr_t next_index = done + 1 < count ? return_batch_slab_index(batch, blocks[done + 1]) : UINTPTR_MAX;
        bool is_lone = slab_index != next_index;
        if (stop_at_lone && is_lone && was_lone) break;
        was_lone = is_lone;
        unsigned dealt_with = 1;
        if (!is_lone || !tries_lone || !return_lone(held, batch, blocks[done])) {
            SuperSlab *superslab = return_batch_superslab(batch, slab_index);
            Slab *slab = HAK_LIKELY(superslab != NULL) ? &superslab->slab[slab_index % SLABS_PER_SUPERSLAB]
                                                       : heap_slab_of_block(blocks[done]);
            dealt_with = owner_lock_return_run_inlined(held, slab, blocks + done, count - done);
        }
        done += dealt_with;
        if (done == count) break;
        slab_index = dealt_with == 1 ? next_index : return_batch_slab_index(batch, blocks[done]);
    }
    return done;
}

/* ---- Sorted by slab ---- */

/* With the sizes below, sorting takes less than 1.5 KiB of the caller's stack. */
enum { SORTED_MAX = 128, PLACES = 2 * SORTED_MAX, PART_BLOCKS = 32 };

/* The blocks of a batch as one chain a slab. Slabs, and blocks within one, keep their order. */
typedef struct Chains {
    uint32_t slab_number[SORTED_MAX];            /* of each chain: address / SLAB_BYTES, cut to 32 bits */
    uint8_t first[SORTED_MAX], last[SORTED_MAX]; /* its first and last block: indices into the batch */
    uint8_t next[SORTED_MAX];                    /* of a block: the next one of its chain */
    uint8_t places[PLACES];                      /* open addressing by slab_number: chain + 1; 0: empty */
    unsigned count;
} Chains;

static void chain_by_slab(Chains *chains, void *const *blocks, unsigned count) {
    memset(chains->places, 0, sizeof chains->places);
    chains->count = 0;
    for (unsigned index = 0; index < count; index++) {
        uint32_t slab_number = (uint32_t)((uintptr_t)blocks[index] >> SLAB_SHIFT);
        unsigned place = slab_number % PLACES;
        while (chains->places[place] != 0 && chains->slab_number[chains->places[place] - 1] != slab_number)
            place = (place + 1) % PLACES;
        if (chains->places[place] == 0) {
            chains->slab_number[chains->count] = slab_number;
            chains->first[chains->count] = (uint8_t)index;
            chains->places[place] = (uint8_t)++chains->count;
        } else {
            chains->next[chains->last[chains->places[place] - 1]] = (uint8_t)index;
        }
        chains->last[chains->places[place] - 1] = (uint8_t)index;
    }
}

static void return_chains(Heap *freeing, const ReturnBatch *batch, const Chains *chains, void *const *blocks) {
    OwnerLock held = {freeing, NULL, 0, 0};
    void *part[PART_BLOCKS];
    unsigned filled = 0;
    for (unsigned chain = 0; chain < chains->count; chain++)
        for (unsigned index = chains->first[chain];; index = chains->next[index]) {
            part[filled++] = blocks[index];
            bool is_last = index == chains->last[chain];
            if (filled == PART_BLOCKS || (is_last && chain + 1 == chains->count)) {
                (void)return_in_order(&held, batch, part, filled, false);
                filled = 0;
            }
            if (is_last) break;
        }
    owner_lock_end(&held);
}

/* Sorts SORTED_MAX blocks at most. Returns the number of blocks dealt with; 0: there are fewer than BLOCKS_PER_SLAB_MIN
 * a slab, and nothing was done. */
static HAK_NOINLINE unsigned return_sorted(Heap *freeing, const ReturnBatch *batch, void *const *blocks,
                                           unsigned count) {
    enum { BLOCKS_PER_SLAB_MIN = 3 };
    Chains chains;
    if (count > SORTED_MAX) count = SORTED_MAX;
    chain_by_slab(&chains, blocks, count);
    if (chains.count * BLOCKS_PER_SLAB_MIN > count) return 0;
    return_chains(freeing, batch, &chains, blocks);
    return count;
}

/* ---- All ---- */

static unsigned return_until_lone(Heap *freeing, const ReturnBatch *batch, void *const *blocks, unsigned count,
                                  bool stop_at_lone) {
    OwnerLock held = {freeing, NULL, 0, 0};
    unsigned done = return_in_order(&held, batch, blocks, count, stop_at_lone);
    owner_lock_end(&held);
    return done;
}

/* Neighbours go back together, in the order given. From the second lone block in succession on the rest is sorted,
 * or, where sorting finds few blocks a slab, returned one by one, in the next FLUSHES_UNSORTED flushes, too. */
void heap_return_blocks(Heap *freeing, void *const *blocks, unsigned count) {
    enum { SORTED_MIN = 8, FLUSHES_UNSORTED = 31 };
    ReturnBatch batch = batch_of(blocks[0]);
    if (batch.class_index == SLAB_CLASS_COUNT || is_os_page_sized(&batch) || count < SORTED_MIN) {
        (void)return_until_lone(freeing, &batch, blocks, count, false);
        return;
    }
    _Atomic uint8_t *scattered_flushes = &freeing->class[batch.class_index].scattered_flushes;
    unsigned scattered = LOAD_RELAXED(*scattered_flushes);
    if (scattered > 0) STORE_RELAXED(*scattered_flushes, (uint8_t)(scattered - 1));
    unsigned done = return_until_lone(freeing, &batch, blocks, count, true);
    while (scattered == 0 && count - done >= SORTED_MIN) {
        unsigned sorted = return_sorted(freeing, &batch, blocks + done, count - done);
        if (sorted == 0) {
            STORE_RELAXED(*scattered_flushes, FLUSHES_UNSORTED);
            break;
        }
        done += sorted;
    }
    if (done < count) heap_return_scattered(freeing, &batch, blocks + done, count - done);
}
