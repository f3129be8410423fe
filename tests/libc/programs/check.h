/*
 * check.h - what the programs share that the tests start with the library preloaded, and without.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>

#include "../../require.h"

/* Hides a value from the compiler, which knows what malloc and free do. */
static inline void *hidden(void *address) {
    void *volatile copy = address;
    return copy;
}

static inline size_t hidden_size(size_t bytes) {
    volatile size_t copy = bytes;
    return copy;
}

#endif
