/*
 * superslab/mapping_space.c - the address space of mappings: maps, extends and cuts it, aligned to 2 MiB.
 *
 * Layer: superslab. Thread rule: see mapping_space.h.
 */
#include "superslab/mapping_space.h"

#include <string.h>

#include "platform/os.h"
#include "superslab/registry.h"

/* Unmaps what `wide_bytes` at `wide` have before and behind `bytes` at `address`. */
static void trim(uintptr_t wide, size_t wide_bytes, uintptr_t address, size_t bytes) {
    if (address > wide) os_unmap_or_purge((void *)wide, address - wide);
    size_t behind_bytes = wide + wide_bytes - (address + bytes);
    if (behind_bytes > 0) os_unmap_or_purge((void *)(address + bytes), behind_bytes);
}

uintptr_t mapping_space_map(size_t bytes, size_t alignment, size_t spare_bytes) {
    size_t wide_bytes = bytes + alignment + spare_bytes;
    uintptr_t wide = (uintptr_t)os_map(0, wide_bytes);
    if (wide == 0) return 0;
    uintptr_t address = round_up_bytes(wide, alignment);
    trim(wide, wide_bytes, address, bytes);
    os_huge_pages_forbid((void *)address, bytes);
    return address;
}

/* ---- Extend ---- */

static bool extend_in_place(SuperSlab *mapping, size_t bytes, bool *lacks_room) {
    uintptr_t end = mapping->base + mapping->mapping_bytes;
    size_t more_bytes = bytes - mapping->mapping_bytes;
    if (os_extend((void *)mapping->base, mapping->mapping_bytes, bytes, false, lacks_room) == NULL) return false;
    if (registry_add(mapping, end, more_bytes, SLAB_CLASS_LARGE_INNER)) {
        mapping->mapping_bytes = bytes;
        return true;
    }
    os_unmap_or_purge((void *)end, more_bytes);
    *lacks_room = true;
    return false;
}

/* `bytes` at `address` are not aligned and lie where the kernel put them: usually at the upper end of a free range. So
 * it will put a longer mapping directly below. The result is the length at which that one begins aligned. */
static size_t bytes_to_begin_aligned(uintptr_t address, size_t bytes) {
    size_t more_bytes = (address - bytes) % SUPERSLAB_BYTES;
    return bytes + (more_bytes > 0 ? more_bytes : SUPERSLAB_BYTES);
}

/* Where the kernel finds addresses. It moves the OS pages, twice where the first place is not aligned; the first
 * `used_bytes` are copied only if the second is not either. Returns the new address; 0: all is as before. */
static uintptr_t extend_elsewhere(const SuperSlab *mapping, size_t bytes, bool *lacks_room) {
    size_t wide_bytes = bytes + SUPERSLAB_BYTES; /* for the copy, which cannot fail */
    uintptr_t wide = (uintptr_t)os_extend((void *)mapping->base, mapping->mapping_bytes, wide_bytes, true, lacks_room);
    if (wide == 0) return 0;
    if (wide % SUPERSLAB_BYTES != 0) {
        size_t again_bytes = bytes_to_begin_aligned(wide, wide_bytes);
        uintptr_t again = (uintptr_t)os_extend((void *)wide, wide_bytes, again_bytes, true, lacks_room);
        if (again != 0) {
            wide = again;
            wide_bytes = again_bytes;
        }
    }
    uintptr_t address = round_up_bytes(wide, SUPERSLAB_BYTES);
    if (address != wide) memmove((void *)address, (void *)wide, mapping->block_bytes);
    trim(wide, wide_bytes, address, bytes);
    return address;
}

/* Would the kernel map so many bytes more? Asked first, so that a request beyond all memory costs no metadata. */
static bool has_room(size_t bytes) {
    void *probe = os_map(0, bytes);
    if (probe != NULL) os_unmap_or_purge(probe, bytes);
    return probe != NULL;
}

bool mapping_space_extend(SuperSlab *mapping, size_t bytes, bool may_move, bool *lacks_room) {
    if (extend_in_place(mapping, bytes, lacks_room)) return true;
    if (!may_move || !*lacks_room) return false;
    uintptr_t old = mapping->base;
    size_t old_bytes = mapping->mapping_bytes;
    if (!has_room(bytes - old_bytes + SUPERSLAB_BYTES) || !registry_prepare(bytes)) return false;
    registry_remove_begin(mapping, old, old_bytes);
    uintptr_t address = extend_elsewhere(mapping, bytes, lacks_room);
    if (address != 0) {
        mapping->base = address;
        mapping->mapping_bytes = bytes;
    }
    (void)registry_add(mapping, mapping->base, mapping->mapping_bytes, SLAB_CLASS_LARGE_INNER); /* cannot fail */
    if (address != 0) registry_remove_finish(old, old_bytes);
    return address != 0;
}

/* ---- Cut ---- */

bool mapping_space_cut(SuperSlab *mapping, size_t bytes) {
    uintptr_t end = mapping->base + bytes;
    size_t cut_bytes = mapping->mapping_bytes - bytes;
    registry_remove_begin(mapping, end, cut_bytes);
    if (!os_unmap((void *)end, cut_bytes)) {
        (void)registry_add(mapping, end, cut_bytes, SLAB_CLASS_LARGE_INNER); /* cannot fail: the radix leaves exist */
        return false;
    }
    registry_remove_finish(end, cut_bytes);
    mapping->mapping_bytes = bytes;
    return true;
}
