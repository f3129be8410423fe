/*
 * machine/core_state.h - all variables of the core, saved and put back: a core as it was before its first request
 * costs a copy instead of a process.
 */
#ifndef MACHINE_CORE_STATE_H
#define MACHINE_CORE_STATE_H

/* A copy of all variables, for core_state_load. Lives as long as the process. */
typedef struct CoreState CoreState;
CoreState *core_state_save(void);

/* No fiber runs, and the memory that the core has mapped since is gone. */
void core_state_load(const CoreState *state);

#endif
