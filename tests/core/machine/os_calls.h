/*
 * machine/os_calls.h - what the rest of the machine asks of the core's calls.
 */
#ifndef MACHINE_OS_CALLS_H
#define MACHINE_OS_CALLS_H

#include "machine/machine.h"

void os_calls_reset(const MachineStart *start);
uint64_t os_calls_start_ms(void);

/* Runs the hook for the end of the current thread. False: it is not armed. */
bool os_calls_take_exit_hook(void);

void os_calls_before_fork(void);
void os_calls_after_fork(bool is_child);
void os_calls_after_clone(void);

#endif
