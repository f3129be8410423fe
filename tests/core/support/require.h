/*
 * support/require.h - a check that works in every thread and in forked children: prints the place, the condition and
 * both values, then aborts. cmocka's own asserts jump, which only the main thread of a test may do.
 */
#ifndef SUPPORT_REQUIRE_H
#define SUPPORT_REQUIRE_H

#include <stdint.h>

_Noreturn void require_failed(const char *file, int line, const char *condition, uint64_t left, uint64_t right);

#define REQUIRE_OP(left, operation, right)                                                                      \
    do {                                                                                                        \
        uint64_t require_left = (uint64_t)(left), require_right = (uint64_t)(right);                            \
        if (!(require_left operation require_right))                                                            \
            require_failed(__FILE__, __LINE__, #left " " #operation " " #right, require_left, require_right);   \
    } while (0)

#define REQUIRE(condition) REQUIRE_OP(!!(condition), ==, 1)
#define REQUIRE_EQUAL(left, right) REQUIRE_OP(left, ==, right)
#define REQUIRE_AT_MOST(left, right) REQUIRE_OP(left, <=, right)
#define REQUIRE_AT_LEAST(left, right) REQUIRE_OP(left, >=, right)

#endif
