/*
 * patterns.h - the hot loops of `make bench-speed`, through PyObject_Malloc and PyObject_Free.
 */
#ifndef BENCH_PATTERNS_H
#define BENCH_PATTERNS_H

#include <stddef.h>

/* Name of pattern `index`, NULL past the last one. */
const char *patterns_name(size_t index);

/* Runs `batch_count` batches of at least `pairs_min` pairs of malloc and free after one batch that is not counted.
 * `ns_per_pair` has room for `batch_count`. 0, or -1 when there is no memory. Process cpu time; needs the GIL. */
int patterns_run(size_t index, size_t batch_count, size_t pairs_min, double *ns_per_pair);

/* Pairs that one batch of pattern `index` does when at least `pairs_min` are asked for. */
size_t patterns_pairs_per_batch(size_t index, size_t pairs_min);

#endif
