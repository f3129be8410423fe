/*
 * convert.h - stats and options of the core as Python objects, and back.
 *
 * Layer: bindings/python, bottom. Does not know hooks. Thread rule: with the GIL held; no state of its own.
 */
#ifndef HAKMEM_PYTHON_CONVERT_H
#define HAKMEM_PYTHON_CONVERT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* dict, as hakmem._types.Stats says. */
PyObject *convert_stats(void);

/* list of dicts in the table's order, as hakmem._types.OptionInfo says. */
PyObject *convert_options(void);

/* The value of one option: int where its values are numbers, else str. KeyError with the core's text if there is no
 * such option. */
PyObject *convert_option_get(const char *name);

/* 0, or -1 with KeyError (no such option), ValueError (bad value) or RuntimeError (read at start only), each with the
 * core's text. `value` is an int or a str. */
int convert_option_set(const char *name, PyObject *value);

#endif
