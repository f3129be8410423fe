/*
 * control/numbered.h - heaps that have a number, for runtimes that cannot hold a pointer safely.
 *
 * Layer: control. Thread rule: any thread; what ends a heap follows the rule of hak_heap_t.
 */
#ifndef HAK_CONTROL_NUMBERED_H
#define HAK_CONTROL_NUMBERED_H

#include <hakmem.h>

#include "base/base.h"

/* 0; EINVAL or ENOMEM as hak_heap_new says. */
int numbered_new(const hak_heap_options_t *options, uint64_t *number);

/* 0; ENOENT where no heap has this number; else what the function of hakmem.h says. */
int numbered_destroy(uint64_t number);
int numbered_set_limit(uint64_t number, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);
int numbered_stats_get(uint64_t number, hak_heap_stats_t *stats);

hak_heap_t *numbered_heap(uint64_t number);
uint64_t numbered_next(uint64_t number);

#endif
