/*
 * unit/test_touch_time.c - the time of a first touch: of OS pages alone, also where the machine would back many at
 * once.
 *
 * In unit because the link wraps the C library's madvise: no huge pages are asked for before the first touch.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "platform/os.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/suite.h"

/* ---- Huge pages are forbidden ---- */

enum { SYSTEM_PAGES_MAX = 1024 };
static size_t forbidden_unbacked_bytes;

static size_t backed_pages(void *address, size_t bytes) {
    unsigned char is_backed[SYSTEM_PAGES_MAX];
    size_t pages = bytes / (size_t)sysconf(_SC_PAGESIZE), count = 0;
    REQUIRE_AT_MOST(pages, SYSTEM_PAGES_MAX);
    REQUIRE_EQUAL(mincore(address, bytes, is_backed), 0);
    for (size_t page = 0; page < pages; page++) count += is_backed[page] & 1;
    return count;
}

int __real_madvise(void *address, size_t bytes, int advice);
int __wrap_madvise(void *address, size_t bytes, int advice);
int __wrap_madvise(void *address, size_t bytes, int advice) {
    if (advice == MADV_NOHUGEPAGE && backed_pages(address, bytes) == 0) forbidden_unbacked_bytes += bytes;
    return __real_madvise(address, bytes, advice);
}

/* A huge page is backed by its first touch, and the touches behind that are none. */
static void test_no_huge_page_is_touched(void **state) {
    (void)state;
    os_initialize(false);
    REQUIRE_AT_LEAST(os_touch_ns_per_mib(), 1);
    REQUIRE_EQUAL(forbidden_unbacked_bytes, 16 * os_page_bytes);
}

/* ---- The time ---- */

static void test_first_touch_takes_time(void **state) {
    (void)state;
    errno = EDOM;
    uint64_t nanoseconds = os_touch_ns_per_mib();
    REQUIRE_AT_LEAST(nanoseconds, 1000);
    REQUIRE_AT_MOST(nanoseconds, 1000000000);
    REQUIRE_EQUAL(errno, EDOM);
}

static void has_no_memory(void *unused) {
    (void)unused;
    REQUIRE_EQUAL(setrlimit(RLIMIT_AS, &(struct rlimit){0, 0}), 0);
    REQUIRE_EQUAL(os_touch_ns_per_mib(), 0);
}

static void test_no_memory_is_no_time(void **state) {
    (void)state;
    resident_run(has_no_memory, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_huge_page_is_touched),
        cmocka_unit_test(test_first_touch_takes_time),
        cmocka_unit_test(test_no_memory_is_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
