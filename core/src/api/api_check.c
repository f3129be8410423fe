/*
 * api/api_check.c - hak_check: recomputes the invariants of base/types.h and heap/heap.h. Not I10, which concerns a
 * moment, and not I12, which is exact only while the other threads rest.
 *
 * Layer: api. Thread rule: any thread. Holds all locks, as a fork does: slow paths wait, fast paths go on.
 */
#include <hakmem.h>

#include "cache/magazine.h"
#include "heap/heap.h"
#include "heap/heap_all.h"
#include "heap/heap_slabs.h"
#include "lifecycle/freeze.h"
#include "lifecycle/start.h"
#include "platform/message.h"
#include "slab/slab.h"
#include "superslab/registry.h"
#include "superslab/supply.h"

typedef struct Findings {
    size_t count;                          /* of violations */
    int64_t used_bytes, backed_free_bytes; /* sums over slabs and queued mappings */
    size_t listed_slabs;                   /* slabs that say they are in a list of their heap */
} Findings;

/* Counts a violation and prints it with both figures. */
static void expect(Findings *findings, bool holds, const char *invariant, const void *where, uint64_t have,
                   uint64_t want) {
    if (holds) return;
    findings->count++;
    message_error("corruption: invariant %s broken at %p (have %u, want %u)", invariant, where, have, want);
}

#define EXPECT_EQUAL(findings, invariant, where, have, want) \
    expect(findings, (uint64_t)(have) == (uint64_t)(want), invariant, where, (uint64_t)(have), (uint64_t)(want))

/* ---- Slabs ---- */

static unsigned used_by_bits(Slab *slab) {
    unsigned blocks = size_classes[slab->class_index].blocks_per_slab, free_count = 0;
    for (unsigned word = 0; word * 64 < blocks; word++)
        free_count += (unsigned)__builtin_popcountll(slab_free_bits(slab)[word]);
    return blocks - free_count;
}

/* Is one of the bits first .. end - 1 set? */
static bool is_any_set(const uint64_t *bits, unsigned first, unsigned end) {
    for (unsigned bit = first; bit < end; bit = (bit / 64 + 1) * 64) {
        uint64_t of_word = bits[bit / 64] >> (bit % 64);
        if (end - bit < 64) of_word &= ((uint64_t)1 << (end - bit)) - 1;
        if (of_word != 0) return true;
    }
    return false;
}

static OsPageSet available_by_bits(Slab *slab) {
    const SizeClass *size_class = &size_classes[slab->class_index];
    unsigned pages = 0;
    for (unsigned page = 0; page < SLAB_BYTES >> os_page_shift; page++)
        if (is_any_set(slab_free_bits(slab), size_class->first_starting[page], size_class->first_starting[page + 1]))
            pages |= 1u << page;
    return (OsPageSet)pages;
}

/* I5, but for whether the list that the slab names contains it, which check_lists finds out. */
static void check_list_of(Findings *findings, const Slab *slab, const HeapClass *class) {
    if (slab->list == SLAB_LIST_NONE) {
        EXPECT_EQUAL(findings, "I5", slab, (uintptr_t)class->tls.slab, (uintptr_t)slab);
        return;
    }
    EXPECT_EQUAL(findings, "I5", slab, slab->list, heap_fullness_list(slab, &size_classes[slab->class_index]));
    findings->listed_slabs++;
}

