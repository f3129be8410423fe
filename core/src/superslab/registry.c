/*
 * superslab/registry.c - places the window, keeps the radix tree for addresses outside it, and changes both.
 *
 * Layer: superslab. Thread rule: see registry.h.
 */
#include "superslab/registry.h"

#include "platform/os.h"
#include "superslab/metadata.h"

_Atomic uintptr_t registry_window_base;
_Atomic uint8_t registry_slab_classes[REGISTRY_WINDOW_SLABS];
SuperSlab *_Atomic registry_superslabs[HAK_REGISTRY_WINDOW_SUPERSLABS];

#define WINDOW_BYTES ((uintptr_t)HAK_REGISTRY_WINDOW_SUPERSLABS << SUPERSLAB_SHIFT)

/* The radix tree: 57 address bits = 12 (root) + 12 (middle) + 12 (leaf) + 21 (inside a SuperSlab). */
#define RADIX_BITS 12u
#define RADIX_FANOUT ((size_t)1 << RADIX_BITS)

typedef struct RadixLeaf {
    SuperSlab *_Atomic superslab[RADIX_FANOUT];
    _Atomic uint8_t slab_class[RADIX_FANOUT][SLABS_PER_SUPERSLAB];
} RadixLeaf;

typedef struct RadixMiddle {
    RadixLeaf *_Atomic leaf[RADIX_FANOUT];
} RadixMiddle;

static RadixMiddle *_Atomic radix_root[RADIX_FANOUT];

/* ---- Placement ---- */

static size_t lowest_unused_index; /* in the window; 2 MiB below it are in use or were refused */
static unsigned refused_hints;     /* since the last accepted one */

#define REFUSED_HINTS_MAX 64u
#define HINT_BEGIN ((uintptr_t)4 << 40) /* 4 to 16 TiB */
#define HINT_END ((uintptr_t)16 << 40)

uintptr_t registry_next_hint(void) {
    if (LOAD_RELAXED(registry_window_base) == 0) {
        /* Far below the addresses that the kernel chooses in a 47-bit space, so that neighbouring SuperSlabs merge
         * into one kernel mapping and the tables stay dense. Random: heap addresses differ from run to run. */
        return HINT_BEGIN + (os_random_bits() % ((HINT_END - HINT_BEGIN) >> 30) << 30);
    }
    if (refused_hints >= REFUSED_HINTS_MAX) return 0;
    while (lowest_unused_index < HAK_REGISTRY_WINDOW_SUPERSLABS &&
           LOAD_RELAXED(registry_superslabs[lowest_unused_index]) != NULL)
        lowest_unused_index++;
    if (lowest_unused_index == HAK_REGISTRY_WINDOW_SUPERSLABS) return 0;
    return LOAD_RELAXED(registry_window_base) + ((uintptr_t)lowest_unused_index << SUPERSLAB_SHIFT);
}

void registry_hint_refused(uintptr_t hint) {
    if (hint == 0 || LOAD_RELAXED(registry_window_base) == 0) return;
    refused_hints++;
    lowest_unused_index++;
}

void registry_hint_accepted(void) { refused_hints = 0; }

/* A huge page would back 2 MiB of a sparse table for a few bytes. Purged, too: a huge page may have backed it
 * already, together with neighbouring data. */
static void forbid_huge_pages(void *table, size_t bytes) {
    uintptr_t first = round_up_bytes((uintptr_t)table, os_page_bytes);
    uintptr_t end = ((uintptr_t)table + bytes) & ~(os_page_bytes - 1);
    if (first >= end) return;
    os_huge_pages_forbid((void *)first, end - first);
    (void)os_purge((void *)first, end - first);
}

void registry_initialize(void) {
    forbid_huge_pages((void *)registry_slab_classes, sizeof registry_slab_classes);
    forbid_huge_pages((void *)registry_superslabs, sizeof registry_superslabs);
}

