/*
 * heap/heap_return.c - blocks of one class go back to their slabs, whoever owns these.
 *
 * Layer: heap. Chooses the order: as given, sorted by slab, or one by one. Thread rule: slow paths of any thread, with no
 * lock held. At most one heap's lock is held at a time: that of the slab's owner (heap_holding.h).
 */
#include "heap/heap_return.h"

#include "heap/heap_holding.h"
#include "heap/heap_return_scattered.h"
#include "platform/message.h"

static HeapBatch batch_of(const void *block) {
    unsigned slab_class = registry_slab_class(block);
    bool is_block = slab_class - 1u < SIZE_CLASS_COUNT;
    const SizeClass *size_class = &size_classes[is_block ? slab_class : 0];
    return (HeapBatch){is_block ? slab_class : SLAB_CLASS_COUNT, size_class, slab_rows_of(size_class),
                       LOAD_RELAXED(registry_window_base)};
}

/* Nearly: a block often leaves an OS page without a used one, and is seldom worth a look on its own. */
static bool fills_os_pages(const HeapBatch *batch) { return batch->size_class->block_bytes * 2 >= os_page_bytes; }

/* ---- By slab ---- */

typedef struct Group {
    uintptr_t slab;
    uint8_t first, last; /* of its blocks: a chain */
} Group;

/* Bounds what this takes of the caller's stack, to 4 KiB. */
enum { SORTED_MAX = 128 };

/* Sorts at most SORTED_MAX blocks by slab, in the order in which slabs and blocks come. Returns how many slabs there
 * are. */
static unsigned sort_by_slab(void *const *blocks, unsigned count, void **sorted) {
    enum { PLACES = 2 * SORTED_MAX };
    Group groups[SORTED_MAX];
    uint8_t next[SORTED_MAX];
    uint8_t places[PLACES] = {0}; /* number of the group and 1, at its slab's number or behind */
    unsigned group_count = 0;
    for (unsigned number = 0; number < count; number++) {
        uintptr_t slab = (uintptr_t)blocks[number] >> SLAB_SHIFT;
        unsigned place = (unsigned)(slab % PLACES);
        while (places[place] != 0 && groups[places[place] - 1].slab != slab) place = (place + 1) % PLACES;
        if (places[place] == 0) {
            groups[group_count] = (Group){slab, (uint8_t)number, (uint8_t)number};
            places[place] = (uint8_t)++group_count;
        } else {
            Group *group = &groups[places[place] - 1];
            next[group->last] = (uint8_t)number;
            group->last = (uint8_t)number;
        }
    }
    HAK_ASSERT_OP(group_count, >, 0);
    for (unsigned group = 0; group < group_count; group++)
        for (unsigned number = groups[group].first;; number = next[number]) {
            *sorted++ = blocks[number];
            if (number == groups[group].last) break;
        }
    return group_count;
}

/* False: the block is still to be returned. */
static bool return_lone(HeapHolding *holding, const HeapBatch *batch, const void *block) {
    SlabSingle single = heap_batch_find(batch, block);
    if (HAK_UNLIKELY(single.slab == NULL)) return false;
    heap_holding_change(holding, single.slab);
    if (HAK_UNLIKELY(holding->heap == NULL || heap_holding_is_refused(holding))) return false;
    if (!heap_return_single(holding, batch, &single)) return false;
    heap_holding_add(holding, 1, batch->size_class);
    return true;
}

/* In the order given. Returns how many were dealt with: all, or, when `stop_at_lone` is set, those before the second
 * block in succession whose neighbours in `blocks` lie in other slabs. */
static unsigned return_in_order(Heap *own, const HeapBatch *batch, void *const *blocks, unsigned count, bool stop_at_lone) {
    HeapHolding holding = {own, NULL, 0, 0};
    bool was_lone = false, tries_lone = !fills_os_pages(batch);
    unsigned done = 0;
    uintptr_t number = heap_batch_slab_number(batch, blocks[0]);
    for (;;) {
        uintptr_t next_number = done + 1 < count ? heap_batch_slab_number(batch, blocks[done + 1]) : UINTPTR_MAX;
        bool is_lone = number != next_number;
        if (stop_at_lone && is_lone && was_lone) break;
        was_lone = is_lone;
        unsigned dealt_with = 1;
        if (!is_lone || !tries_lone || !return_lone(&holding, batch, blocks[done])) {
            SuperSlab *superslab = heap_batch_superslab(batch, number);
            Slab *slab = HAK_LIKELY(superslab != NULL) ? &superslab->slab[number % SLABS_PER_SUPERSLAB]
                                                               : heap_return_slab_of(blocks[done]);
            dealt_with = heap_return_run_inlined(&holding, slab, blocks + done, count - done);
        }
        done += dealt_with;
        if (done == count) break;
        number = dealt_with == 1 ? next_number : heap_batch_slab_number(batch, blocks[done]);
    }
    heap_holding_end(&holding);
    return done;
}

/* What is freed in no order comes from many slabs. A slab is better visited once, unless they are so many that sorting
 * finds few blocks for each: then it is left out, for some flushes too. */
static unsigned return_sorted(Heap *own, const HeapBatch *batch, void *const *blocks, unsigned count) {
    enum { BLOCKS_A_SLAB_MIN = 3, FLUSHES_LEFT_OUT = 31 };
    void *sorted[SORTED_MAX];
    if (count > SORTED_MAX) count = SORTED_MAX;
    unsigned slabs = sort_by_slab(blocks, count, sorted);
    if (slabs * BLOCKS_A_SLAB_MIN <= count) return return_in_order(own, batch, sorted, count, false);
    STORE_RELAXED(own->class[batch->class_index].scattered_flushes, FLUSHES_LEFT_OUT);
    heap_return_scattered(own, batch, blocks, count);
    return count;
}

void heap_return_blocks(Heap *own, void *const *blocks, unsigned count) {
    enum { SORTED_MIN = 8 };
    HeapBatch batch = batch_of(blocks[0]);
    if (batch.class_index == SLAB_CLASS_COUNT || fills_os_pages(&batch) || count < SORTED_MIN) {
        (void)return_in_order(own, &batch, blocks, count, false);
        return;
    }
    _Atomic uint8_t *scattered_flushes = &own->class[batch.class_index].scattered_flushes;
    unsigned scattered = LOAD_RELAXED(*scattered_flushes);
    if (scattered > 0) STORE_RELAXED(*scattered_flushes, (uint8_t)(scattered - 1));
    unsigned done = return_in_order(own, &batch, blocks, count, true);
    while (scattered == 0 && count - done >= SORTED_MIN) done += return_sorted(own, &batch, blocks + done, count - done);
    if (done < count) heap_return_scattered(own, &batch, blocks + done, count - done);
}