static void check_slab(Findings *findings, Slab *slab) {
    Heap *owner = LOAD_RELAXED(slab->owner);
    const HeapClass *class = &owner->class[slab->class_index];
    uint64_t block_bytes = size_classes[slab->class_index].block_bytes;
    EXPECT_EQUAL(findings, "I1", slab, slab->used_blocks, used_by_bits(slab));
    EXPECT_EQUAL(findings, "I2", slab, slab->free_pages, slab_free_pages_from_bits(slab));
    EXPECT_EQUAL(findings, "I3", slab, slab->available_pages, available_by_bits(slab));
    EXPECT_EQUAL(findings, "I4", slab, slab->unbacked_pages & ~slab->free_pages, 0);
    EXPECT_EQUAL(findings, "I4", slab, slab->purging_pages & ~slab->free_pages, 0);
    EXPECT_EQUAL(findings, "registry class", slab, registry_slab_class((void *)slab_address(slab)), slab->class_index);
    if (slab->purging_pages == 0) { /* else it is in no list and in no queue */
        check_list_of(findings, slab, class);
        EXPECT_EQUAL(findings, "I14", slab, slab->is_queued, slab_backed_free_pages(slab) != 0);
    }
    findings->used_bytes += (int64_t)(slab->used_blocks * block_bytes);
    findings->backed_free_bytes += os_page_set_bytes(slab_backed_free_pages(slab));
}

static void check_superslab(Findings *findings, SuperSlab *superslab, bool is_active) {
    EXPECT_EQUAL(findings, "I6", superslab, superslab->free_slabs & superslab->purging_slabs, 0);
    EXPECT_EQUAL(findings, "I7", superslab, supply_used_slabs(superslab) > 0, is_active);
    EXPECT_EQUAL(findings, "I8", superslab, superslab_total_active_blocks(superslab) > 0 && !is_active, false);
    EXPECT_EQUAL(findings, "I11", superslab, superslab->backed_free_slabs & ~superslab->free_slabs, 0);
    EXPECT_EQUAL(findings, "I11", superslab, (superslab->backed_free_slabs | superslab->backed_tails) != 0,
                 superslab->is_queued);
    for (uint32_t rest = superslab->backed_free_slabs | superslab->backed_tails; rest != 0; rest &= rest - 1) {
        uint32_t since_ms = superslab->slab[lowest_bit_index(rest)].purge_since_ms;
        EXPECT_EQUAL(findings, "I11", superslab, (int32_t)(superslab->queue_since_ms - since_ms) > 0, false);
    }
    for (unsigned index = 0; index < SLABS_PER_SUPERSLAB; index++) {
        Slab *slab = &superslab->slab[index];
        bool has_owner = LOAD_RELAXED(slab->owner) != NULL;
        bool is_free = ((superslab->free_slabs | superslab->purging_slabs) >> index & 1) != 0;
        EXPECT_EQUAL(findings, "I6", slab, has_owner, !is_free);
        if (LOAD_RELAXED(slab->owner) == RUN_OWNER) {
            bool has_backed_tail = slab_backed_free_pages(slab) != 0;
            EXPECT_EQUAL(findings, "I11", slab, (superslab->backed_tails >> index & 1) != 0, has_backed_tail);
            findings->backed_free_bytes += os_page_set_bytes(slab_backed_free_pages(slab));
        } else if (has_owner) {
            check_slab(findings, slab);
        } else {
            bool is_backed = slab->unbacked_pages != os_page_set_all();
            if ((superslab->free_slabs >> index & 1) != 0)
                EXPECT_EQUAL(findings, "I11", slab, (superslab->backed_free_slabs >> index & 1) != 0, is_backed);
            findings->backed_free_bytes += os_page_set_bytes((OsPageSet)(os_page_set_all() & ~slab->unbacked_pages));
        }
    }
}

/* ---- The lists by fullness ---- */

/* Walks a list while each slab says that it is in this one, behind the slab before it; so the walk ends. Returns the
 * number of slabs. */
static size_t check_list(Findings *findings, const Heap *heap, unsigned class_index, unsigned list) {
    const Slab *before = NULL;
    size_t slabs = 0;
    for (const Slab *slab = heap->class[class_index].list[list]; slab != NULL; before = slab, slab = slab->next) {
        size_t count_before = findings->count;
        EXPECT_EQUAL(findings, "I5", slab, (uintptr_t)LOAD_RELAXED(slab->owner), (uintptr_t)heap);
        EXPECT_EQUAL(findings, "I5", slab, slab->class_index, class_index);
        EXPECT_EQUAL(findings, "I5", slab, slab->list, list);
        EXPECT_EQUAL(findings, "I5", slab, (uintptr_t)slab->previous, (uintptr_t)before);
        if (findings->count != count_before) break;
        slabs++;
    }
    return slabs;
}

