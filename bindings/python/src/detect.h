/*
 * detect.h - may CPython's allocators be swapped in this process, now? Is malloc hakmem's?
 *
 * Layer: bindings/python, bottom. Changes nothing. Thread rule: with the GIL held.
 */
#ifndef HAKMEM_PYTHON_DETECT_H
#define HAKMEM_PYTHON_DETECT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

/* NULL: the hooks may be installed now. Else the reason why not, in one line: a constant string. */
const char *detect_obstacle(void);

/* True: all of CPython's allocators are its own, with or without its debug hooks. False also where this Python cannot
 * say. */
bool detect_table_is_stock(void);

/* The name that CPython gives its present allocators ("pymalloc", "malloc_debug", ...). NULL: one of them is another
 * tool's, or this Python has no name for them. */
const char *detect_allocator_name(void);

/* True: the C library's malloc is the serving core's, by the preloaded library. */
bool detect_malloc_is_served(void);

/* True: the loader has this file among what it has loaded. */
bool detect_library_is_loaded(const char *path);

#endif
