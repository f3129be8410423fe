/*
 * detect.c - finds the reasons that make a swap of CPython's allocators unsafe, and who serves malloc.
 *
 * Layer: bindings/python, bottom. Changes nothing. Thread rule: with the GIL held.
 */
#include "detect.h"

#include <dlfcn.h>
#include <hakmem_core.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Private functions of CPython. Weak: a version without them can still load this module. */
extern const char *_PyMem_GetCurrentAllocatorName(void) __attribute__((weak));
extern void _Py_DecRefShared(PyObject *object) __attribute__((weak)); /* exists in free-threaded builds only */

static bool build_is_free_threaded(void) {
#ifdef Py_GIL_DISABLED
    return true;
#else
    return _Py_DecRefShared != NULL;
#endif
}

/* PyTraceMalloc_Untrack returns -2 while tracemalloc is off. The unused domain has no trace that it could remove. */
static bool tracemalloc_is_tracing(void) {
    const unsigned int unused_domain = 0x68616b6du;
    return PyTraceMalloc_Untrack(unused_domain, 0) != -2;
}

/* A core that serves malloc is in the global scope, and has started. To find another one would start it, and warn of
 * wrong options: in the first process of `hakmem run --all`, of which the second one warns. */
static bool no_core_serves_malloc(void) {
    void *global = dlopen(NULL, RTLD_LAZY);
    void *symbol = global == NULL ? NULL : dlsym(global, "hak_published");
    const hak_core_t *(*published)(void) = (const hak_core_t *(*)(void))(uintptr_t)symbol;
    bool is_none = published == NULL || published()->is_started() == 0;
    if (global != NULL) dlclose(global);
    return is_none;
}

/* The call is by a pointer: a compiler may take malloc and free together away. */
bool detect_malloc_is_served(void) {
    if (no_core_serves_malloc()) return false;
    void *(*volatile allocate)(size_t) = malloc;
    const hak_core_t *core = hak_core(NULL, 0);
    void *block = allocate(1);
    bool is_served = block != NULL && core != NULL && core->owns(block) != 0;
    free(block);
    return is_served;
}

bool detect_library_is_loaded(const char *path) {
    void *library = dlopen(path, RTLD_NOLOAD | RTLD_LAZY);
    if (library != NULL) dlclose(library);
    return library != NULL;
}

const char *detect_allocator_name(void) {
    return _PyMem_GetCurrentAllocatorName == NULL ? NULL : _PyMem_GetCurrentAllocatorName();
}

bool detect_table_is_stock(void) { return detect_allocator_name() != NULL; }

const char *detect_obstacle(void) {
    if (build_is_free_threaded())
        return "a free-threaded build finds its objects through its own allocator, garbage collection would stop "
               "working; use a build with the GIL";
    /* When tracemalloc stops it restores the allocators that it found when it started; freeing a block of hakmem's
     * with those would crash. Started after hakmem it calls our hooks, and restores them. */
    if (tracemalloc_is_tracing()) return "tracemalloc is already tracing; start it after hakmem.enable()";
    if (_PyMem_GetCurrentAllocatorName == NULL)
        return "this Python does not tell which allocator is in place; hakmem needs CPython 3.10 to 3.15";
    if (!detect_table_is_stock())
        return "another tool has hooked CPython's allocators and would un-hook hakmem when it stops (memray?); start "
               "it after hakmem.enable()";
    /* The debug hooks return addresses inside blocks of malloc, of which hakmem would take those for its own. */
    if (strstr(detect_allocator_name(), "debug") != NULL && detect_malloc_is_served())
        return "Python's debug hooks (-X dev, PYTHONMALLOC=debug) lie on a malloc that hakmem serves; leave out either "
               "them or --all";
    return NULL;
}
