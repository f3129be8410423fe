/*
 * numpy_handler.h - NumPy's data handler (NEP 49): finds that of the process, and serves what it is asked for.
 *
 * Layer: bindings/python, bottom. Needs none of NumPy's headers. Thread rule: with the GIL of the main interpreter, but
 * for numpy_handler_set_mode, which is for any thread with a GIL.
 */
#ifndef HAKMEM_PYTHON_NUMPY_HANDLER_H
#define HAKMEM_PYTHON_NUMPY_HANDLER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <hakmem_core.h>
#include <stdbool.h>

/* True: NumPy's C part is imported, so numpy_handler_find can tell more. */
bool numpy_handler_is_there(void);

enum { NUMPY_REASON_BYTES = 512 };

/* Finds the handler of this NumPy, which is there. False: `reason`, of NUMPY_REASON_BYTES, says why it cannot be
 * served. */
bool numpy_handler_find(char *reason);

/* The next five after it has been found. False: this thread and task have another one; `reason` has its name. */
bool numpy_handler_is_in_force(char *reason);

/* Makes and drops one array's data: for hooks_notice. */
void numpy_handler_request(void *unused);

/* True: its functions are those of this file. */
bool numpy_handler_is_taken(void);

/* Puts the functions of this file into it, for all threads and tasks. False: `reason` is why not. */
bool numpy_handler_take(const hak_core_t *core, char *reason);

/* Where new data come from, once it is taken. HAK_HOOK_PASS: NumPy's own functions. */
void numpy_handler_set_mode(hak_hook_mode_t mode);

#endif
