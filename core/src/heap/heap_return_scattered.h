/*
 * heap/heap_return_scattered.h - blocks of one class that come from many slabs in no order go back one by one.
 *
 * Layer: heap. Thread rule: slow paths of any thread, with no lock held.
 */
#ifndef HAK_HEAP_HEAP_RETURN_SCATTERED_H
#define HAK_HEAP_HEAP_RETURN_SCATTERED_H

#include "heap/return_batch.h"

/* At least one block. */
void heap_return_scattered(Heap *freeing, const ReturnBatch *of_blocks, void *const *blocks, unsigned count);

#endif
