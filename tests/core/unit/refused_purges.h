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
    return !refuses_purges && __real_hak_core_os_purge(address, bytes);
}

uint64_t __real_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);
uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);
uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count) {
    return refuses_purges ? UINT64_MAX >> (64 - count) : __real_hak_core_os_purge_ranges(ranges, count);
}

#endif
