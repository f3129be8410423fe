/*
 * superslab/supply.c - the supply's state, and those of its sums that are read without the lock.
 *
 * Layer: superslab. Changes nothing. Thread rule: any thread, no lock.
 */
#include "superslab/supply.h"

#include "superslab/superslab.h"

Lock supply_lock = {.rank = LOCK_RANK_SUPPLY};
_Atomic int64_t backed_free_bytes;
_Atomic uint64_t first_touched_bytes;
_Atomic uint32_t detached_count;
Supply supply;

uint64_t superslab_large_bytes(void) { return LOAD_RELAXED(supply.large_bytes); }
uint64_t superslab_purged_bytes(void) { return LOAD_RELAXED(supply.purged_bytes); }
uint64_t superslab_discarded_bytes(void) { return LOAD_RELAXED(supply.discarded_bytes); }
uint64_t superslab_mapping_free_bytes(void) { return LOAD_RELAXED(supply.mapping_free_bytes); }