static void window_place(uintptr_t first_superslab, bool is_at_hint) {
    /* From a hint the heap grows upwards; from an address that the kernel chose it may grow either way. */
    uintptr_t below = is_at_hint ? 0 : WINDOW_BYTES / 2;
    /* In a small address space. Not from address 0 on: a base of 0 is that of a window without a place. */
    if (below >= first_superslab) below = (first_superslab & ~(SUPERSLAB_BYTES - 1)) - SUPERSLAB_BYTES;
    STORE_RELAXED(registry_window_base, first_superslab - below);
    lowest_unused_index = below >> SUPERSLAB_SHIFT;
}

/* ---- The radix tree ---- */

static RadixLeaf *radix_leaf(uintptr_t address) {
    if (address >> (SUPERSLAB_SHIFT + 3 * RADIX_BITS) != 0) return NULL; /* more than 57 bits: a tagged pointer */
    size_t root_index = (address >> (SUPERSLAB_SHIFT + 2 * RADIX_BITS)) & (RADIX_FANOUT - 1);
    size_t middle_index = (address >> (SUPERSLAB_SHIFT + RADIX_BITS)) & (RADIX_FANOUT - 1);
    /* acquire, twice; pairs with the releases in radix_leaf_make */
    RadixMiddle *middle = atomic_load_explicit(&radix_root[root_index], memory_order_acquire);
    if (middle == NULL) return NULL;
    return atomic_load_explicit(&middle->leaf[middle_index], memory_order_acquire);
}

/* Unused nodes, linked through their first words, for when metadata gets no memory. */
typedef struct SpareNodes {
    void **first;
    size_t count;
} SpareNodes;

static SpareNodes spare_leaves, spare_middles;

static bool spare_fill(SpareNodes *spare, size_t count, size_t node_bytes) {
    while (spare->count < count) {
        void **node = metadata_map(node_bytes);
        if (node == NULL) return false;
        *node = spare->first;
        spare->first = node;
        spare->count++;
    }
    return true;
}

static void *node_new(SpareNodes *spare, size_t node_bytes) {
    void **node = metadata_map(node_bytes);
    if (node != NULL || spare->count == 0) return node;
    node = spare->first;
    spare->first = *node;
    spare->count--;
    *node = NULL;
    return node;
}

/* Wherever they begin, so many bytes lie in at most so many nodes. */
bool registry_prepare(size_t bytes) {
    size_t leaves = (bytes >> (SUPERSLAB_SHIFT + RADIX_BITS)) + 2;
    size_t middles = (bytes >> (SUPERSLAB_SHIFT + 2 * RADIX_BITS)) + 2;
    return spare_fill(&spare_leaves, leaves, sizeof(RadixLeaf)) &&
           spare_fill(&spare_middles, middles, sizeof(RadixMiddle));
}

static RadixLeaf *radix_leaf_make(uintptr_t address) {
    size_t root_index = (address >> (SUPERSLAB_SHIFT + 2 * RADIX_BITS)) & (RADIX_FANOUT - 1);
    size_t middle_index = (address >> (SUPERSLAB_SHIFT + RADIX_BITS)) & (RADIX_FANOUT - 1);
    RadixMiddle *middle = LOAD_RELAXED(radix_root[root_index]);
    if (middle == NULL) {
        middle = node_new(&spare_middles, sizeof *middle);
        if (middle == NULL) return NULL;
        atomic_store_explicit(&radix_root[root_index], middle, memory_order_release);
    }
    RadixLeaf *leaf = LOAD_RELAXED(middle->leaf[middle_index]);
    if (leaf == NULL) {
        leaf = node_new(&spare_leaves, sizeof *leaf);
        if (leaf == NULL) return NULL;
        atomic_store_explicit(&middle->leaf[middle_index], leaf, memory_order_release);
    }
    return leaf;
}

static size_t radix_leaf_index(uintptr_t address) { return (address >> SUPERSLAB_SHIFT) & (RADIX_FANOUT - 1); }

