/*
 * helper.h - blocks made through the C API from a script, as C code of a host makes them.
 *
 * A module of its own with a core of its own inside: it must find the core of the module that the script loaded first.
 */
#ifndef SWIG_HELPER_H
#define SWIG_HELPER_H

#include <hakmem_control.h>

/* `count` blocks of `size_bytes` each, in the heap `number`; what does not fit is left out. */
int helper_make_blocks(uint64_t number, uint64_t count, uint64_t size_bytes, hak_error_t *error);

/* All of them, of all heaps. */
int helper_free_blocks(hak_error_t *error);

/* 1: the core of this module serves; 0: it has attached to another. */
int helper_own_core_serves(uint64_t *given_back_bytes, hak_error_t *error);

#endif
