/*
 * process.h - tells a process from its parent, also where both have the same number.
 *
 * Layer: bindings/python, bottom. Thread rule: any thread.
 *
 * A child in a new PID namespace may have its parent's number: both are the first process of theirs. And a child that
 * shares its parent's memory (vfork) is no new owner of what lies in it, though its number is another one.
 */
#ifndef HAKMEM_PYTHON_PROCESS_H
#define HAKMEM_PYTHON_PROCESS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

/* Differs from what it was in the parent, by whatever call the child was made. */
uint32_t process_generation(void);

/* The same, for Python. */
PyObject *process_generation_number(PyObject *module, PyObject *unused);

#endif
