/*
 * heap/heap_return.c - blocks of one class go back to their slabs, whoever owns these.
 *
 * Layer: heap. Chooses the order: as given, sorted by slab, or one by one. Thread rule: slow paths of any thread, with no
 * lock held. At most one heap's lock is held at a time: that of the slab's owner (owner_lock.h).
 */
#include "heap/heap_return.h"

#include "heap/heap_return_scattered.h"
#include "heap/owner_lock.h"
#include "platform/message.h"

static ReturnBatch batch_of(const void *block) {
    unsigned slab_class = registry_slab_class(block);
    bool is_block = slab_class - 1u < SIZE_CLASS_COUNT;
    const SizeClass *size_class = &size_classes[is_block ? slab_class : 0];
    return (ReturnBatch){is_block ? slab_class : SLAB_CLASS_COUNT, size_class, slab_rows_of(size_class),
                         LOAD_RELAXED(registry_window_base)};
}

/* Blocks of half an OS page and more: returning one often frees an OS page, which owner_lock_return_block refuses. */
static bool is_os_page_sized(const ReturnBatch *batch) { return batch->size_class->block_bytes * 2 >= os_page_bytes; }

/* ---- Sorting by slab ---- */

/* The blocks of one slab: a chain through `next` in sort_by_slab. */
typedef struct Group {
    uintptr_t slab_number; /* address / SLAB_BYTES */
    uint8_t first, last;
} Group;

/* Bounds the stack that sorting takes to 4 KiB. */
enum { SORTED_MAX = 128 };

/* Sorts at most SORTED_MAX blocks by slab; slabs, and blocks within one, keep their order. Returns the number of slabs. */
static unsigned sort_by_slab(void *const *blocks, unsigned count, void **sorted) {
    enum { PLACES = 2 * SORTED_MAX };
    Group groups[SORTED_MAX];
    uint8_t next[SORTED_MAX];
    uint8_t places[PLACES] = {0}; /* open addressing by slab_number: index into groups + 1; 0: empty */
    unsigned group_count = 0;
    for (unsigned index = 0; index < count; index++) {
        uintptr_t slab_number = (uintptr_t)blocks[index] >> SLAB_SHIFT;
        unsigned place = (unsigned)(slab_number % PLACES);
        while (places[place] != 0 && groups[places[place] - 1].slab_number != slab_number) place = (place + 1) % PLACES;
        if (places[place] == 0) {
            groups[group_count] = (Group){slab_number, (uint8_t)index, (uint8_t)index};
            places[place] = (uint8_t)++group_count;
        } else {
            Group *group = &groups[places[place] - 1];
            next[group->last] = (uint8_t)index;
            group->last = (uint8_t)index;
        }
    }
    HAK_ASSERT_OP(group_count, >, 0);
    for (unsigned group = 0; group < group_count; group++)
        for (unsigned index = groups[group].first;; index = next[index]) {
            *sorted++ = blocks[index];
            if (index == groups[group].last) break;
        }
    return group_count;
}

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
 * succession. */
static unsigned return_in_order(Heap *freeing, const ReturnBatch *batch, void *const *blocks, unsigned count,
                                bool stop_at_lone) {
    OwnerLock held = {freeing, NULL, 0, 0};
    bool was_lone = false, tries_lone = !is_os_page_sized(batch);
    unsigned done = 0;
    uintptr_t slab_index = return_batch_slab_index(batch, blocks[0]);
    for (;;) {
        uintptr_t next_index = done + 1 < count ? return_batch_slab_index(batch, blocks[done + 1]) : UINTPTR_MAX;
        bool is_lone = slab_index != next_index;
        if (stop_at_lone && is_lone && was_lone) break;
        was_lone = is_lone;
        unsigned dealt_with = 1;
        if (!is_lone || !tries_lone || !return_lone(&held, batch, blocks[done])) {
            SuperSlab *superslab = return_batch_superslab(batch, slab_index);
            Slab *slab = HAK_LIKELY(superslab != NULL) ? &superslab->slab[slab_index % SLABS_PER_SUPERSLAB]
                                                       : heap_slab_of_block(blocks[done]);
            dealt_with = owner_lock_return_run_inlined(&held, slab, blocks + done, count - done);
        }
        done += dealt_with;
        if (done == count) break;
        slab_index = dealt_with == 1 ? next_index : return_batch_slab_index(batch, blocks[done]);
    }
    owner_lock_end(&held);
    return done;
}

/* ---- In no order ---- */

/* Visits each slab once. Where sorting finds few blocks a slab, it is not worth its time: the blocks go back one by one, here
 * and in the next FLUSHES_UNSORTED flushes. */
static unsigned return_sorted(Heap *freeing, const ReturnBatch *batch, void *const *blocks, unsigned count) {
    enum { BLOCKS_PER_SLAB_MIN = 3, FLUSHES_UNSORTED = 31 };
    void *sorted[SORTED_MAX];
    if (count > SORTED_MAX) count = SORTED_MAX;
    unsigned slabs = sort_by_slab(blocks, count, sorted);
    if (slabs * BLOCKS_PER_SLAB_MIN <= count) return return_in_order(freeing, batch, sorted, count, false);
    STORE_RELAXED(freeing->class[batch->class_index].scattered_flushes, FLUSHES_UNSORTED);
    heap_return_scattered(freeing, batch, blocks, count);
    return count;
}

void heap_return_blocks(Heap *freeing, void *const *blocks, unsigned count) {
    enum { SORTED_MIN = 8 };
    ReturnBatch batch = batch_of(blocks[0]);
    if (batch.class_index == SLAB_CLASS_COUNT || is_os_page_sized(&batch) || count < SORTED_MIN) {
        (void)return_in_order(freeing, &batch, blocks, count, false);
        return;
    }
    _Atomic uint8_t *scattered_flushes = &freeing->class[batch.class_index].scattered_flushes;
    unsigned scattered = LOAD_RELAXED(*scattered_flushes);
    if (scattered > 0) STORE_RELAXED(*scattered_flushes, (uint8_t)(scattered - 1));
    unsigned done = return_in_order(freeing, &batch, blocks, count, true);
    while (scattered == 0 && count - done >= SORTED_MIN)
        done += return_sorted(freeing, &batch, blocks + done, count - done);
    if (done < count) heap_return_scattered(freeing, &batch, blocks + done, count - done);
}
