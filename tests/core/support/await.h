/*
 * support/await.h - for what another thread does sooner or later, where the bound is a figure and not a time: looks
 * until it holds, and fails like REQUIRE_OP after so long that no busy machine is the reason.
 */
#ifndef SUPPORT_AWAIT_H
#define SUPPORT_AWAIT_H

#include "support/require.h"
#include "support/resident.h"

/* Of 1 ms each, at least. A child that runs for longer than support/child.c allows is ended by it. */
#define AWAIT_LOOKS_MAX 30000

#define AWAIT_OP(left, operation, right)                                                                           \
    do {                                                                                                           \
        for (unsigned await_looks = 0;; await_looks++) {                                                           \
            uint64_t await_left = (uint64_t)(left), await_right = (uint64_t)(right);                               \
            if (await_left operation await_right) break;                                                           \
            if (await_looks == AWAIT_LOOKS_MAX)                                                                    \
                require_failed(__FILE__, __LINE__, #left " " #operation " " #right, await_left, await_right);      \
            resident_sleep_ms(1);                                                                                  \
        }                                                                                                          \
    } while (0)

#define AWAIT_EQUAL(left, right) AWAIT_OP(left, ==, right)
#define AWAIT_AT_MOST(left, right) AWAIT_OP(left, <=, right)

#endif
