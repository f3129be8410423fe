/*
 * fuzz/mutate.h - new streams of old ones: changes that leave most records what they were. Both return the bytes of
 * the new stream.
 */
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

#include "support/random.h"

/* Changes a stream in place, one of at least two records. */
size_t mutate(uint8_t *bytes, size_t count, size_t count_max, Random *random);

/* The first records of one stream, then the last ones of another. */
size_t mutate_cross(const uint8_t *left, size_t left_count, const uint8_t *right, size_t right_count, uint8_t *out,
                    size_t out_max, Random *random);

#endif