static bool list_contains(const Slab *list, const Slab *slab, size_t slabs_max) {
    for (; list != NULL && list != slab && slabs_max > 0; slabs_max--) list = list->next;
    return list == slab;
}

/* Prints the slabs that no list contains. Takes time with the square of their number, so it is for a heap in which one
 * is known to be missing. */
static void find_missing_slabs(Findings *findings, SuperSlab *superslab) {
    for (unsigned index = 0; index < SLABS_PER_SUPERSLAB; index++) {
        const Slab *slab = &superslab->slab[index];
        const Heap *owner = LOAD_RELAXED(slab->owner);
        if (owner == NULL || owner == RUN_OWNER || slab->purging_pages != 0 || slab->list >= SLAB_LIST_NONE) continue;
        const Slab *list = owner->class[slab->class_index].list[slab->list];
        EXPECT_EQUAL(findings, "I5", slab, list_contains(list, slab, findings->listed_slabs), true);
    }
}

/* Each slab that says it is in a list is in it: the lists, all of whose slabs say so, have as many. */
static void check_lists(Findings *findings) {
    size_t slabs = 0;
    for (const Heap *heap = LOAD_RELAXED(heap_list); heap != NULL; heap = heap->next) {
        if (heap->kind == HEAP_POOLED) continue; /* owns nothing, and its arrays may be purged */
        for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) {
            const HeapClass *class = &heap->class[index];
            unsigned lists_in_use = 0;
            for (unsigned list = 0; list <= SLAB_LIST_FULL; list++) { /* nearly all of them are empty */
                if (class->list[list] == NULL) continue;
                if (list != SLAB_LIST_FULL) lists_in_use |= 1u << list;
                slabs += check_list(findings, heap, index, list);
            }
            EXPECT_EQUAL(findings, "I17", class, class->lists_in_use, lists_in_use);
        }
    }
    if (slabs == findings->listed_slabs) return;
    EXPECT_EQUAL(findings, "I5", &heap_list, slabs, findings->listed_slabs);
    for (unsigned used = 1; used <= SLABS_PER_SUPERSLAB; used++)
        for (SuperSlab *superslab = supply.active_by_used[used]; superslab != NULL; superslab = superslab->next)
            find_missing_slabs(findings, superslab);
}

/* ---- Mappings and heaps ---- */

static void check_queued_mapping(Findings *findings, const SuperSlab *mapping) {
    size_t used_bytes = mapping->is_free ? 0 : mapping->block_bytes;
    expect(findings, mapping->is_queued, "I16", mapping, mapping->is_queued, true);
    expect(findings, used_bytes < mapping->backed_bytes, "I16", mapping, used_bytes, mapping->backed_bytes);
    expect(findings, mapping->backed_bytes <= mapping->mapping_bytes, "I16", mapping, mapping->backed_bytes,
           mapping->mapping_bytes);
    findings->backed_free_bytes += (int64_t)(mapping->backed_bytes - used_bytes);
    const char *start = (const char *)mapping->base;
    EXPECT_EQUAL(findings, "registry class", mapping, registry_slab_class(start),
                 mapping->is_free ? SLAB_CLASS_FREE : SLAB_CLASS_LARGE);
    for (size_t offset = 0; offset < mapping->mapping_bytes; offset += SUPERSLAB_BYTES)
        EXPECT_EQUAL(findings, "registry mapping", mapping, (uintptr_t)ptr_to_superslab(start + offset),
                     (uintptr_t)mapping);
}

