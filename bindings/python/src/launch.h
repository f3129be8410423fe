/*
 * launch.h - runs a program in this interpreter the way CPython's own main does.
 *
 * Layer: bindings/python, above frames.h. Does not set sys.argv, sys.path or __main__ (hakmem/cli/run.py does).
 * Thread rule: main thread, with the GIL held.
 */
#ifndef HAKMEM_PYTHON_LAUNCH_H
#define HAKMEM_PYTHON_LAUNCH_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Functions of the module _hakmem. Each answers the exit code, or -SIGINT when KeyboardInterrupt ended the program; an
 * exception of the program has been printed by then. SystemExit ends the process inside. NULL: our own failure. */
PyObject *launch_file(PyObject *module, PyObject *arguments);
PyObject *launch_module(PyObject *module, PyObject *arguments);
PyObject *launch_command(PyObject *module, PyObject *arguments);
PyObject *launch_stdin(PyObject *module, PyObject *arguments);

/* True for a directory or an archive: what `python PATH` would look for __main__ in. */
PyObject *launch_is_importable(PyObject *module, PyObject *path);

/* What the kernel was asked to execute: a script, where its first line named the interpreter. */
PyObject *launch_executed_path(PyObject *module, PyObject *unused);

#endif
