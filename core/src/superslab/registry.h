/*
 * superslab/registry.h - address -> slab class and SuperSlab, for any address, without reading it.
 *
 * Layer: superslab. Does not map SuperSlabs. Thread rule: look-ups from any thread without a lock; a look-up of a
 * block that the caller holds is exact. Changes under the supply lock.
 *
 * A window of the address space, placed at the first mapping, is covered by two dense tables (lazily backed: 4 KiB of
 * the first covers 256 MiB of heap). Addresses outside the window, on a heap larger than it, go through a radix tree.
 */
#ifndef HAK_SUPERSLAB_REGISTRY_H
#define HAK_SUPERSLAB_REGISTRY_H

#include "base/types.h"

#ifndef HAK_REGISTRY_WINDOW_SUPERSLABS
#define HAK_REGISTRY_WINDOW_SUPERSLABS (1u << 17) /* 256 GiB */
#endif
#define REGISTRY_WINDOW_SLABS ((uintptr_t)HAK_REGISTRY_WINDOW_SUPERSLABS * SLABS_PER_SUPERSLAB)

extern HAK_HIDDEN _Atomic uintptr_t registry_window_base; /* set once, before the first registration */
extern _Atomic uint8_t registry_slab_classes[REGISTRY_WINDOW_SLABS];
extern SuperSlab *_Atomic registry_superslabs[HAK_REGISTRY_WINDOW_SUPERSLABS];

/* Once, before the first registration. */
void registry_initialize(void);

/* Where the next SuperSlab should be mapped: the lowest unused place of the window. 0: anywhere. */
uintptr_t registry_next_hint(void);
/* The kernel did not give the hint: somebody else lives there. */
void registry_hint_refused(uintptr_t hint);

/* The kernel gave the hint. */
void registry_hint_accepted(void);

/* From now on the 2 MiB at `address` belong to `superslab`, every slab in them is of class `slab_class`. False when the
 * radix tree needed memory and got none. */
bool registry_add(SuperSlab *superslab, uintptr_t address, unsigned slab_class);

/* In two steps around the unmapping: after the first the addresses are foreign; after the second the place may be used
 * again. */
void registry_remove_begin(uintptr_t address);
void registry_remove_finish(uintptr_t address);

void registry_slab_class_set(uintptr_t slab_address, unsigned slab_class);

SuperSlab *registry_superslab_far(uintptr_t address);
unsigned registry_slab_class_far(uintptr_t address);

/* The SuperSlab of an address whose slab class is not SLAB_CLASS_FOREIGN. */
HAK_INLINE SuperSlab *ptr_to_superslab(const void *pointer) {
    uintptr_t index = ((uintptr_t)pointer - LOAD_RELAXED(registry_window_base)) >> SUPERSLAB_SHIFT;
    /* acquire; pairs with the release in registry_add */
    if (HAK_LIKELY(index < HAK_REGISTRY_WINDOW_SUPERSLABS))
        return atomic_load_explicit(&registry_superslabs[index], memory_order_acquire);
    return registry_superslab_far((uintptr_t)pointer);
}

/* The same for a slab of the window by its number. */
HAK_INLINE SuperSlab *registry_superslab_of_slab(uintptr_t number) {
    return atomic_load_explicit(&registry_superslabs[number / SLABS_PER_SUPERSLAB], memory_order_acquire);
}

/* The near part of the look-up, for fast paths: SLAB_CLASS_FOREIGN also for what lies outside the window. */
HAK_INLINE unsigned registry_slab_class_near(const void *pointer) {
    uintptr_t index = ((uintptr_t)pointer - LOAD_RELAXED(registry_window_base)) >> SLAB_SHIFT;
    unsigned slab_class = HAK_LIKELY(index < REGISTRY_WINDOW_SLABS) ? LOAD_RELAXED(registry_slab_classes[index])
                                                                    : SLAB_CLASS_FOREIGN;
    COMPILER_FORGETS(slab_class);
    return slab_class;
}

HAK_INLINE unsigned registry_slab_class(const void *pointer) {
    uintptr_t index = ((uintptr_t)pointer - LOAD_RELAXED(registry_window_base)) >> SLAB_SHIFT;
    if (HAK_LIKELY(index < REGISTRY_WINDOW_SLABS)) return LOAD_RELAXED(registry_slab_classes[index]);
    return registry_slab_class_far((uintptr_t)pointer);
}

#endif
