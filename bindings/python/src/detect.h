/*
 * detect.h - may CPython's allocators be swapped in this process, now?
 *
 * Layer: bindings/python, bottom. Changes nothing. Thread rule: with the GIL held.
 */
#ifndef HAKMEM_PYTHON_DETECT_H
#define HAKMEM_PYTHON_DETECT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

/* NULL, or in one line why a first installation would be unsafe. */
const char *detect_obstacle(void);

/* The allocators in CPython's table are ones that CPython brought itself (with or without its debug layer). */
bool detect_table_is_stock(void);

/* "pymalloc", "malloc_debug", ...; NULL when something else lies in the table, or when this Python cannot say. */
const char *detect_allocator_name(void);

#endif
