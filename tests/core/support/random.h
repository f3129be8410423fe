/*
 * support/random.h - a small generator whose seed is printed on failure and accepted as HAK_TEST_SEED.
 */
#ifndef SUPPORT_RANDOM_H
#define SUPPORT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct Random {
    uint64_t state;
} Random;

/* The number in HAK_TEST_SEED, else one from the clock; printed at once, so that a failing log names it. */
uint64_t random_seed(void);

static inline Random random_start(uint64_t seed) { return (Random){seed * 0x9E3779B97F4A7C15u + 0x1234567}; }

static inline uint64_t random_next(Random *random) { /* splitmix64 */
    uint64_t bits = random->state += 0x9E3779B97F4A7C15u;
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9u;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBu;
    return bits ^ (bits >> 31);
}

static inline size_t random_below(Random *random, size_t limit) { return (size_t)(random_next(random) % limit); }

/* Many small sizes, some of the Mid Pool, few large ones. */
size_t random_size(Random *random, size_t large_bytes_max);

#endif
