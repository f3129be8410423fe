/*
 * control/heap_id.h - heaps by number: a stale number is an error, where a stale pointer would be a crash.
 *
 * Layer: control. Thread rule: any thread; what ends a heap follows the rule of hak_heap_t.
 */
#ifndef HAK_CONTROL_HEAP_ID_H
#define HAK_CONTROL_HEAP_ID_H

#include <hakmem.h>

#include "base/base.h"

/* 0; EINVAL or ENOMEM as hak_heap_new says. */
int heap_id_new(const hak_heap_options_t *options, uint64_t *number);

/* 0; ENOENT where no heap has this number; else what the function of hakmem.h says. */
int heap_id_destroy(uint64_t number);
int heap_id_set_limit(uint64_t number, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);
int heap_id_stats_get(uint64_t number, hak_heap_stats_t *stats);

hak_heap_t *heap_id_heap(uint64_t number);
uint64_t heap_id_next(uint64_t number);

#endif
