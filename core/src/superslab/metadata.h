/*
 * superslab/metadata.h - memory for headers, heaps and tables, apart from the memory that serves blocks.
 *
 * Layer: superslab. Never frees: each user keeps its unused pieces. Thread rule: any thread.
 */
#ifndef HAK_SUPERSLAB_METADATA_H
#define HAK_SUPERSLAB_METADATA_H

#include "base/base.h"
#include "platform/lock.h"
#include "platform/os.h"

extern Lock metadata_lock; /* other layers take it for a fork */

/* `bytes` of zeroed memory, rounded up to OS pages and aligned to them, never unmapped. NULL: no memory. */
void *metadata_map(size_t bytes);

uint64_t metadata_bytes(void); /* mapped, ever */

#endif
