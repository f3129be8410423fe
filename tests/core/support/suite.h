/*
 * support/suite.h - what every test file begins with: cmocka, hakmem.h, REQUIRE, and whether to run long or short.
 */
#ifndef SUPPORT_SUITE_H
#define SUPPORT_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <hakmem.h>

#include "support/require.h"

/* HAK_TEST_SCALE multiplies the length of the tests that have no natural end; 1 is what CI runs. */
static inline size_t suite_scale(void) {
    const char *text = getenv("HAK_TEST_SCALE");
    long scale = text != NULL ? strtol(text, NULL, 10) : 1;
    return scale > 1 ? (size_t)scale : 1;
}

#endif
