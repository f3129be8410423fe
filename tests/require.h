/*
 * require.h - for C programs that tests start: what does not hold ends the program with 1 and one line. The tests in C
 * have a macro of their own (core/support/require.h), which shows both values.
 */
#ifndef TESTS_REQUIRE_H
#define TESTS_REQUIRE_H

#include <stdio.h>
#include <stdlib.h>

/* Without the functions of atexit, which would go on with what is broken. */
#define REQUIRE(condition)                                                                  \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);  \
            _Exit(1);                                                                       \
        }                                                                                   \
    } while (0)

#endif
