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

/* Functions of the module _hakmem. Each returns the program's exit code, or -SIGINT after a KeyboardInterrupt; it
 * has printed the program's exception by then. SystemExit ends the process inside the call. NULL: the launcher
 * itself failed, and an exception is set. */
PyObject *launch_file(PyObject *module, PyObject *arguments);
PyObject *launch_module(PyObject *module, PyObject *arguments);
PyObject *launch_command(PyObject *module, PyObject *arguments);
PyObject *launch_stdin(PyObject *module, PyObject *arguments);

/* Ends the process with this exit code as SystemExit does, which python prints instead where it inspects. */
PyObject *launch_end(PyObject *module, PyObject *code);

/* True: `path` is a directory or an archive, in which `python PATH` looks for __main__. */
PyObject *launch_is_importable(PyObject *module, PyObject *path);

/* The path that was passed to exec: of the script, where the kernel found the interpreter in its first line. */
PyObject *launch_executed_path(PyObject *module, PyObject *unused);

#endif
