/*
 * mixing.c - an extension module that frees and resizes memory by other functions than those that made it, as some
 * extensions do: above 512 bytes stock CPython takes it.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef struct Family {
    const char *name;
    void *(*make)(size_t size_bytes);
    void *(*resize)(void *block, size_t size_bytes);
    void (*drop)(void *block);
} Family;

static const Family families[] = {
    {"mem", PyMem_Malloc, PyMem_Realloc, PyMem_Free},
    {"obj", PyObject_Malloc, PyObject_Realloc, PyObject_Free},
    {"raw", PyMem_RawMalloc, PyMem_RawRealloc, PyMem_RawFree},
    {"libc", malloc, realloc, free},
};

static const Family *family_of(const char *name) {
    for (size_t index = 0; index < sizeof families / sizeof *families; index++)
        if (strcmp(families[index].name, name) == 0) return &families[index];
    PyErr_SetString(PyExc_LookupError, name);
    return NULL;
}

static void fill(unsigned char *block, size_t bytes) {
    for (size_t offset = 0; offset < bytes; offset++) block[offset] = (unsigned char)(offset % 251);
}

static int is_filled(const unsigned char *block, size_t bytes) {
    for (size_t offset = 0; offset < bytes; offset++)
        if (block[offset] != (unsigned char)(offset % 251)) return 0;
    return 1;
}

/* False: out of memory, or the contents were lost. */
static int drop(const Family *maker, const Family *other, size_t bytes) {
    unsigned char *block = maker->make(bytes);
    if (block == NULL) return 0;
    fill(block, bytes);
    other->drop(block);
    return 1;
}

static int resize(const Family *maker, const Family *other, size_t bytes, size_t new_bytes) {
    unsigned char *block = maker->make(bytes);
    if (block == NULL) return 0;
    fill(block, bytes);
    unsigned char *resized = other->resize(block, new_bytes);
    int is_right = resized != NULL && is_filled(resized, bytes < new_bytes ? bytes : new_bytes);
    if (resized != NULL) other->drop(resized);
    return is_right;
}

/* (maker, other, bytes, new_bytes): `maker` makes, `other` frees, or resizes and frees where new_bytes is not 0. */
static PyObject *mix(PyObject *module, PyObject *arguments) {
    const char *maker_name, *other_name;
    Py_ssize_t bytes, new_bytes;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "ssnn", &maker_name, &other_name, &bytes, &new_bytes)) return NULL;
    const Family *maker = family_of(maker_name), *other = family_of(other_name);
    if (maker == NULL || other == NULL) return NULL;
    return PyBool_FromLong(new_bytes == 0 ? drop(maker, other, (size_t)bytes)
                                          : resize(maker, other, (size_t)bytes, (size_t)new_bytes));
}

/* ---- Raw functions without the GIL ---- */

enum { HELD = 1000, THREADS = 4 };

typedef struct Job {
    void *blocks[HELD]; /* of the mem domain; every second one is dropped in a thread */
    int failures;
} Job;

static void *drop_in_a_thread(void *context) {
    Job *job = context;
    for (size_t number = 0; number < HELD; number += 2) {
        unsigned char *grown = PyMem_RawRealloc(job->blocks[number], 3000 + number);
        if (grown == NULL || !is_filled(grown, 1000)) job->failures++;
        PyMem_RawFree(grown);
        void *raw = PyMem_RawMalloc(number);
        PyMem_RawFree(PyMem_RawRealloc(raw, number * 2 + 1));
        PyMem_RawFree(PyMem_RawCalloc(1, number));
    }
    return NULL;
}

/* Returns the number of blocks whose contents were lost. */
static PyObject *mix_in_threads(PyObject *module, PyObject *unused) {
    static Job jobs[THREADS];
    pthread_t threads[THREADS];
    int failures = 0;
    (void)module, (void)unused;
    for (size_t thread = 0; thread < THREADS; thread++)
        for (size_t number = 0; number < HELD; number++) {
            jobs[thread].blocks[number] = PyMem_Malloc(1000);
            fill(jobs[thread].blocks[number], 1000);
        }
    for (size_t thread = 0; thread < THREADS; thread++)
        if (pthread_create(&threads[thread], NULL, drop_in_a_thread, &jobs[thread]) != 0) return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS for (size_t thread = 0; thread < THREADS; thread++)(void)
        pthread_join(threads[thread], NULL);
    Py_END_ALLOW_THREADS for (size_t thread = 0; thread < THREADS; thread++) {
        failures += jobs[thread].failures;
        for (size_t number = 1; number < HELD; number += 2) PyMem_Free(jobs[thread].blocks[number]);
    }
    return PyLong_FromLong(failures);
}

/* ---- A thread that never stops, while the program enables hakmem or forks ---- */

static _Atomic int is_to_stop;
static void *_Atomic handed_over; /* a block of the mem domain, which the thread drops */
static pthread_t busy_thread;

static void *be_busy(void *unused) {
    while (!is_to_stop) {
        PyMem_RawFree(PyMem_RawRealloc(PyMem_RawMalloc(100), 2000));
        void *block = atomic_exchange(&handed_over, NULL);
        if (block != NULL) PyMem_RawFree(PyMem_RawRealloc(block, 5000));
    }
    return unused;
}

static PyObject *busy_begin(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromLong(pthread_create(&busy_thread, NULL, be_busy, NULL));
}

static PyObject *busy_hand_over(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    PyMem_RawFree(atomic_exchange(&handed_over, PyMem_Malloc(1000)));
    Py_RETURN_NONE;
}

static PyObject *busy_end(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    is_to_stop = 1;
    Py_BEGIN_ALLOW_THREADS(void) pthread_join(busy_thread, NULL);
    Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

/* ---- After the interpreter ---- */

static void *kept[2];

static void drop_kept(void) {
    unsigned char *grown = PyMem_RawRealloc(kept[0], 5000);
    int is_right = grown != NULL && is_filled(grown, 1000);
    PyMem_RawFree(grown);
    PyMem_RawFree(kept[1]);
    if (!is_right) _Exit(3);
}

/* The C library calls drop_kept after Py_FinalizeEx. */
static PyObject *keep_to_the_end(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    for (size_t index = 0; index < 2; index++) {
        kept[index] = PyMem_Malloc(1000);
        fill(kept[index], 1000);
    }
    return PyLong_FromLong(atexit(drop_kept));
}

/* ---- Pairs of raw calls, to be counted from outside ---- */

static PyObject *make_and_free_raw(PyObject *module, PyObject *rounds) {
    (void)module;
    long count = PyLong_AsLong(rounds);
    for (long round = 0; round < count; round++) PyMem_RawFree(PyMem_RawRealloc(PyMem_RawMalloc(100), 200));
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"mix", mix, METH_VARARGS, NULL},
    {"mix_in_threads", mix_in_threads, METH_NOARGS, NULL},
    {"busy_begin", busy_begin, METH_NOARGS, NULL},
    {"busy_hand_over", busy_hand_over, METH_NOARGS, NULL},
    {"busy_end", busy_end, METH_NOARGS, NULL},
    {"keep_to_the_end", keep_to_the_end, METH_NOARGS, NULL},
    {"make_and_free_raw", make_and_free_raw, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "mixing", .m_size = 0, .m_methods = methods,
                                        .m_slots = slots};

PyMODINIT_FUNC PyInit_mixing(void) { return PyModuleDef_Init(&definition); }
