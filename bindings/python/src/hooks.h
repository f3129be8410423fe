/*
 * hooks.h - our functions in CPython's allocator table, and the switch that turns them on and off.
 *
 * Layer: bindings/python, above serve.h and detect.h. Does not raise Python exceptions.
 * Thread rule: hooks_enable and hooks_disable with a GIL held, from any interpreter; the state is the process's.
 */
#ifndef HAKMEM_PYTHON_HOOKS_H
#define HAKMEM_PYTHON_HOOKS_H

#include <stdbool.h>

/* Puts the hooks in place where they are not, then lets new blocks be ours. NULL when the swap is in force; otherwise
 * the reason, one line, and nothing has changed. */
const char *hooks_enable(void);

/* New requests go to the previous allocator. The hooks stay: frees are routed to the end of the process. */
void hooks_disable(void);

bool hooks_are_enabled(void);

/* CPython calls our functions first: enabled or not, and no other tool lies on top. */
bool hooks_are_in_place(void);

/* To be called after an option was set: `counters` decides whether served bytes are added up. */
void hooks_notice_options(void);

/* To be called when an interpreter imports the module: from 3.12 a second Py_Initialize starts with a fresh table, in
 * which nothing of ours is in force any more. */
void hooks_notice_new_interpreter(void);

/* What hooks_enable would answer, without doing it. */
const char *hooks_obstacle(void);

#endif
