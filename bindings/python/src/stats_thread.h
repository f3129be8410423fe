/*
 * stats_thread.h - the thread that answers `hakmem stats`: its life, and how it steps aside for a fork and a pause.
 *
 * Layer: bindings/python, above stats_socket.h. Thread rule: functions of the module with a GIL held, the pause without
 * one as well.
 *
 * A thread of the C library's, of which Python knows nothing: not `threading`, which awaits it at the end and forgets
 * it after a fork, not what replaces `threading` (gevent, eventlet), not what traces or stops all threads. It never
 * has a GIL, touches no Python object, blocks all signals, and ends with the process, wherever it is, or with
 * the main thread where that leaves by pthread_exit.
 */
#ifndef HAKMEM_PYTHON_STATS_THREAD_H
#define HAKMEM_PYTHON_STATS_THREAD_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

/* (prefix: str, identity: str): serves from here on; again: nothing. Raises OSError, whose filename is what failed. */
PyObject *stats_thread_serve(PyObject *module, PyObject *arguments);

/* For os.register_at_fork. None of them waits for longer than a second, or fails. */
PyObject *stats_thread_before_fork(PyObject *module, PyObject *unused);
PyObject *stats_thread_after_fork_in_parent(PyObject *module, PyObject *unused);
PyObject *stats_thread_after_fork_in_child(PyObject *module, PyObject *unused);

/* In a forked child, by a handler of fork's: there is no thread. It is not started here: the child may be about to
 * exec. */
void stats_thread_begin_anew(void);

/* With a GIL held, now and then: starts it in a child of a host that forks in C and calls no hook of Python's, and
 * where it could not start before. */
void stats_thread_start_if_due(void);

/* From a pause to its resume there is no such thread, and none starts; they nest. False: it did not end within a
 * second; nothing has changed then, and no resume is due. */
bool stats_thread_pause(void);
void stats_thread_resume(void);

#endif
