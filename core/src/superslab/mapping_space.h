/*
 * superslab/mapping_space.h - the address space of mappings: maps, extends and cuts it, aligned to 2 MiB.
 *
 * Layer: superslab, private to it. Does not know blocks, queues or sums (mapping.c). Thread rule: says each function.
 */
#ifndef HAK_SUPERSLAB_MAPPING_SPACE_H
#define HAK_SUPERSLAB_MAPPING_SPACE_H

#include "superslab/superslab.h"

/* Maps `bytes`, a multiple of SLAB_BYTES, where there is room for `spare_bytes` more. `alignment` is a power of two,
 * SUPERSLAB_BYTES at least. 0: there is no room. Without the supply lock. */
uintptr_t mapping_space_map(size_t bytes, size_t alignment, size_t spare_bytes);

/* Makes a registered mapping longer: `bytes`, a multiple of SLAB_BYTES. If `may_move`, at another address where it has
 * to, which needs room for the difference and up to 4 MiB, not for both lengths. Sets `base` and `mapping_bytes`, and
 * keeps the block. False: nothing changed; `lacks_room` as of os_extend. Under the supply lock, also while the kernel
 * works: a move is for when room is short. */
bool mapping_space_extend(SuperSlab *mapping, size_t bytes, bool may_move, bool *lacks_room);

/* Unmaps all behind the first `bytes`, a multiple of SLAB_BYTES. False: the kernel refused; nothing changed. Under the
 * supply lock. */
bool mapping_space_cut(SuperSlab *mapping, size_t bytes);

#endif
