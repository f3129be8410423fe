/*
 * interpreter.c - see interpreter.h.
 *
 * Layer: bindings/libc, above interpreter_start.h. Does not know the extension module, which finds these hooks in the
 * table when it is imported (bindings/python/src/hooks.c).
 *
 * A worker of multiprocessing's `spawn`, of uvicorn, or of a reloader is an interpreter that nobody has told of
 * `hakmem run`. PYTHONMALLOC and -X dev replace these hooks again, before there is an object.
 */
#include "interpreter.h"

#include <hakmem_core.h>
#include <stdbool.h>
#include <string.h>

#include "interpreter_start.h"

/* CPython's numbers of its domains, and its PyMemAllocatorEx, which hak_hook_t equals. */
enum { PYTHON_RAW, PYTHON_MEM, PYTHON_OBJ, PYTHON_DOMAINS };
extern void PyMem_GetAllocator(int domain, hak_hook_t *allocator) __attribute__((weak));
extern void PyMem_SetAllocator(int domain, hak_hook_t *allocator) __attribute__((weak));
extern void _Py_DecRefShared(void *object) __attribute__((weak)); /* exists in free-threaded builds only */

static const struct {
    const char *name; /* as in the option `domains` */
    hak_hook_entry_t entry;
} domains[PYTHON_DOMAINS] = {
    [PYTHON_RAW] = {"raw", HAK_HOOK_FIRST},
    [PYTHON_MEM] = {"mem", HAK_HOOK_SECOND},
    [PYTHON_OBJ] = {"obj", HAK_HOOK_OBJECT},
};

void interpreter_serve(void) {
    char chosen[64], counters[64];
    const hak_core_t *core = hak_published();
    if (PyMem_GetAllocator == NULL || PyMem_SetAllocator == NULL || _Py_DecRefShared != NULL) return;
    if (core->option_get("domains", chosen, sizeof chosen) != 0) return;
    if (core->option_get("counters", counters, sizeof counters) != 0) return;
    for (int domain = 0; domain < PYTHON_DOMAINS; domain++) {
        hak_hook_t found;
        PyMem_GetAllocator(domain, &found);
        bool is_served = strstr(chosen, domains[domain].name) != NULL;
        hak_hook_t ours = core->hook_over(domains[domain].entry, &found, is_served);
        if (domain == PYTHON_OBJ) interpreter_start_watch(&ours);
        PyMem_SetAllocator(domain, &ours);
    }
    core->hook_set_mode(strcmp(counters, "1") == 0 ? HAK_HOOK_COUNT : HAK_HOOK_SERVE);
}
