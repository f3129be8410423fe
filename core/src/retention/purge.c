/*
 * retention/purge.c - gives free OS pages back to the OS: mappings', the supply's, then those of slabs in use.
 *
 * Layer: retention. Thread rule: see purge.h. No lock is held while the kernel works: a slab leaves its lists before,
 * so that nobody is handed a block of it, and returns to them afterwards.
 */
#include "retention/purge.h"

#include "cache/magazine.h"
#include "cache/reclaim.h"
#include "heap/heap_all.h"
#include "heap/heap_slabs.h"
#include "retention/bounds.h"
#include "retention/burst.h"
#include "retention/inherited.h"
#include "superslab/huge_pages.h"
#include "superslab/mapping.h"

/* ---- The slabs of a heap ---- */

/* A batch: slabs whose free OS pages go back in one system call. */
enum { BATCH_SLABS = OS_RANGES_MAX / 2, RUNS_PER_SLAB_MAX = OS_PAGES_PER_SLAB_MAX / 2 };

typedef struct Batch {
    Slab *slab[BATCH_SLABS];
    OsPageSet refused[BATCH_SLABS];
    unsigned slab_count;
    OsRange range[OS_RANGES_MAX]; /* neighbouring OS pages are one range */
    uint8_t slab_of_range[OS_RANGES_MAX];
    unsigned range_count;
} Batch;

static bool batch_has_room(const Batch *batch) {
    return batch->slab_count < BATCH_SLABS && batch->range_count + RUNS_PER_SLAB_MAX <= OS_RANGES_MAX;
}

static void batch_add(Batch *batch, Slab *slab) {
    for (unsigned rest = slab->purging_pages; rest != 0;) {
        unsigned first = lowest_bit_index(rest);
        unsigned count = (unsigned)__builtin_ctz(~(rest >> first));
        batch->range[batch->range_count] =
            (OsRange){(void *)(slab_address(slab) + ((size_t)first << os_page_shift)), (size_t)count << os_page_shift};
        batch->slab_of_range[batch->range_count++] = (uint8_t)batch->slab_count;
        rest &= ~(((1u << count) - 1) << first);
    }
    batch->refused[batch->slab_count] = 0;
    batch->slab[batch->slab_count++] = slab;
}

/* Takes the heap's oldest slabs: those at least `age_ms` old, until `target_bytes` would be reached. */
static void batch_take(Batch *batch, Heap *heap, uint32_t now_ms, uint32_t age_ms, int64_t target_bytes) {
    batch->slab_count = batch->range_count = 0;
    int64_t left_bytes = LOAD_RELAXED(backed_free_bytes);
    lock_acquire(&heap->lock);
    while (left_bytes > target_bytes && batch_has_room(batch)) {
        Slab *slab = heap->slabs.purge_oldest;
        if (slab == NULL || !os_has_aged(now_ms, slab->purge_since_ms, age_ms)) break;
        heap_slab_to_purging(heap, slab);
        left_bytes -= os_page_set_bytes(slab->purging_pages);
        batch_add(batch, slab);
    }
    if (batch->slab_count > 0) detached_begin();
    lock_release(&heap->lock);
}

static void batch_purge(Batch *batch) {
    for (unsigned number = 0; number < batch->slab_count; number++)
        huge_pages_split(superslab_of_slab(batch->slab[number]));
    uint64_t refused = os_purge_ranges(batch->range, batch->range_count);
    for (; refused != 0; refused &= refused - 1) {
        unsigned number = lowest_bit_index(refused);
        const OsRange *range = &batch->range[number];
        unsigned first = (unsigned)(((uintptr_t)range->address % SLAB_BYTES) >> os_page_shift);
        unsigned pages = (1u << (range->bytes >> os_page_shift)) - 1u;
        batch->refused[batch->slab_of_range[number]] |= (OsPageSet)(pages << first);
    }
}

/* Puts the slabs back into their owner's lists; its thread may have ended meanwhile, but a heap is never unmapped.
 * False: the kernel refused an OS page. */
static bool batch_return(const Batch *batch, Heap *heap, size_t *given_back_bytes) {
    bool is_refused = false;
    lock_acquire(&heap->lock);
    for (unsigned number = 0; number < batch->slab_count; number++) {
        *given_back_bytes += heap_slab_from_purging(heap, batch->slab[number], batch->refused[number]);
        is_refused |= batch->refused[number] != 0;
    }
    detached_end();
    lock_release(&heap->lock);
    return !is_refused;
}

/* One batch. False: the heap has nothing (more) to give back. */
static bool purge_oldest_slabs(Heap *heap, uint32_t now_ms, uint32_t age_ms, int64_t target_bytes,
                               size_t *given_back_bytes) {
    Batch batch;
    batch_take(&batch, heap, now_ms, age_ms, target_bytes);
    if (batch.slab_count == 0) return false;
    batch_purge(&batch);
    return batch_return(&batch, heap, given_back_bytes);
}

/* ---- All ---- */

size_t purge_run(uint32_t age_ms, int64_t target_bytes, size_t bytes_max) {
    inherited_put_right();
    size_t of_supply_bytes = mapping_purge(age_ms, target_bytes, bytes_max), of_heaps_bytes = 0;
    if (of_supply_bytes < bytes_max)
        of_supply_bytes += superslab_purge(age_ms, target_bytes, bytes_max - of_supply_bytes);
    uint32_t now_ms = (uint32_t)os_now_ms();
    for (Heap *heap = atomic_load_explicit(&heap_list, memory_order_acquire); heap != NULL; heap = heap->next)
        while (atomic_load(&backed_free_bytes) > target_bytes && of_supply_bytes + of_heaps_bytes < bytes_max &&
               purge_oldest_slabs(heap, now_ms, age_ms, target_bytes, &of_heaps_bytes)) {}
    return of_supply_bytes + of_heaps_bytes;
}

void purge_to_idle_bound(void) {
    if (bounds_free_and_cached_bytes() <= bounds_idle_bytes()) return;
    reclaim_others(false);
    int64_t target_bytes = bounds_idle_bytes() - LOAD_RELAXED(magazine_capacity_bytes);
    (void)purge_run(0, target_bytes > 0 ? target_bytes : 0, SIZE_MAX);
}

size_t purge_to_burst_bound(void) {
    int64_t used_bytes = heap_used_bytes_all();
    burst_see(used_bytes);
    size_t bytes = purge_run(0, burst_bound(used_bytes).bytes, SIZE_MAX);
    burst_note_purged(bytes);
    return bytes;
}
