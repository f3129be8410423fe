/*
 * interpreter_start.c - see interpreter_start.h.
 *
 * Layer: bindings/libc, above message.h. Thread rule: the main thread, with the GIL held, until the program begins.
 *
 * The socket and the table at the end are Python's (hakmem/startup.py), and nobody imports the package in an
 * interpreter that executes itself again. CPython names the moment at which its program begins to audit hooks. One that
 * is added before there is an interpreter would be freed by Python's debug hooks, which did not make it. So the hook
 * for objects, which those and PYTHONMALLOC replace, adds it as soon as the interpreter is initialized, and is gone.
 */
#include "interpreter_start.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { PYTHON_OBJ = 2 };
extern int Py_IsInitialized(void) __attribute__((weak));
extern int PySys_AddAuditHook(int (*hook)(const char *, void *, void *), void *context) __attribute__((weak));
extern void PyMem_GetAllocator(int domain, hak_hook_t *allocator) __attribute__((weak));
extern void PyMem_SetAllocator(int domain, hak_hook_t *allocator) __attribute__((weak));
extern void *PyImport_ImportModule(const char *name) __attribute__((weak));
extern void *PyObject_CallMethod(void *object, const char *name, const char *format, ...) __attribute__((weak));
extern void Py_DecRef(void *object) __attribute__((weak)); /* NULL is none */
extern int PyErr_ExceptionMatches(void *kind) __attribute__((weak));
extern void PyErr_Clear(void) __attribute__((weak));
extern void *PyExc_Exception __attribute__((weak));

static hak_hook_t hook; /* for objects, as it stays */

/* Another environment of this interpreter may lack the package: its program runs all the same. KeyboardInterrupt is the
 * program's. */
static int start_package(void) {
    void *module = PyImport_ImportModule("hakmem.startup");
    void *result = module == NULL ? NULL : PyObject_CallMethod(module, "start_for_stats", NULL);
    bool is_left = result == NULL && !PyErr_ExceptionMatches(PyExc_Exception);
    if (result == NULL && !is_left) PyErr_Clear();
    Py_DecRef(result);
    Py_DecRef(module);
    return is_left ? -1 : 0;
}

/* cpython.run_command and its siblings: the interpreter is complete, startup files have run, the program has not. */
static int hear(const char *event, void *arguments, void *unused) {
    static bool has_begun;
    (void)arguments, (void)unused;
    if (has_begun || strncmp(event, "cpython.run_", strlen("cpython.run_")) != 0) return 0;
    has_begun = true;
    return start_package();
}

/* Where tracemalloc lies on top, the table stays as it is. */
static void *malloc_until_initialized(void *context, size_t bytes) {
    static bool is_initialized;
    hak_hook_t found;
    if (!is_initialized && Py_IsInitialized()) {
        is_initialized = true;
        PyMem_GetAllocator(PYTHON_OBJ, &found);
        if (found.malloc == malloc_until_initialized) {
            PyMem_SetAllocator(PYTHON_OBJ, &hook);
            (void)PySys_AddAuditHook(hear, NULL);
        }
    }
    return hook.malloc(context, bytes);
}

static bool is_on(const char *option) {
    char value[64];
    return hak_published()->option_get(option, value, sizeof value) == 0 && strcmp(value, "1") == 0;
}

void interpreter_start_watch(hak_hook_t *objects) {
    if (PySys_AddAuditHook == NULL || !(is_on("stats_socket") || is_on("stats_at_exit"))) return;
    hook = *objects;
    objects->malloc = malloc_until_initialized;
}
