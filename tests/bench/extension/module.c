/*
 * module.c - the extension module _hakmem_bench: hot loops, a hook that only forwards, a recorder of requests.
 *
 * Built by the benchmarks with the headers of the interpreter that they measure; not part of the package.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "pass_through.h"
#include "patterns.h"
#include "recorder.h"

static PyObject *module_patterns(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    PyObject *names = PyList_New(0);
    for (size_t index = 0; names != NULL && patterns_name(index) != NULL; index++) {
        PyObject *name = PyUnicode_FromString(patterns_name(index));
        if (name == NULL || PyList_Append(names, name) != 0) Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

/* run_pattern(index, batches, pairs_min) -> (pairs per batch, [ns per pair of each batch]) */
static PyObject *module_run_pattern(PyObject *module, PyObject *arguments) {
    Py_ssize_t index, batches, pairs_min;
    double ns_per_pair[64];
    (void)module;
    if (!PyArg_ParseTuple(arguments, "nnn:run_pattern", &index, &batches, &pairs_min)) return NULL;
    if (index < 0 || patterns_name((size_t)index) == NULL || batches < 1 || batches > 64 || pairs_min < 1)
        return PyErr_Format(PyExc_ValueError, "no such pattern, or not 1 to 64 batches of at least one pair");
    if (patterns_run((size_t)index, (size_t)batches, (size_t)pairs_min, ns_per_pair) != 0) return PyErr_NoMemory();
    PyObject *times = PyList_New(batches);
    for (Py_ssize_t i = 0; times != NULL && i < batches; i++) {
        PyObject *time = PyFloat_FromDouble(ns_per_pair[i]);
        if (time == NULL)
            Py_CLEAR(times);
        else
            PyList_SET_ITEM(times, i, time);
    }
    if (times == NULL) return NULL;
    return Py_BuildValue("nN", (Py_ssize_t)patterns_pairs_per_batch((size_t)index, (size_t)pairs_min), times);
}

static PyObject *module_install_pass_through(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    pass_through_install();
    Py_RETURN_NONE;
}

static PyObject *module_record_start(PyObject *module, PyObject *arguments) {
    const char *path;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "s:record_start", &path)) return NULL;
    if (recorder_start(path) != 0) return PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
    Py_RETURN_NONE;
}

static PyObject *module_record_mark(PyObject *module, PyObject *arguments) {
    const char *text;
    Py_ssize_t length;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "s#:record_mark", &text, &length)) return NULL;
    recorder_mark(text, (size_t)length);
    Py_RETURN_NONE;
}

static PyObject *module_record_stop(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    long long events = recorder_stop();
    if (events < 0) return PyErr_SetFromErrno(PyExc_OSError);
    return PyLong_FromLongLong(events);
}

static PyMethodDef module_methods[] = {
    {"patterns", module_patterns, METH_NOARGS, NULL},
    {"run_pattern", module_run_pattern, METH_VARARGS, NULL},
    {"install_pass_through", module_install_pass_through, METH_NOARGS, NULL},
    {"record_start", module_record_start, METH_VARARGS, NULL},
    {"record_mark", module_record_mark, METH_VARARGS, NULL},
    {"record_stop", module_record_stop, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_hakmem_bench",
    .m_size = -1,
    .m_methods = module_methods,
};

PyMODINIT_FUNC PyInit__hakmem_bench(void);
PyMODINIT_FUNC PyInit__hakmem_bench(void) { return PyModule_Create(&module_definition); }
