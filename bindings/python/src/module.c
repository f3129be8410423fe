/*
 * module.c - the extension module hakmem._hakmem: functions that the package hakmem wraps.
 *
 * Layer: bindings/python, top. The functions of hakmem_control.h come from swig/hakmem.i. Each interpreter has a
 * module object of its own and all share the hooks, so no Python object lies in static storage. Thread rule: with
 * the GIL held, also during hak_trim: other threads would refill meanwhile the caches that it flushes.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "arrays.h"
#include "detect.h"
#include "events.h"
#include "hooks.h"
#include "launch.h"
#include "process.h"
#include "quiesce.h"
#include "stats_thread.h"

#include <hakmem_core.h>
#include <pthread.h>

/* In the wrappers that SWIG generates. It returns a module definition, of which only the functions are used: the
 * module would share SWIG's run-time data among interpreters with a GIL of their own. */
PyMODINIT_FUNC PyInit__hakmem_control(void);

static PyObject *reason_or_none(const char *reason) {
    if (reason == NULL) Py_RETURN_NONE;
    return PyUnicode_FromString(reason);
}

static PyObject *module_enable(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return reason_or_none(hooks_enable());
}

static PyObject *module_disable(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    hooks_disable();
    (void)arrays_settle();
    Py_RETURN_NONE;
}

static PyObject *module_is_enabled(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyBool_FromLong(hooks_are_enabled());
}

static PyObject *module_obstacle(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return reason_or_none(hooks_obstacle());
}

static PyObject *module_allocator_name(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return reason_or_none(hooks_are_in_place() ? "hakmem" : detect_allocator_name());
}

static PyObject *module_is_main_interpreter(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyBool_FromLong(PyInterpreterState_Get() == PyInterpreterState_Main());
}

static PyObject *module_malloc_is_served(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyBool_FromLong(detect_malloc_is_served());
}

static PyObject *module_library_is_loaded(PyObject *module, PyObject *path) {
    PyObject *encoded_path;
    (void)module;
    if (PyUnicode_FSConverter(path, &encoded_path) == 0) return NULL;
    bool is_loaded = detect_library_is_loaded(PyBytes_AS_STRING(encoded_path));
    Py_DECREF(encoded_path);
    return PyBool_FromLong(is_loaded);
}

static PyObject *module_check(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    char message[HAK_CORE_MESSAGE_BYTES];
    const hak_core_t *core = hak_core(message, sizeof message);
    if (core != NULL) return PyLong_FromSize_t(core->check());
    PyErr_SetString(PyExc_RuntimeError, message);
    return NULL;
}

static PyObject *module_notice_options(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    hooks_notice_options();
    Py_RETURN_NONE;
}

static PyObject *module_settle_arrays(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return reason_or_none(arrays_settle());
}

static PyObject *module_arrays_state(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return Py_BuildValue("sz", arrays_way(), arrays_refusal());
}

static PyObject *module_note_collection(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    stats_thread_start_if_due();
    return events_note_collection(module, arguments, count);
}

/* hakmem/_hakmem.pyi has their signatures and meaning. */
static PyMethodDef module_methods[] = {
    {"enable", module_enable, METH_NOARGS, NULL},
    {"disable", module_disable, METH_NOARGS, NULL},
    {"is_enabled", module_is_enabled, METH_NOARGS, NULL},
    {"obstacle", module_obstacle, METH_NOARGS, NULL},
    {"allocator_name", module_allocator_name, METH_NOARGS, NULL},
    {"is_main_interpreter", module_is_main_interpreter, METH_NOARGS, NULL},
    {"malloc_is_served", module_malloc_is_served, METH_NOARGS, NULL},
    {"library_is_loaded", module_library_is_loaded, METH_O, NULL},
    {"check", module_check, METH_NOARGS, NULL},
    {"notice_options", module_notice_options, METH_NOARGS, NULL},
    {"settle_arrays", module_settle_arrays, METH_NOARGS, NULL},
    {"arrays_state", module_arrays_state, METH_NOARGS, NULL},
    {"find_numpy", (PyCFunction)(void (*)(void))arrays_find_spec, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"run_file", launch_file, METH_VARARGS, NULL},
    {"run_module", launch_module, METH_VARARGS, NULL},
    {"run_command", launch_command, METH_VARARGS, NULL},
    {"run_stdin", launch_stdin, METH_NOARGS, NULL},
    {"end", launch_end, METH_O, NULL},
    {"is_importable", launch_is_importable, METH_O, NULL},
    {"executed_path", launch_executed_path, METH_NOARGS, NULL},
    {"process_generation", process_generation_number, METH_NOARGS, NULL},
    {"open_events_file", events_open_file, METH_VARARGS, NULL},
    {"keep_events", events_keep, METH_O, NULL},
    {"quoted", events_quoted, METH_O, NULL},
    {"note_event", events_note, METH_O, NULL},
    {"note_collection", (PyCFunction)(void (*)(void))module_note_collection, METH_FASTCALL, NULL},
    {"serve_stats", stats_thread_serve, METH_VARARGS, NULL},
    {"before_fork", stats_thread_before_fork, METH_NOARGS, NULL},
    {"after_fork_in_parent", stats_thread_after_fork_in_parent, METH_NOARGS, NULL},
    {"after_fork_in_child", stats_thread_after_fork_in_child, METH_NOARGS, NULL},
    {"quiesce_begin", quiesce_begin, METH_VARARGS, NULL},
    {"quiesce_end", quiesce_end, METH_VARARGS, NULL},
    {"quiesce_after_fork_in_child", quiesce_after_fork_in_child, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static void begin_anew_in_child(void) {
    hooks_after_fork();
    events_begin_anew();
    stats_thread_begin_anew();
}

static void set_fork_handlers(void) {
    events_begin_anew();
    (void)pthread_atfork(hooks_before_fork, hooks_after_fork, begin_anew_in_child);
}

static int module_exec(PyObject *module) {
    static pthread_once_t handlers_are_set = PTHREAD_ONCE_INIT; /* by the first interpreter, for all */
    (void)pthread_once(&handlers_are_set, set_fork_handlers);
    PyModuleDef *control = (PyModuleDef *)PyInit__hakmem_control();
    if (control == NULL || PyModule_AddFunctions(module, control->m_methods) != 0) return -1;
    hooks_notice_new_interpreter();
    return PyModule_AddStringConstant(module, "version", hak_version());
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void *)module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    /* A free-threaded build refuses the hooks (detect.c), so the module need not switch the GIL on. */
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_hakmem",
    .m_doc = "The C side of hakmem; use the package hakmem.",
    .m_size = 0,
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__hakmem(void) { return PyModuleDef_Init(&module_definition); }
