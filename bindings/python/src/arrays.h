/*
 * arrays.h - whether NumPy's array data are served, and by which of the ways that its versions have.
 *
 * Layer: bindings/python, above hooks.h and numpy_handler.h. Thread rule: with a GIL, but for arrays_way.
 */
#ifndef HAKMEM_PYTHON_ARRAYS_H
#define HAKMEM_PYTHON_ARRAYS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Looks at the option `arrays`, at the hooks and at NumPy, and serves its data, or no longer. In another interpreter
 * than the main one only what follows the hooks. NULL: served, or not to be. Else the reason why not, in one line. */
const char *arrays_settle(void);

/* "raw": CPython's raw domain; "handler": NumPy's data handler; "malloc": malloc is served as a whole; "awaited":
 * NumPy is not imported yet; "off"; "refused". Any thread. */
const char *arrays_way(void);

/* NULL, or why it is "refused". */
const char *arrays_refusal(void);

/* For sys.meta_path, functions of the module _hakmem. find_spec as of a finder, which finds nothing: NumPy looks for
 * further parts of itself once its C part is imported. */
PyObject *arrays_find_spec(PyObject *module, PyObject *const *arguments, Py_ssize_t count, PyObject *names);

#endif
