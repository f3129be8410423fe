/*
 * interpreter_start.h - the stats of an interpreter that was executed again, where the user asks for them.
 *
 * Layer: bindings/libc. Thread rule: before main.
 */
#ifndef HAKMEM_LIBC_INTERPRETER_START_H
#define HAKMEM_LIBC_INTERPRETER_START_H

#include <hakmem_core.h>

/* `objects` is what interpreter_serve is about to put into the table for them. Where the options stats_socket or
 * stats_at_exit are on, it becomes one that lets the package hakmem begin with the program. */
void interpreter_start_watch(hak_hook_t *objects);

#endif
