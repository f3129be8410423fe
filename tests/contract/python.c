/*
 * python.c - CPython as a runtime: a library that a Python script loads with ctypes, and whose `contract` it calls.
 *
 *     contract(COUNT, WORDS)
 *
 * CONTRACT_DOMAIN in the environment is the allocator domain: mem or obj, with the GIL held, or raw, without.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#include "../require.h"
#include "runtime.h"

static struct {
    void *(*make)(size_t bytes);
    void *(*resize)(void *block, size_t bytes);
    void (*drop)(void *block);
} domain;
static bool is_raw;
static _Thread_local bool has_gil; /* between two pauses */
static _Thread_local PyGILState_STATE gil;
static _Thread_local PyThreadState *paused; /* of a thread that has let go of the GIL */

static void choose_domain(const char *name) {
    is_raw = strcmp(name, "raw") == 0;
    bool is_obj = strcmp(name, "obj") == 0;
    domain.make = is_raw ? PyMem_RawMalloc : is_obj ? PyObject_Malloc : PyMem_Malloc;
    domain.resize = is_raw ? PyMem_RawRealloc : is_obj ? PyObject_Realloc : PyMem_Realloc;
    domain.drop = is_raw ? PyMem_RawFree : is_obj ? PyObject_Free : PyMem_Free;
}

/* A foreign hook in the table: the same functions with another context, as tools leave it. */
static void hook_table(void) {
    PyMemAllocatorEx table;
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &table);
    table.ctx = &domain;
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &table);
}

/* The answer of an expression; an error ends the program. */
static bool is_true(const char *expression) {
    PyObject *names = PyModule_GetDict(PyImport_AddModule("__main__"));
    PyObject *answer = PyRun_String(expression, Py_eval_input, names, names);
    if (answer == NULL) PyErr_Print();
    REQUIRE(answer != NULL);
    bool is = answer == Py_True;
    Py_DECREF(answer);
    return is;
}

static void begin(bool is_unsafe) {
    has_gil = true;
    choose_domain(getenv("CONTRACT_DOMAIN"));
    if (is_unsafe) hook_table();
}

static bool enable(void) { return is_true("enable()"); }
static void disable(void) { (void)is_true("hakmem.disable()"); }

/* A child in which another thread was making or ending its state waits for that one (CPython 3.11): so a thread keeps
 * its state as long as it lives. */
static void begin_thread(void) {
    has_gil = !is_raw;
    if (has_gil) gil = PyGILState_Ensure();
}

static void end_thread(void) {
    if (has_gil) PyGILState_Release(gil);
}

static void let_others_go_on(void) {
    if (has_gil) paused = PyEval_SaveThread();
}

static void go_on(void) {
    if (has_gil) PyEval_RestoreThread(paused);
}

static void *make(size_t bytes) { return domain.make(bytes); }
static void *resize(void *block, size_t bytes, size_t new_bytes) {
    (void)bytes;
    return domain.resize(block, new_bytes);
}
static void drop(void *block, size_t bytes) {
    (void)bytes;
    domain.drop(block);
}

static pid_t fork_process(void) {
    PyOS_BeforeFork();
    pid_t child = fork();
    if (child == 0)
        PyOS_AfterFork_Child();
    else
        PyOS_AfterFork_Parent();
    return child;
}

void contract(int count, char **words);

void contract(int count, char **words) {
    static const Runtime runtime = {
        .begin = begin,
        .enable = enable,
        .disable = disable,
        .begin_thread = begin_thread,
        .end_thread = end_thread,
        .pause = let_others_go_on,
        .go_on = go_on,
        .make = make,
        .resize = resize,
        .drop = drop,
        .make_foreign = make,
        .fork_process = fork_process,
        .has_shared_blocks = true,
    };
    contract_run(&runtime, count, words);
}
