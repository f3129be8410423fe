/*
 * unit/refused_purges.h - a kernel that takes no OS page back while a test says so. For the tests whose link wraps
 * os_purge and os_purge_ranges (CMakeLists.txt).
 */
#ifndef UNIT_REFUSED_PURGES_H
#define UNIT_REFUSED_PURGES_H

#include <stdatomic.h>
#include <stdbool.h>

#include "platform/os.h"

static _Atomic bool refuses_purges;

bool __real_hak_core_os_purge(void *address, size_t bytes);
bool __wrap_hak_core_os_purge(void *address, size_t bytes);
bool __wrap_hak_core_os_purge(void *address, size_t bytes) {
    if (!refuses_purges) return __real_hak_core_os_purge(address, bytes);
    os_purges_refused++;
    return false;
}

uint64_t __real_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);
uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);
uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count) {
    if (!refuses_purges) return __real_hak_core_os_purge_ranges(ranges, count);
    os_purges_refused++;
    return UINT64_MAX >> (64 - count);
}

#endif
