/*
 * superslab/superslab_large.c - mappings of their own for large blocks.
 *
 * Layer: superslab. Does not cache them. Thread rule: any thread; the supply lock for registration only.
 */
#include <errno.h>

#include "platform/os.h"
#include "superslab/registry.h"
#include "superslab/superslab.h"
#include "superslab/supply.h"

/* `bytes` on a multiple of 2 MiB, so that the registry's unit is the mapping's own. */
static uintptr_t map_aligned(size_t bytes) {
    if (bytes > PTRDIFF_MAX - SUPERSLAB_BYTES) return 0;
    size_t wide_bytes = bytes + SUPERSLAB_BYTES - os_page_bytes;
    uintptr_t wide = (uintptr_t)os_map(0, wide_bytes);
    if (wide == 0) return 0;
    uintptr_t address = round_up_bytes(wide, SUPERSLAB_BYTES);
    if (address > wide) os_unmap((void *)wide, address - wide);
    size_t behind_bytes = wide + wide_bytes - (address + bytes);
    if (behind_bytes > 0) os_unmap((void *)(address + bytes), behind_bytes);
    return address;
}

static bool register_units(SuperSlab *superslab) {
    for (size_t offset = 0; offset < superslab->large_bytes; offset += SUPERSLAB_BYTES) {
        if (registry_add(superslab, superslab->base + offset, SLAB_CLASS_LARGE_INNER)) continue;
        while (offset > 0) {
            offset -= SUPERSLAB_BYTES;
            registry_remove_begin(superslab->base + offset);
            registry_remove_finish(superslab->base + offset);
        }
        return false;
    }
    registry_slab_class_set(superslab->base, SLAB_CLASS_LARGE);
    return true;
}

SuperSlab *superslab_large_map(size_t bytes, size_t alignment) {
    (void)alignment; /* at most SUPERSLAB_BYTES, on which every mapping lies */
    bytes = round_up_bytes(bytes, os_page_bytes);
    uintptr_t address = map_aligned(bytes);
    if (address == 0) return NULL;
    os_lock(&supply_lock);
    SuperSlab *superslab = supply_header_take();
    if (superslab != NULL) {
        superslab->base = address;
        superslab->large_bytes = bytes;
        if (register_units(superslab)) {
            supply.large_count++;
            supply.large_mapped_bytes += bytes;
        } else {
            superslab->large_bytes = 0;
            supply_header_return(superslab);
            superslab = NULL;
        }
    }
    os_unlock(&supply_lock);
    if (superslab == NULL) os_unmap((void *)address, bytes);
    return superslab;
}

void superslab_large_unmap(SuperSlab *superslab) {
    uintptr_t address = superslab->base;
    size_t bytes = superslab->large_bytes;
    os_lock(&supply_lock);
    for (size_t offset = 0; offset < bytes; offset += SUPERSLAB_BYTES) registry_remove_begin(address + offset);
    supply.large_count--;
    supply.large_mapped_bytes -= bytes;
    os_unlock(&supply_lock);
    os_unmap((void *)address, bytes);
    os_lock(&supply_lock);
    for (size_t offset = 0; offset < bytes; offset += SUPERSLAB_BYTES) registry_remove_finish(address + offset);
    superslab->large_bytes = 0;
    supply_header_return(superslab);
    os_unlock(&supply_lock);
}
