/*
 * retention/helper_state.c - the helper's state as a child inherits it.
 *
 * Layer: retention. Thread rule: see helper_state.h.
 */
#include "retention/helper_state.h"

Lock helper_lock = {.rank = LOCK_RANK_HELPER};
HelperState helper_state;
_Atomic bool helper_is_being_made;
_Atomic uint32_t helper_stopping;

void helper_state_forget(void) {
    lock_reset(&helper_lock);
    lock_acquire(&helper_lock);
    if (helper_state != HELPER_BROKEN) helper_state = HELPER_ABSENT;
    helper_is_being_made = false;
    atomic_store(&helper_stopping, 0);
    lock_release(&helper_lock);
}
