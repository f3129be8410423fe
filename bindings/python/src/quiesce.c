/*
 * quiesce.c - a time in which hakmem has no thread in this process: neither the core's nor the one for `hakmem stats`.
 *
 * Layer: bindings/python, above stats_thread.h. Thread rule: with a GIL held throughout; there may be several GILs.
 */
#include "quiesce.h"

#include <hakmem_core.h>
#include <stdatomic.h>

#include "stats_thread.h"

static _Atomic long begun_count; /* of quiesce_begin without its end */

/* Of this thread. Below 0 where it ended more than it began: a context manager may be left in another thread. */
static _Thread_local long begun_here_count;

static const hak_core_t *core_or_error(void) {
    char message[HAK_CORE_MESSAGE_BYTES];
    const hak_core_t *core = hak_core(message, sizeof message);
    if (core == NULL) PyErr_SetString(PyExc_RuntimeError, message);
    return core;
}

PyObject *quiesce_begin(PyObject *module, PyObject *arguments) {
    (void)module, (void)arguments;
    const hak_core_t *core = core_or_error();
    if (core == NULL) return NULL;
    if (!stats_thread_pause()) {
        PyErr_SetString(PyExc_RuntimeError,
                        "the thread that answers 'hakmem stats' did not end: the user has too many pending signals "
                        "(RLIMIT_SIGPENDING), or the machine is too busy; try again, or do it without "
                        "HAKMEM_STATS_SOCKET");
        return NULL;
    }
    core->quiesce_begin();
    atomic_fetch_add(&begun_count, 1);
    begun_here_count++;
    Py_RETURN_NONE;
}

static void end(const hak_core_t *core) {
    (void)core->quiesce_end();
    stats_thread_resume();
}

static bool claim_end(void) {
    long count = atomic_load(&begun_count);
    while (count > 0)
        if (atomic_compare_exchange_weak(&begun_count, &count, count - 1)) return true;
    return false;
}

PyObject *quiesce_end(PyObject *module, PyObject *arguments) {
    (void)module, (void)arguments;
    const hak_core_t *core = core_or_error();
    if (core == NULL) return NULL;
    if (!claim_end()) {
        PyErr_SetString(PyExc_RuntimeError, "this end of hakmem.quiesce() has no beginning");
        return NULL;
    }
    begun_here_count--;
    end(core);
    Py_RETURN_NONE;
}

PyObject *quiesce_after_fork_in_child(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    const hak_core_t *core = hak_core(NULL, 0);
    long of_others = atomic_load(&begun_count) - (begun_here_count > 0 ? begun_here_count : 0);
    for (; core != NULL && of_others > 0 && claim_end(); of_others--) end(core);
    Py_RETURN_NONE;
}
