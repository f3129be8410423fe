/*
 * quiesce.h - a time in which hakmem has no thread in this process: neither the core's nor the one for `hakmem stats`.
 *
 * Layer: bindings/python, above stats_thread.h. Thread rule: with a GIL held throughout, so that os.fork sees no half
 * of a beginning or an end.
 */
#ifndef HAKMEM_PYTHON_QUIESCE_H
#define HAKMEM_PYTHON_QUIESCE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Both take any arguments, those of __enter__ and __exit__, and nest, in any threads. RuntimeError: a thread could not
 * be stopped, or another version of hakmem serves this process; nothing has begun then. */
PyObject *quiesce_begin(PyObject *module, PyObject *arguments);

/* RuntimeError: there is no begin to it. */
PyObject *quiesce_end(PyObject *module, PyObject *arguments);

/* For os.register_at_fork: ends what threads have begun that the child does not have. */
PyObject *quiesce_after_fork_in_child(PyObject *module, PyObject *unused);

#endif
