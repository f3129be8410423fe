/*
 * core_table.h - the cores that are loaded in this process, found as a binding finds them, by a program that has none.
 */
#ifndef CONTRACT_CORE_TABLE_H
#define CONTRACT_CORE_TABLE_H

#include <hakmem_core.h>

/* The core that has started. NULL: none has. More than one is an error. */
const hak_core_t *core_that_serves(void);

/* 1 if the core that serves has made this block. */
int core_owns(const void *block);

/* Requires that the heap of the core is whole. */
void core_require_whole(void);

/* In live blocks, 0 where no core serves. */
uint64_t core_live_bytes(void);

#endif
