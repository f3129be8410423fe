/*
 * slab/slab_guard.h - debug level 2: canaries behind blocks and poison in free ones.
 *
 * Layer: slab. Does not guard large blocks; knows no heap and no lock. Thread rule: any thread, for a block that it
 * has just taken or is about to return, or for a slab whose owner's lock it holds or that no other thread knows.
 */
#ifndef HAK_SLAB_SLAB_GUARD_H
#define HAK_SLAB_SLAB_GUARD_H

#include "base/types.h"
#include "platform/option.h"

/* Debug level 2. Classes then have no magazines (size_class_initialize), so no block is cached. */
HAK_INLINE bool slab_is_guarded(void) { return option_value(OPTION_DEBUG) == OPTION_DEBUG_GUARD; }

/* Poisons the backed OS pages of a slab whose blocks are all free. */
void slab_guard_poison(Slab *slab);

/* For a block that was just taken: reports a write since it was freed; sets its canary. */
void slab_guard_begin(void *block, unsigned class_index);

/* For a used block, before it is returned: reports a damaged canary; poisons the block. */
void slab_guard_end(void *block, unsigned class_index);

/* For a slab that is discarded with used blocks: informs the memory tool that they end. */
void slab_guard_discard(Slab *slab);

#endif
