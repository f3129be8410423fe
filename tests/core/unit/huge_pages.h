/*
 * unit/huge_pages.h - what both tests of huge pages begin with: a clock of their own that times the first touches (the
 * link wraps os_thread_us), growing, and the question whether this machine gives huge pages at all.
 */
#ifndef UNIT_HUGE_PAGES_H
#define UNIT_HUGE_PAGES_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "superslab/superslab.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { BLOCK_BYTES = 1024, BLOCKS_PER_MIB = 1024, GROWN_MIB = 200 };
enum { QUICK_US = 100, SLOW_US = 600 };

/* ---- The clock: read before and after each first touch, and by nobody else ---- */

static _Atomic unsigned touch_count;
static _Atomic uint64_t touch_us = QUICK_US;

uint64_t __wrap_hak_core_os_thread_us(void);
uint64_t __wrap_hak_core_os_thread_us(void) {
    static _Thread_local unsigned reads;
    if (reads++ % 2 == 0) return 1000000;
    atomic_fetch_add(&touch_count, 1);
    return 1000000 + atomic_load(&touch_us);
}

static inline unsigned touches(void) { return atomic_load(&touch_count); }

/* ---- Growing ---- */

static char *blocks[GROWN_MIB * BLOCKS_PER_MIB];
static size_t base_huge_bytes; /* on some machines all memory is huge, ours too */

/* Before hakmem starts, so that the option is this one whatever the environment says. */
static inline void begin_with(const char *thp) {
    REQUIRE_EQUAL(setenv("HAKMEM_THP", thp, 1), 0);
    memset(blocks, 0xFF, sizeof blocks);
    memset(blocks, 0, sizeof blocks);
    base_huge_bytes = resident_huge_bytes();
}

static inline void grow_from(size_t first_mib, size_t end_mib) {
    for (size_t number = first_mib * BLOCKS_PER_MIB; number < end_mib * BLOCKS_PER_MIB; number++) {
        REQUIRE((blocks[number] = hak_malloc(BLOCK_BYTES)) != NULL);
        pattern_fill(blocks[number], BLOCK_BYTES, number);
    }
}

static inline size_t huge_bytes_more(void) {
    size_t bytes = resident_huge_bytes();
    return bytes > base_huge_bytes ? bytes - base_huge_bytes : 0;
}

static inline void require_survivors_intact(size_t count, size_t stride) {
    for (size_t number = 0; number < count; number += stride)
        REQUIRE(pattern_holds(blocks[number], BLOCK_BYTES, number));
}

/* ---- Whether this machine gives any ---- */

static inline const char *reason_for_none(void) {
    static const char setting[] = "/sys/kernel/mm/transparent_hugepage/enabled";
    char text[64] = "";
    if (resident_is_distorted()) return "a tool's own memory is in the figures";
    if (access("/proc/self/smaps_rollup", R_OK) != 0) return "there is no smaps_rollup";
    int file = open(setting, O_RDONLY | O_CLOEXEC);
    if (file < 0) return "this kernel has no transparent huge pages";
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0 || strstr(text, "[never]") != NULL) return "the machine's setting is never";
    size_t page_bytes = resident_os_page_bytes();
    if (page_bytes / sizeof(void *) * page_bytes != SUPERSLAB_BYTES) return "a huge page is larger than a SuperSlab";
    enum { PROBED = 8 };
    size_t before = resident_huge_bytes(), bytes = (PROBED + 1) * SUPERSLAB_BYTES;
    char *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(area != MAP_FAILED);
    (void)madvise(area, bytes, MADV_HUGEPAGE);
    memset(area, 1, bytes);
    bool is_given = resident_huge_bytes() >= before + PROBED * SUPERSLAB_BYTES;
    munmap(area, bytes);
    return is_given ? NULL : "the kernel gives no huge pages now";
}

static inline ChildResult run_where_given(void (*story)(void *), void *context) {
    const char *reason = reason_for_none();
    if (reason != NULL) {
        print_message("skipped: %s\n", reason);
        skip();
    }
    return child_run(story, context);
}

static inline void run(void (*story)(void *), void *context) {
    ChildResult result = run_where_given(story, context);
    child_require_success(&result);
}

#endif
