/*
 * machine/extents.c - a short list, in no order.
 */
#include "machine/extents.h"

#include <stdint.h>

#include "support/require.h"

enum { EXTENTS_MAX = 4096 };

typedef struct Extent {
    uintptr_t start, end;
} Extent;

static Extent extents[EXTENTS_MAX];
static size_t count;

/* Neighbours are one extent, because the core may unmap across them. */
void extents_add(void *address, size_t bytes) {
    Extent added = {(uintptr_t)address, (uintptr_t)address + bytes};
    for (size_t number = 0; number < count;) {
        Extent *other = &extents[number];
        REQUIRE(added.end <= other->start || added.start >= other->end);
        if (added.end != other->start && added.start != other->end) {
            number++;
            continue;
        }
        if (added.end == other->start)
            added.end = other->end;
        else
            added.start = other->start;
        *other = extents[--count];
        number = 0;
    }
    REQUIRE_OP(count, <, EXTENTS_MAX);
    extents[count++] = added;
}

static Extent *find(const void *address, size_t bytes) {
    uintptr_t start = (uintptr_t)address;
    for (size_t number = 0; number < count; number++)
        if (start >= extents[number].start && start + bytes <= extents[number].end) return &extents[number];
    return NULL;
}

uintptr_t extents_end_of_overlap(const void *address, size_t bytes) {
    uintptr_t start = (uintptr_t)address;
    for (size_t number = 0; number < count; number++)
        if (start < extents[number].end && start + bytes > extents[number].start) return extents[number].end;
    return 0;
}

size_t extents_bytes(void) {
    size_t bytes = 0;
    for (size_t number = 0; number < count; number++) bytes += extents[number].end - extents[number].start;
    return bytes;
}

void extents_require(const void *address, size_t bytes) { REQUIRE(find(address, bytes) != NULL); }

void extents_remove(void *address, size_t bytes) {
    Extent *extent = find(address, bytes);
    REQUIRE(extent != NULL);
    Extent before = {extent->start, (uintptr_t)address}, behind = {(uintptr_t)address + bytes, extent->end};
    *extent = extents[--count];
    if (before.start < before.end) extents[count++] = before;
    if (behind.start < behind.end) extents[count++] = behind;
}

void *extents_take(size_t *bytes) {
    if (count == 0) return NULL;
    Extent last = extents[--count];
    *bytes = last.end - last.start;
    return (void *)last.start;
}
