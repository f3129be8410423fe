/*
 * events.h - named moments and full runs of the garbage collector: appended to a recorder's file, kept for who asks.
 *
 * Layer: bindings/python, bottom. Knows JSON as far as one line of it; does not know who asks.
 * Thread rule: see each function. In C, because a callback of the collector in Python would swallow a KeyboardInterrupt
 * that arrives in it, complain where the recursion limit is near, and be a frame to whoever traces the program.
 */
#ifndef HAKMEM_PYTHON_EVENTS_H
#define HAKMEM_PYTHON_EVENTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <hakmem_core.h>

/* Functions of the module _hakmem; with a GIL held, or with none in builds without one. */

/* (path: bytes, takes_collections: bool): events go to that file from here on, runs of the collector only if it takes
 * them. Not an error where it cannot be opened: the recorder has ended. */
PyObject *events_open_file(PyObject *module, PyObject *arguments);

/* (totals: tuple of int, three for each generation as gc.get_stats() has them): events are kept, and totals added
 * to. */
PyObject *events_keep(PyObject *module, PyObject *totals);

/* (text: str): the same as JSON, in ASCII. Not the module json, for which there may be no place to import it from. */
PyObject *events_quoted(PyObject *module, PyObject *text);

/* (fragment: str): an event, as the inside of a JSON object; its moment and the process are added. */
PyObject *events_note(PyObject *module, PyObject *fragment);

/* (phase, information): for gc.callbacks. Raises nothing. */
PyObject *events_note_collection(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

/* Any thread, without a GIL: what is kept, as `"gc": [...], "marks": [...]`, in a block of this core's. NULL: no
 * memory. */
char *events_json(const hak_core_t *core);

/* In a forked child, by a handler of fork's: its events are its own. The file goes on. */
void events_begin_anew(void);

#endif
