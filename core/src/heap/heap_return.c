/*
 * heap/heap_return.c - blocks of one class go back to their slabs, whoever owns these.
 *
 * Layer: heap. Thread rule: slow paths of any thread, with no lock held. At most one heap's lock is held at a time: that
 * of the slab's owner.
 */
#include "heap/heap.h"
#include "platform/message.h"
#include "platform/option.h"
#include "slab/slab_single.h"
#include "superslab/registry.h"

/* NULL: its slab is empty or its SuperSlab released, so the block had been freed before. */
static TinySlabMeta *slab_of(const void *block) {
    if (HAK_UNLIKELY(registry_slab_class(block) - 1u >= SIZE_CLASS_COUNT)) return NULL;
    SuperSlab *superslab = ptr_to_superslab(block);
    if (HAK_UNLIKELY(superslab == NULL)) return NULL;
    return &superslab->slab[((uintptr_t)block >> SLAB_SHIFT) % SLABS_PER_SUPERSLAB];
}

static HAK_COLD void report_free_in_free_slab(const void *block) {
    message_misuse(option_value(OPTION_ON_ERROR) == OPTION_ON_ERROR_REPORT,
                   "double free of %p (its slab is empty, size class unknown, thread %u)", block, os_thread_id());
}

static HAK_COLD void report_private(const TinySlabMeta *meta, const void *block) {
    message_misuse(option_value(OPTION_ON_ERROR) == OPTION_ON_ERROR_REPORT,
                   "invalid free of %p: a private heap's, for hak_heap_free (size class %u bytes, thread %u)", block,
                   (uint64_t)size_classes[meta->class_index].block_bytes, os_thread_id());
}

/* Locks the heap that owns the slab, releasing `held` first when it is another. NULL when no heap owns it. */
static Heap *lock_owner(const TinySlabMeta *meta, Heap *held) {
    for (;;) {
        Heap *owner = meta != NULL ? LOAD_RELAXED(meta->owner) : NULL;
        if (HAK_LIKELY(owner == held)) return held;
        if (held != NULL) os_unlock(&held->lock);
        held = NULL;
        if (owner == NULL || owner == RUN_OWNER) return NULL;
        os_lock(&owner->lock);
        if (LOAD_RELAXED(meta->owner) == owner) return owner;
        held = owner; /* it changed hands in between */
    }
}

bool heap_block_is_used(const void *block) {
    TinySlabMeta *meta = slab_of(block);
    Heap *owner = lock_owner(meta, NULL);
    if (owner == NULL) return false;
    const SizeClass *size_class = &size_classes[meta->class_index];
    size_t offset = (uintptr_t)block % SLAB_BYTES;
    unsigned index = size_class_block_index(size_class, offset);
    bool is_used = index < size_class->blocks_per_slab && index * (size_t)size_class->block_bytes == offset &&
                   (slab_free_bits(meta)[index / 64] >> (index % 64) & 1) == 0;
    os_unlock(&owner->lock);
    return is_used;
}

/* The first of `blocks`, and those right behind it in the same slab. Returns how many these were. */
static unsigned return_run(Heap *owner, TinySlabMeta *meta, void *const *blocks, unsigned count) {
    unsigned dealt_with;
    unsigned returned = slab_return_blocks(meta, blocks, count, &dealt_with);
    int64_t returned_bytes = (int64_t)returned * size_classes[meta->class_index].block_bytes;
    STORE_RELAXED(owner->used_bytes, LOAD_RELAXED(owner->used_bytes) - returned_bytes);
    if (meta->purging_pages != 0) return dealt_with; /* slab_from_purging puts it where it belongs */
    if (meta->used_blocks == 0) {
        heap_slab_became_empty(owner, meta);
    } else {
        heap_slab_queue_update(owner, meta);
        heap_slab_move(owner, meta);
    }
    return dealt_with;
}

/* What is the same for all blocks of a batch, which come from one magazine. */
typedef struct Batch {
    unsigned class_index; /* or SLAB_CLASS_COUNT */
    const SizeClass *size_class;
    SlabRows rows;
    uintptr_t window_base;
} Batch;

/* SLAB_CLASS_COUNT, which nothing is of: its first block had been freed before. */
static Batch batch_of(const void *block) {
    unsigned slab_class = registry_slab_class(block);
    bool is_block = slab_class - 1u < SIZE_CLASS_COUNT;
    const SizeClass *size_class = &size_classes[is_block ? slab_class : 0];
    return (Batch){is_block ? slab_class : SLAB_CLASS_COUNT, size_class, slab_rows_of(size_class),
                   LOAD_RELAXED(registry_window_base)};
}

/* The number of its slab in the registry's window, beyond whose slabs it is for a block that lies far from the others. */
HAK_INLINE uintptr_t slab_number(const Batch *batch, const void *block) {
    return ((uintptr_t)block - batch->window_base) >> SLAB_SHIFT;
}

/* NULL: beyond the window, or not a slab of the batch's class; slab_of knows more. */
HAK_INLINE TinySlabMeta *slab_in_batch(const Batch *batch, uintptr_t number) {
    if (HAK_UNLIKELY(number >= REGISTRY_WINDOW_SLABS)) return NULL;
    if (HAK_UNLIKELY(LOAD_RELAXED(registry_slab_classes[number]) != batch->class_index)) return NULL;
    SuperSlab *superslab = registry_superslab_of_slab(number);
    return HAK_UNLIKELY(superslab == NULL) ? NULL : &superslab->slab[number % SLABS_PER_SUPERSLAB];
}

