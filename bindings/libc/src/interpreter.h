/*
 * interpreter.h - CPython's allocators, where a served interpreter has executed itself again.
 *
 * Layer: bindings/libc. Thread rule: before main.
 */
#ifndef HAKMEM_LIBC_INTERPRETER_H
#define HAKMEM_LIBC_INTERPRETER_H

/* Puts the core's functions into CPython's table, if this program is a CPython whose objects can be served. */
void interpreter_serve(void);

#endif
