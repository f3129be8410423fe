/*
 * route.h - our functions in CPython's allocator table: the core serves its own blocks, the previous allocator all
 * foreign ones.
 *
 * Layer: bindings/python, above serve.h. Thread rule: the functions here with a GIL held and hooks.c's lock; those in
 * the table from any thread.
 */
#ifndef HAKMEM_PYTHON_ROUTE_H
#define HAKMEM_PYTHON_ROUTE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <hakmem_core.h>
#include <stdbool.h>

typedef enum Domain { DOMAIN_RAW, DOMAIN_MEM, DOMAIN_OBJ, DOMAIN_COUNT } Domain;

/* The source of a new block. The fast paths test for MODE_SERVE alone. */
typedef enum Mode {
    MODE_PASS,  /* the previous allocator: disabled, or the option tiny_use_superslab is 0 */
    MODE_SERVE, /* our own core, directly */
    MODE_TABLE, /* another core, by its table */
    MODE_COUNT  /* either core, by its table, and the requested bytes are counted (option counters) */
} Mode;

/* The core that serves this process: our own, which the fast paths call directly, or one that started before it. To be
 * called before the first route_over. */
void route_set_core(const hak_core_t *serving);

/* Returns what to put into CPython's table over `found`, which becomes the previous allocator of the domain. Not
 * `is_served`: new blocks are the previous allocator's; blocks of the core are freed and resized all the same. */
PyMemAllocatorEx route_over(Domain domain, PyMemAllocatorEx found, bool is_served);

/* True: `current`, an entry of CPython's table, came from route_over. */
bool route_is_ours(Domain domain, PyMemAllocatorEx current);

void route_set_mode(Mode wanted);
Mode route_mode(void);

#endif
