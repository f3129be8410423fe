/*
 * support/operations.h - a stream of bytes as a sequence of all public operations, compared with a reference.
 *
 * Every stream is valid. Operations: malloc, calloc, realloc, aligned, the weaker alignments, the three frees, usable
 * size, many blocks of one size and their death in various orders, heaps (private and counted, limits, destroy), too
 * large requests, trim, thread flush, options changed at run time, hak_check, and a second thread: some operations in
 * it while the first one waits, others beside the first one, and its end.
 *
 * The reference checks: patterns, alignment, no overlap, calloc is zero, live bytes and blocks exact, accounts of heaps
 * exact and their refusals foreseen, hak_check finds nothing, nothing is left at the end.
 */
#ifndef SUPPORT_OPERATIONS_H
#define SUPPORT_OPERATIONS_H

#include <stddef.h>
#include <stdint.h>

/* No block may live before. Aborts where hakmem and the reference differ. */
void operations_run(const uint8_t *bytes, size_t count);

#endif
