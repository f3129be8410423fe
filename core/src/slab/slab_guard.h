/*
 * slab/slab_guard.h - debug level 2: canaries behind blocks and poison in free ones.
 *
 * Layer: slab. Does not guard large blocks; knows no heap and no lock. Thread rule: any thread, for a block that it has just
 * taken or is about to return, so that nobody else touches its bytes.
 */
#ifndef HAK_SLAB_SLAB_GUARD_H
#define HAK_SLAB_SLAB_GUARD_H

#include "base/types.h"
#include "platform/option.h"

/* No block is ever cached then (size_class_initialize). */
HAK_INLINE bool slab_is_guarded(void) { return option_value(OPTION_DEBUG) == OPTION_DEBUG_GUARD; }

/* Poisons the backed OS pages of a slab whose blocks are all free. For the owner of the slab's lock. */
void slab_guard_poison(Slab *slab);

/* A free block was taken: reports a write to it since it was freed. Sets its canary. */
void slab_guard_begin(void *block, unsigned class_index);

/* A used block is about to be returned: reports a damaged canary, and poisons the block. */
void slab_guard_end(void *block, unsigned class_index);

/* The slab goes together with the blocks that live in it. */
void slab_guard_discard(Slab *slab);

#endif
