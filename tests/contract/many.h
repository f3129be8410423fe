/*
 * many.h - the scenarios that do the same many times: in threads, in children, and with a system call failing.
 */
#ifndef CONTRACT_MANY_H
#define CONTRACT_MANY_H

#include "runtime.h"

void many_threads(const Runtime *runtime);
void many_forks(const Runtime *runtime);

/* Each call for memory that the work makes fails once, alone, with two behind it, and with all behind it: each time in
 * a child. Needs faults/os_faults.c preloaded. */
void many_faults(const Runtime *runtime);

#endif
