/*
 * superslab/metadata.h - memory for headers, heaps and tables, apart from what serves blocks.
 *
 * Layer: superslab. Does not free single pieces: kinds keep chains of their own. Thread rule: any thread.
 */
#ifndef HAK_SUPERSLAB_METADATA_H
#define HAK_SUPERSLAB_METADATA_H

#include "base/base.h"
#include "platform/lock.h"
#include "platform/os.h"

extern Lock metadata_lock; /* for fork */

/* `bytes` of zeroed memory, OS-page aligned, cut from larger mappings, never unmapped; NULL when the OS has none. */
void *metadata_map(size_t bytes);

uint64_t metadata_bytes(void); /* mapped so far */

#endif