static void check_cached_runs(Findings *findings) {
    expect(findings, supply.cached_run_count <= CACHED_RUNS_MAX, "I18", &supply, supply.cached_run_count,
           CACHED_RUNS_MAX);
    for (unsigned index = 0; index < supply.cached_run_count && index < CACHED_RUNS_MAX; index++) {
        Slab *first = supply.cached_runs[index].first;
        for (unsigned before = 0; before < index; before++)
            EXPECT_EQUAL(findings, "I18", first, supply.cached_runs[before].first == first, false);
        EXPECT_EQUAL(findings, "I18", first, (uintptr_t)LOAD_RELAXED(first->owner), (uintptr_t)RUN_OWNER);
        EXPECT_EQUAL(findings, "I18", first, first->used_blocks, supply.cached_runs[index].slabs);
        EXPECT_EQUAL(findings, "I18", first, registry_slab_class((void *)slab_address(first)), SLAB_CLASS_FREE);
        findings->backed_free_bytes += (int64_t)first->run_bytes;
    }
}

/* Ends where a link is wrong. */
static void check_slack_mappings(Findings *findings) {
    const SuperSlab *before = NULL;
    for (const SuperSlab *mapping = supply.mapping_slack; mapping != NULL; before = mapping, mapping = mapping->next) {
        size_t block_bytes = round_up_bytes(mapping->block_bytes, SLAB_BYTES);
        expect(findings, !mapping->is_free && block_bytes < mapping->mapping_bytes, "I16", mapping, block_bytes,
               mapping->mapping_bytes);
        EXPECT_EQUAL(findings, "I16", mapping, (uintptr_t)mapping->previous, (uintptr_t)before);
        if (mapping->previous != before) break;
    }
}

static void check_large(Findings *findings, const Heap *heap) {
    for (Slab *first = heap->slabs.large; first != NULL; first = first->large_next) {
        EXPECT_EQUAL(findings, "I15", first, (uintptr_t)first->large_heap, (uintptr_t)heap);
        EXPECT_EQUAL(findings, "I15", first, registry_slab_class((void *)slab_address(first)), SLAB_CLASS_LARGE);
    }
}

static void check_heap(Findings *findings, Heap *heap) {
    check_large(findings, heap);
    if (heap->kind != HEAP_THREAD && heap->kind != HEAP_PRIVATE) return;
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) {
        void **slots = magazine_slots(heap, index), **top = LOAD_RELAXED(heap->magazines.top[index]);
        bool is_inside = top >= slots && top <= slots + magazine_capacity(heap, index);
        expect(findings, is_inside, "I9", &heap->magazines.top[index], (uintptr_t)top, (uintptr_t)slots);
    }
}

size_t hak_check(void) {
    Findings findings = {0};
    core_start();
    core_freeze();
    uint64_t lists_in_use = 0;
    for (unsigned list = 0; list <= SLABS_PER_SUPERSLAB; list++) {
        SuperSlab *superslab = list == 0 ? supply.spare : supply.active_by_used[list];
        if (superslab != NULL) lists_in_use |= (uint64_t)1 << list;
        for (; superslab != NULL; superslab = superslab->next) check_superslab(&findings, superslab, list != 0);
    }
    EXPECT_EQUAL(&findings, "I17", &supply, supply.lists_in_use, lists_in_use);
    check_lists(&findings);
    check_cached_runs(&findings);
    for (SuperSlab *mapping = supply.mapping_queue.oldest; mapping != NULL; mapping = mapping->queue_next)
        check_queued_mapping(&findings, mapping);
    check_slack_mappings(&findings);
    for (Heap *heap = LOAD_RELAXED(heap_list); heap != NULL; heap = heap->next) check_heap(&findings, heap);
    EXPECT_EQUAL(&findings, "I13", &heap_list, findings.used_bytes, heap_used_bytes_all());
    EXPECT_EQUAL(&findings, "backed free bytes", &backed_free_bytes, findings.backed_free_bytes,
                 LOAD_RELAXED(backed_free_bytes));
    core_thaw();
    return findings.count;
}
