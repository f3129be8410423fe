/*
 * superslab/supply_queue.c - the purge queues of SuperSlabs and of mappings, by the age of what is free in them.
 *
 * Layer: superslab. Does not purge (superslab_purge.c, mapping.c). Thread rule: everything under the supply lock.
 *
 * A SuperSlab waits with its oldest piece: a free slab, or the tail of a run. Its pieces become free, and are taken
 * into use again, at different times, so each has an age of its own (purge_since_ms), and a purge by age leaves the
 * younger ones alone.
 */
#include "platform/os.h"
#include "superslab/supply.h"

/* In steady churn the pieces that stay behind are young, so their SuperSlab's place is near the newest one. */
enum { VISITS_MAX = 64 };

static bool is_later(uint32_t one_ms, uint32_t other_ms) { return (int32_t)(one_ms - other_ms) > 0; }

void supply_queue_insert(SupplyQueue *queue, SuperSlab *superslab, uint32_t since_ms) {
    SuperSlab *older = queue->newest;
    for (unsigned visits = 0; older != NULL && visits < VISITS_MAX; visits++, older = older->queue_previous)
        if (!is_later(older->queue_since_ms, since_ms)) break;
    SuperSlab *younger = older != NULL ? older->queue_next : queue->oldest;
    superslab->is_queued = true;
    superslab->queue_since_ms = since_ms;
    superslab->queue_previous = older;
    superslab->queue_next = younger;
    *(older != NULL ? &older->queue_next : &queue->oldest) = superslab;
    *(younger != NULL ? &younger->queue_previous : &queue->newest) = superslab;
}

void supply_queue_append(SupplyQueue *queue, SuperSlab *superslab) {
    supply_queue_insert(queue, superslab, (uint32_t)os_now_ms());
}

void supply_queue_remove(SupplyQueue *queue, SuperSlab *superslab) {
    SuperSlab *older = superslab->queue_previous, *younger = superslab->queue_next;
    superslab->is_queued = false;
    *(older != NULL ? &older->queue_next : &queue->oldest) = younger;
    *(younger != NULL ? &younger->queue_previous : &queue->newest) = older;
}

/* ---- SuperSlabs ---- */

static uint32_t pieces_of(const SuperSlab *superslab) { return superslab->backed_free_slabs | superslab->backed_tails; }

static uint32_t oldest_since_ms(const SuperSlab *superslab) {
    uint32_t rest = pieces_of(superslab);
    uint32_t oldest_ms = superslab->slab[lowest_bit_index(rest)].purge_since_ms;
    for (rest &= rest - 1; rest != 0; rest &= rest - 1) {
        uint32_t since_ms = superslab->slab[lowest_bit_index(rest)].purge_since_ms;
        if (is_later(oldest_ms, since_ms)) oldest_ms = since_ms;
    }
    return oldest_ms;
}

void supply_queue_update(SuperSlab *superslab) {
    bool belongs_in_queue = pieces_of(superslab) != 0;
    if (belongs_in_queue && !superslab->is_queued)
        supply_queue_insert(&supply.queue, superslab, oldest_since_ms(superslab));
    if (!belongs_in_queue && superslab->is_queued) supply_queue_remove(&supply.queue, superslab);
}

void supply_queue_renew(SuperSlab *superslab) {
    if (superslab->is_queued) supply_queue_remove(&supply.queue, superslab);
    supply_queue_update(superslab);
}

void supply_queue_update_since(SuperSlab *superslab, uint32_t since_ms) {
    if (superslab->is_queued && is_later(superslab->queue_since_ms, since_ms))
        supply_queue_renew(superslab);
    else
        supply_queue_update(superslab);
}

void supply_slabs_are_young(SuperSlab *superslab, uint32_t slabs) {
    uint32_t now_ms = (uint32_t)os_now_ms();
    for (; slabs != 0; slabs &= slabs - 1) superslab->slab[lowest_bit_index(slabs)].purge_since_ms = now_ms;
}

uint32_t supply_slabs_aged(const SuperSlab *superslab, uint32_t slabs, uint32_t now_ms, uint32_t age_ms) {
    if (age_ms == 0) return slabs;
    uint32_t aged = 0;
    for (uint32_t rest = slabs; rest != 0; rest &= rest - 1) {
        unsigned index = lowest_bit_index(rest);
        if (os_has_aged(now_ms, superslab->slab[index].purge_since_ms, age_ms)) aged |= (uint32_t)1 << index;
    }
    return aged;
}
