/*
 * patterns.c - the hot loops of `make bench-speed`, through PyObject_Malloc and PyObject_Free.
 *
 * Each block's first word is written, as an object's header would be. Under callgrind each pattern's batches are dumped
 * on their own, so that instructions per pair can be read beside the times.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "patterns.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#if defined(__has_include)
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#endif
#endif
#ifndef CALLGRIND_ZERO_STATS
#define CALLGRIND_ZERO_STATS ((void)0)
#define CALLGRIND_DUMP_STATS_AT(name) ((void)(name))
#endif

enum { SMALL_BYTES = 48, STEPS_PER_ROUND = 100 * 1000 };

typedef struct Field Field;

typedef struct Pattern {
    const char *name;
    void (*round)(Field *field);
    size_t depth; /* blocks that are alive at the same time */
    size_t pairs_per_round;
    bool starts_full; /* every slot holds a block before the first round */
} Pattern;

struct Field {
    const Pattern *pattern;
    void **slots;
    uint32_t *order; /* the slots, shuffled */
    uint64_t random;
};

static inline void *make(size_t size_bytes) {
    void **block = PyObject_Malloc(size_bytes);
    if (block == NULL) abort();
    *block = block;
    return block;
}

/* xorshift64 */
static inline uint64_t next_random(Field *field) {
    uint64_t x = field->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return field->random = x;
}

/* `random` spread over [0, bound), from its upper half. */
static inline uint32_t below(uint64_t random, uint32_t bound) { return (uint32_t)(((random >> 32) * bound) >> 32); }

static void round_one_pair(Field *field) {
    for (size_t i = 0; i < field->pattern->pairs_per_round; i++) PyObject_Free(make(SMALL_BYTES));
}

static void fill(Field *field) {
    for (size_t i = 0; i < field->pattern->depth; i++) field->slots[i] = make(SMALL_BYTES);
}

static void round_fifo(Field *field) {
    fill(field);
    for (size_t i = 0; i < field->pattern->depth; i++) PyObject_Free(field->slots[i]);
}

static void round_lifo(Field *field) {
    fill(field);
    for (size_t i = field->pattern->depth; i-- > 0;) PyObject_Free(field->slots[i]);
}

static void round_random_order(Field *field) {
    fill(field);
    for (size_t i = 0; i < field->pattern->depth; i++) PyObject_Free(field->slots[field->order[i]]);
}

static void round_replace_mixed(Field *field) {
    uint32_t depth = (uint32_t)field->pattern->depth;
    for (size_t i = 0; i < field->pattern->pairs_per_round; i++) {
        uint64_t random = next_random(field);
        void **slot = &field->slots[below(random, depth)];
        PyObject_Free(*slot);
        *slot = make(16 + (random & 0xffff) % 497);
    }
}

static void round_replace_small(Field *field) {
    uint32_t depth = (uint32_t)field->pattern->depth;
    for (size_t i = 0; i < field->pattern->pairs_per_round; i++) {
        void **slot = &field->slots[below(next_random(field), depth)];
        PyObject_Free(*slot);
        *slot = make(SMALL_BYTES);
    }
}

static const Pattern patterns[] = {
    {"one pair", round_one_pair, 0, STEPS_PER_ROUND, false},
    {"fifo 1k", round_fifo, 1000, 1000, false},
    {"fifo 20k", round_fifo, 20000, 20000, false},
    {"fifo 200k", round_fifo, 200000, 200000, false},
    {"lifo 1k", round_lifo, 1000, 1000, false},
    {"lifo 20k", round_lifo, 20000, 20000, false},
    {"lifo 200k", round_lifo, 200000, 200000, false},
    {"random-order free 200k", round_random_order, 200000, 200000, false},
    {"replace 16..512, 20k", round_replace_mixed, 20000, STEPS_PER_ROUND, true},
    {"replace 48, 200k", round_replace_small, 200000, STEPS_PER_ROUND, true},
};
enum { PATTERN_COUNT = sizeof patterns / sizeof patterns[0] };

const char *patterns_name(size_t index) { return index < PATTERN_COUNT ? patterns[index].name : NULL; }

static size_t rounds_for(const Pattern *pattern, size_t pairs_min) {
    return (pairs_min + pattern->pairs_per_round - 1) / pattern->pairs_per_round;
}

size_t patterns_pairs_per_batch(size_t index, size_t pairs_min) {
    const Pattern *pattern = &patterns[index];
    return rounds_for(pattern, pairs_min) * pattern->pairs_per_round;
}

static double cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void shuffle(Field *field) {
    for (size_t i = 0; i < field->pattern->depth; i++) field->order[i] = (uint32_t)i;
    for (size_t i = field->pattern->depth; i > 1; i--) {
        uint32_t other = below(next_random(field), (uint32_t)i);
        uint32_t moved = field->order[i - 1];
        field->order[i - 1] = field->order[other];
        field->order[other] = moved;
    }
}

int patterns_run(size_t index, size_t batch_count, size_t pairs_min, double *ns_per_pair) {
    Field field = {.pattern = &patterns[index], .random = 88172645463325252u};
    size_t depth = field.pattern->depth + 1;
    size_t rounds = rounds_for(field.pattern, pairs_min);
    field.slots = calloc(depth, sizeof *field.slots);
    field.order = calloc(depth, sizeof *field.order);
    if (field.slots == NULL || field.order == NULL) {
        free(field.slots);
        free(field.order);
        return -1;
    }
    shuffle(&field);
    if (field.pattern->starts_full) fill(&field);
    for (size_t i = 0; i < rounds; i++) field.pattern->round(&field);
    CALLGRIND_ZERO_STATS;
    for (size_t batch = 0; batch < batch_count; batch++) {
        double before = cpu_ns();
        for (size_t i = 0; i < rounds; i++) field.pattern->round(&field);
        ns_per_pair[batch] = (cpu_ns() - before) / (double)(rounds * field.pattern->pairs_per_round);
    }
    CALLGRIND_DUMP_STATS_AT(field.pattern->name);
    if (field.pattern->starts_full)
        for (size_t i = 0; i < field.pattern->depth; i++) PyObject_Free(field.slots[i]);
    free(field.slots);
    free(field.order);
    return 0;
}
