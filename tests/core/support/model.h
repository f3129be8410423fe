/*
 * support/model.h - a random sequence of every public operation against a reference that knows each live block.
 *
 * The reference checks: no two blocks overlap, contents are kept by realloc and for as long as a block lives, calloc is
 * zero, alignment, live_bytes and live_blocks exact, hak_check finds nothing, nothing is left at the end.
 */
#ifndef SUPPORT_MODEL_H
#define SUPPORT_MODEL_H

#include <stddef.h>
#include <stdint.h>

typedef struct ModelLimits {
    size_t steps;
    size_t slots;           /* live blocks at most */
    size_t large_bytes_max; /* largest request */
    size_t steps_between_checks;
} ModelLimits;

void model_run(uint64_t seed, ModelLimits limits);

#endif
