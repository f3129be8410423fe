/*
 * machine/memory.h - the memory that the core maps: the kernel's, or pages that streams use one after another.
 *
 * The kernel takes 2 us for an OS page that is touched and given back, which would be most of the time of a stream.
 * So blocks and metadata lie in arenas, whose pages stay with the process: what the core unmaps or purges is cleared,
 * as far as it was written to, and stays accessible. Whoever writes to blocks says so (memory_touched); the core writes
 * much by memcpy, memmove and memset, which come here (CMakeLists.txt), and so does what it makes for itself. Of
 * metadata, which it writes word by word, all that it has taken counts as written. All memory of some streams is the
 * kernel's, and under AddressSanitizer, too: there an access to what was unmapped is a finding.
 *
 * Unmapping or purging what is not mapped is a finding.
 */
#ifndef MACHINE_MEMORY_H
#define MACHINE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nothing is mapped. Mappings that the kernel would place lie `misaligned_bytes` away from multiples of 2 MiB. */
void memory_reset(bool is_all_kernels, size_t misaligned_bytes);

/* All that is mapped goes. */
void memory_unmap_all(void);

/* As the functions of platform/os.h; `is_placed`: not at the hint. */
void *memory_map(uintptr_t hint, size_t bytes, bool is_placed);
void memory_unmap(void *address, size_t bytes);
void memory_purge(void *address, size_t bytes);
void memory_move(void *from, size_t bytes, void *to, size_t to_bytes);
void *memory_extend(void *address, size_t bytes, size_t new_bytes, bool may_move);
void memory_require(const void *address, size_t bytes); /* it is mapped */

size_t memory_mapped_bytes(void);

/* Somebody writes there. */
void memory_touched(const void *address, size_t bytes);

#endif
