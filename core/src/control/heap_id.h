/*
 * control/heap_id.h - heaps by number: a stale number is an error, where a stale pointer would be a crash.
 *
 * Layer: control. Thread rule: any thread; only the thread that uses a heap destroys it (hakmem.h).
 */
#ifndef HAK_CONTROL_HEAP_ID_H
#define HAK_CONTROL_HEAP_ID_H

#include <hakmem.h>

#include "base/base.h"

/* Makes a heap and sets `*number`. Returns 0, or EINVAL or ENOMEM as hak_heap_new sets errno, which stays as it
 * was. */
int heap_id_new(const hak_heap_options_t *options, uint64_t *number);

/* Return ENOENT: no such heap; else what the function of hakmem.h returns, heap_id_destroy 0. */
int heap_id_destroy(uint64_t number);
int heap_id_set_limit(uint64_t number, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);
int heap_id_stats_get(uint64_t number, hak_heap_stats_t *stats);

hak_heap_t *heap_id_heap(uint64_t number); /* NULL: no such heap */
uint64_t heap_id_next(uint64_t number);    /* the lowest number in use above `number`; 0: none */

#endif