SuperSlab *registry_superslab_far(uintptr_t address) {
    RadixLeaf *leaf = radix_leaf(address);
    if (leaf == NULL) return NULL;
    /* acquire; pairs with the release in registry_add */
    return atomic_load_explicit(&leaf->superslab[radix_leaf_index(address)], memory_order_acquire);
}

unsigned registry_slab_class_far(uintptr_t address) {
    RadixLeaf *leaf = radix_leaf(address);
    if (leaf == NULL) return SLAB_CLASS_FOREIGN;
    return LOAD_RELAXED(leaf->slab_class[radix_leaf_index(address)][(address >> SLAB_SHIFT) % SLABS_PER_SUPERSLAB]);
}

/* ---- Changes ---- */

/* Of the 2 MiB around `address`. NULL: the radix tree needed memory and got none. */
static SuperSlab *_Atomic *entry_of(uintptr_t address) {
    uintptr_t index = (address - LOAD_RELAXED(registry_window_base)) >> SUPERSLAB_SHIFT;
    if (index < HAK_REGISTRY_WINDOW_SUPERSLABS) return &registry_superslabs[index];
    RadixLeaf *leaf = radix_leaf_make(address);
    return leaf != NULL ? &leaf->superslab[radix_leaf_index(address)] : NULL;
}

bool registry_add(SuperSlab *superslab, uintptr_t address, size_t bytes, unsigned slab_class) {
    if (LOAD_RELAXED(registry_window_base) == 0) window_place(address, address >= HINT_BEGIN && address < HINT_END);
    uintptr_t first_unit = address & ~(SUPERSLAB_BYTES - 1), end = address + bytes;
    for (uintptr_t unit = first_unit; unit < end; unit += SUPERSLAB_BYTES)
        if (entry_of(unit) == NULL) return false;
    for (uintptr_t slab = address; slab < end; slab += SLAB_BYTES) registry_slab_class_set(slab, slab_class);
    /* release: a thread that finds the SuperSlab sees its header; pairs with the acquire of the look-ups */
    for (uintptr_t unit = first_unit; unit < end; unit += SUPERSLAB_BYTES)
        atomic_store_explicit(entry_of(unit), superslab, memory_order_release);
    return true;
}

void registry_remove_begin(const SuperSlab *superslab, uintptr_t address, size_t bytes) {
    for (uintptr_t slab = address; slab < address + bytes; slab += SLAB_BYTES)
        if (ptr_to_superslab((void *)slab) == superslab) registry_slab_class_set(slab, SLAB_CLASS_FOREIGN);
}

void registry_remove_finish(uintptr_t address, size_t bytes) {
    /* From the first whole 2 MiB on: before them lies what is left of a shortened mapping. */
    uintptr_t end = address + bytes;
    for (uintptr_t unit = round_up_bytes(address, SUPERSLAB_BYTES); unit < end; unit += SUPERSLAB_BYTES) {
        /* The kernel may have given the unmapped addresses to another mapping of ours, which is registered by now. */
        if (registry_slab_class((void *)unit) != SLAB_CLASS_FOREIGN) continue;
        uintptr_t index = (unit - LOAD_RELAXED(registry_window_base)) >> SUPERSLAB_SHIFT;
        STORE_RELAXED(*entry_of(unit), NULL);
        if (index < lowest_unused_index) lowest_unused_index = index;
    }
}

void registry_slab_class_set(uintptr_t slab_address, unsigned slab_class) {
    uintptr_t index = (slab_address - LOAD_RELAXED(registry_window_base)) >> SLAB_SHIFT;
    if (index < REGISTRY_WINDOW_SLABS) {
        STORE_RELAXED(registry_slab_classes[index], (uint8_t)slab_class);
        return;
    }
    RadixLeaf *leaf = radix_leaf(slab_address);
    STORE_RELAXED(leaf->slab_class[radix_leaf_index(slab_address)][(slab_address >> SLAB_SHIFT) % SLABS_PER_SUPERSLAB],
                  (uint8_t)slab_class);
}
