/*
 * superslab/registry.h - address -> slab class and SuperSlab, for any address, without reading it.
 *
 * Layer: superslab. Does not map SuperSlabs. Thread rule: any thread looks up without a lock, and the answer for a
 * block that the caller holds is exact. Changes are made under the supply lock.
 *
 * Two dense tables cover a window of the address space, which the first registration places. They are backed where
 * they are touched: 4 KiB of registry_slab_classes cover 256 MiB. A radix tree covers all addresses outside the
 * window.
 */
#ifndef HAK_SUPERSLAB_REGISTRY_H
#define HAK_SUPERSLAB_REGISTRY_H

#include "base/types.h"

#ifndef HAK_REGISTRY_WINDOW_SUPERSLABS
#define HAK_REGISTRY_WINDOW_SUPERSLABS (1u << 17) /* 256 GiB */
#endif
#define REGISTRY_WINDOW_SLABS ((uintptr_t)HAK_REGISTRY_WINDOW_SUPERSLABS * SLABS_PER_SUPERSLAB)

extern HAK_HIDDEN _Atomic uintptr_t registry_window_base; /* 0 until the first registration, then constant */
extern _Atomic uint8_t registry_slab_classes[REGISTRY_WINDOW_SLABS];
extern SuperSlab *_Atomic registry_superslabs[HAK_REGISTRY_WINDOW_SUPERSLABS];

/* Once, before the first registration. */
void registry_initialize(void);

/* The address at which the next SuperSlab should be mapped: the lowest unused 2 MiB of the window. 0: anywhere. */
uintptr_t registry_next_hint(void);

/* The kernel mapped it at the hint, or elsewhere, because the hint is in use. */
void registry_hint_accepted(void);
void registry_hint_refused(uintptr_t hint);

/* Registers `bytes` at `address`, both multiples of SLAB_BYTES, as a part of `superslab`, with `slab_class` for each
 * of their slabs. False: the radix tree needed memory and got none; nothing is registered. */
bool registry_add(SuperSlab *superslab, uintptr_t address, size_t bytes, unsigned slab_class);

/* Until the lock is released, registry_add cannot fail for so many bytes, at any one address. False: no memory. */
bool registry_prepare(size_t bytes);

/* Unregisters `bytes` at `address`, in two steps around the unmapping: after the first the addresses are foreign,
 * after the second they may be hints again. The first leaves alone what is registered for others. */
void registry_remove_begin(const SuperSlab *superslab, uintptr_t address, size_t bytes);
void registry_remove_finish(uintptr_t address, size_t bytes);

void registry_slab_class_set(uintptr_t slab_address, unsigned slab_class);

/* Look-ups outside the window: NULL and SLAB_CLASS_FOREIGN for an address that is not registered. */
SuperSlab *registry_superslab_far(uintptr_t address);
unsigned registry_slab_class_far(uintptr_t address);

/* The SuperSlab or mapping of an address whose slab class is not SLAB_CLASS_FOREIGN. NULL: it was released
 * meanwhile. */
HAK_INLINE SuperSlab *ptr_to_superslab(const void *pointer) {
    uintptr_t index = ((uintptr_t)pointer - LOAD_RELAXED(registry_window_base)) >> SUPERSLAB_SHIFT;
    /* acquire; pairs with the release in registry_add */
    if (HAK_LIKELY(index < HAK_REGISTRY_WINDOW_SUPERSLABS))
        return atomic_load_explicit(&registry_superslabs[index], memory_order_acquire);
    return registry_superslab_far((uintptr_t)pointer);
}

/* The same by the index of a slab in the window, below REGISTRY_WINDOW_SLABS. */
HAK_INLINE SuperSlab *registry_superslab_of_slab(uintptr_t window_index) {
    /* acquire; pairs with the release in registry_add */
    return atomic_load_explicit(&registry_superslabs[window_index / SLABS_PER_SUPERSLAB], memory_order_acquire);
}

/* For fast paths: registry_slab_class inside the window, SLAB_CLASS_FOREIGN outside. */
HAK_INLINE unsigned registry_slab_class_near(const void *pointer) {
    uintptr_t index = ((uintptr_t)pointer - LOAD_RELAXED(registry_window_base)) >> SLAB_SHIFT;
    return HAK_LIKELY(index < REGISTRY_WINDOW_SLABS) ? LOAD_RELAXED(registry_slab_classes[index]) : SLAB_CLASS_FOREIGN;
}

HAK_INLINE unsigned registry_slab_class(const void *pointer) {
    uintptr_t index = ((uintptr_t)pointer - LOAD_RELAXED(registry_window_base)) >> SLAB_SHIFT;
    if (HAK_LIKELY(index < REGISTRY_WINDOW_SLABS)) return LOAD_RELAXED(registry_slab_classes[index]);
    return registry_slab_class_far((uintptr_t)pointer);
}

#endif
