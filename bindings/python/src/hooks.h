/*
 * hooks.h - the core's functions in CPython's allocator table, and the switch that turns them on and off.
 *
 * Layer: bindings/python, above detect.h. Does not raise Python exceptions.
 * Thread rule: hooks_enable and hooks_disable with a GIL held, from any interpreter; the state is the process's.
 */
#ifndef HAKMEM_PYTHON_HOOKS_H
#define HAKMEM_PYTHON_HOOKS_H

#include <hakmem_core.h>
#include <stdbool.h>

/* Installs the hooks unless they are in place, and serves new requests. NULL: enabled. Else the reason why not, in
 * one line, and nothing is served that was not before. */
const char *hooks_enable(void);

/* Passes new requests to the previous allocator. The hooks stay: until the process ends they route frees and
 * reallocs of blocks that hakmem served. */
void hooks_disable(void);

bool hooks_are_enabled(void);

/* Where new blocks come from. */
hak_hook_mode_t hooks_mode(void);

/* Serves CPython's raw domain although the option `domains` leaves it out, or no longer. False: nothing has changed,
 * because another tool has hooked that domain since. */
bool hooks_serve_raw(bool is_wanted);

/* True: a malloc of `request` comes to a hook of a served domain. It neither forks nor releases a GIL. */
bool hooks_notice(void (*request)(void *argument), void *argument);

/* True: CPython calls the hooks directly, enabled or not, and no other tool has been installed on top. */
bool hooks_are_in_place(void);

/* Call it after an option was set: `counters` decides whether the hooks count served bytes. */
void hooks_notice_options(void);

/* Call it when an interpreter imports the module. From 3.12 on a second Py_Initialize resets CPython's allocator
 * table: the hooks then count as disabled. */
void hooks_notice_new_interpreter(void);

/* NULL, or the reason for which hooks_enable would refuse to install the hooks; installs nothing. */
const char *hooks_obstacle(void);

/* For handlers of fork, the second in both processes: a child must not inherit a change that another thread had
 * begun. */
void hooks_before_fork(void);
void hooks_after_fork(void);

#endif
