/*
 * check.h - what the programs share that the tests start with the library preloaded, and without.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

/* Ends the program with 1 and one line unless the condition holds. */
#define CHECK(condition)                                                                    \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);  \
            _Exit(1);                                                                       \
        }                                                                                   \
    } while (0)

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
