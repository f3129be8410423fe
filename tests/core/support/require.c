/*
 * support/require.c - the failing end of REQUIRE.
 */
#include "support/require.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void require_failed(const char *file, int line, const char *condition, uint64_t left, uint64_t right) {
    fprintf(stderr, "%s:%d: does not hold: %s (left %" PRIu64 ", right %" PRIu64 ")\n", file, line, condition, left,
            right);
    fflush(stderr);
    abort();
}