/* A lone block that changes nothing but its bit and, perhaps, the list of its slab. */
HAK_INLINE bool return_single(Heap *owner, TinySlabMeta *meta, const Batch *batch, const void *block) {
    const SizeClass *size_class = batch->size_class;
    if (HAK_UNLIKELY(meta->class_index != batch->class_index)) return false;
    uint64_t *bits = slab_free_bits_in(superslab_of_slab(meta), meta->slab_index, batch->rows);
    if (!slab_return_single(meta, bits, size_class, block)) return false;
    STORE_RELAXED(owner->used_bytes, LOAD_RELAXED(owner->used_bytes) - (int64_t)size_class->block_bytes);
    if (HAK_UNLIKELY(meta->list != SLAB_LIST_NONE && meta->list != heap_fullness_list(meta, size_class)))
        heap_slab_move(owner, meta);
    return true;
}

/* Its slab's metadata and its bit, which hundreds of other blocks have pushed out of the processor's cache. */
HAK_INLINE void prefetch(const Batch *batch, const void *block) {
    uintptr_t number = slab_number(batch, block);
    if (HAK_UNLIKELY(number >= REGISTRY_WINDOW_SLABS)) return;
    SuperSlab *superslab = registry_superslab_of_slab(number);
    if (HAK_UNLIKELY(superslab == NULL)) return;
    unsigned slab_index = (unsigned)(number % SLABS_PER_SUPERSLAB);
    unsigned place = size_class_block_index(batch->size_class, (uintptr_t)block % SLAB_BYTES);
    __builtin_prefetch(&superslab->slab[slab_index], 1);
    __builtin_prefetch(slab_free_bits_in(superslab, slab_index, batch->rows) + place / 64, 1);
}

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

/* In the order given. Returns how many were dealt with: all, or, when `stop_at_lone` is set, those before the second
 * block in succession whose neighbours in `blocks` lie in other slabs. */
static unsigned return_in_order(Heap *own, const Batch *batch, void *const *blocks, unsigned count, bool stop_at_lone) {
    enum { PREFETCH_AHEAD = 6 };
    Heap *held = NULL;
    bool is_counting = option_value(OPTION_COUNTERS) != 0, was_lone = false;
    unsigned done = 0;
    uintptr_t number = slab_number(batch, blocks[0]);
    for (;;) {
        uintptr_t next_number = done + 1 < count ? slab_number(batch, blocks[done + 1]) : UINTPTR_MAX;
        bool is_lone = number != next_number;
        if (stop_at_lone && is_lone && was_lone) break;
        was_lone = is_lone;
        if (is_lone && done + PREFETCH_AHEAD < count) prefetch(batch, blocks[done + PREFETCH_AHEAD]);
        TinySlabMeta *meta = slab_in_batch(batch, number);
        if (HAK_UNLIKELY(meta == NULL)) meta = slab_of(blocks[done]);
        unsigned dealt_with = 1;
        held = lock_owner(meta, held);
        if (HAK_UNLIKELY(held == NULL)) {
            report_free_in_free_slab(blocks[done]);
        } else if (HAK_UNLIKELY(held != own && held->kind == HEAP_PRIVATE)) {
            report_private(meta, blocks[done]);
        } else {
            if (!is_lone || !return_single(held, meta, batch, blocks[done]))
                dealt_with = return_run(held, meta, blocks + done, count - done);
            if (is_counting) heap_count_if_on(own, held == own ? COUNTER_ss_local : COUNTER_ss_remote, dealt_with);
        }
        done += dealt_with;
        if (done == count) break;
        number = dealt_with == 1 ? next_number : slab_number(batch, blocks[done]);
    }
    if (held != NULL) os_unlock(&held->lock);
    return done;
}

/* What is freed in no order comes from many slabs. A slab is better visited once, unless they are so many that sorting
 * finds few blocks for each: then it is left out for some flushes. */
static unsigned return_sorted(Heap *own, const Batch *batch, void *const *blocks, unsigned count) {
    enum { BLOCKS_A_SLAB_MIN = 3, FLUSHES_LEFT_OUT = 31 };
    void *sorted[SORTED_MAX];
    if (count > SORTED_MAX) count = SORTED_MAX;
    unsigned slabs = sort_by_slab(blocks, count, sorted);
    if (slabs * BLOCKS_A_SLAB_MIN > count) STORE_RELAXED(own->class[batch->class_index].scattered_flushes, FLUSHES_LEFT_OUT);
    return return_in_order(own, batch, sorted, count, false);
}

void heap_return_blocks(Heap *own, void *const *blocks, unsigned count) {
    enum { SORTED_MIN = 8 };
    Batch batch = batch_of(blocks[0]);
    if (count < SORTED_MIN || batch.class_index == SLAB_CLASS_COUNT) {
        (void)return_in_order(own, &batch, blocks, count, false);
        return;
    }
    _Atomic uint8_t *scattered_flushes = &own->class[batch.class_index].scattered_flushes;
    unsigned scattered = LOAD_RELAXED(*scattered_flushes);
    if (scattered > 0) STORE_RELAXED(*scattered_flushes, (uint8_t)(scattered - 1));
    unsigned done = return_in_order(own, &batch, blocks, count, scattered == 0);
    while (done < count) done += return_sorted(own, &batch, blocks + done, count - done);
}
