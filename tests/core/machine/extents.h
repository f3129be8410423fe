/*
 * machine/extents.h - which addresses the core has mapped.
 */
#ifndef MACHINE_EXTENTS_H
#define MACHINE_EXTENTS_H

#include <stddef.h>
#include <stdint.h>

void extents_add(void *address, size_t bytes);
void extents_remove(void *address, size_t bytes);

/* The end of a mapping that overlaps the range; 0: none does. */
uintptr_t extents_end_of_overlap(const void *address, size_t bytes);

size_t extents_bytes(void); /* sum of all */

void extents_require(const void *address, size_t bytes); /* that they are mapped */

/* The next one, and forgets it; NULL: none is left. */
void *extents_take(size_t *bytes);

#endif
