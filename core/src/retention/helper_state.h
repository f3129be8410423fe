/*
 * retention/helper_state.h - the helper's state as a child inherits it. helper.c changes it otherwise, and says which
 * states follow which.
 *
 * Layer: retention. Thread rule: under helper_lock, but for helper_stopping; helper_is_being_made may be read
 * without it.
 */
#ifndef HAK_RETENTION_HELPER_STATE_H
#define HAK_RETENTION_HELPER_STATE_H

#include "platform/lock.h"

typedef enum HelperState {
    HELPER_ABSENT,
    HELPER_RUNNING,
    HELPER_FINISHED,
    HELPER_FUTILE,
    HELPER_FORBIDDEN,
    HELPER_BROKEN
} HelperState;

extern Lock helper_lock;
extern HelperState helper_state;
extern _Atomic bool helper_is_being_made; /* a thread is making the helper, without the lock */
extern _Atomic uint32_t helper_stopping;  /* the helper is to end */

/* In a child that has no helper. Its parent's lock may be held by a thread that the child does not have. */
void helper_state_forget(void);

#endif
