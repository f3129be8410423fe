/*
 * support/random.c - the seed, and sizes as programs ask for them.
 */
#define _POSIX_C_SOURCE 200809L
#include "support/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t random_seed(void) {
    const char *text = getenv("HAK_TEST_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)now.tv_sec * 1000003u ^ (uint64_t)now.tv_nsec;
    fprintf(stderr, "seed: HAK_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

size_t random_size(Random *random, size_t large_bytes_max) {
    size_t choice = random_below(random, 1000);
    if (choice < 700) return random_below(random, 257);
    if (choice < 900) return random_below(random, 4097);
    if (choice < 980 || large_bytes_max <= 32768) return random_below(random, 32769);
    if (choice < 998 || large_bytes_max <= 1048576) return 32768 + random_below(random, 262144);
    return 262144 + random_below(random, large_bytes_max - 262144);
}
