/*
 * unit/test_purge_ranges.c - many ranges given back in one call of the kernel: all of them, all but those it refuses,
 * and the same where the kernel has no such call.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "platform/os.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/sandbox.h"
#include "support/suite.h"

enum { RANGES = OS_RANGES_MAX };

static char *area;

/* Every second OS page is a range. */
static void fill(OsRange *ranges) {
    os_initialize(false);
    size_t bytes = 2 * RANGES * os_page_bytes;
    if (area == NULL) area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(area != MAP_FAILED);
    (void)madvise(area, bytes, MADV_NOHUGEPAGE);
    memset(area, 1, bytes);
    for (size_t number = 0; number < RANGES; number++)
        ranges[number] = (OsRange){area + 2 * number * os_page_bytes, os_page_bytes};
}

static void require_purged(const OsRange *range, bool is_refused, bool is_purged) {
    REQUIRE_EQUAL(is_refused, !is_purged);
    const char *next = (const char *)range->address + os_page_bytes;
    REQUIRE_EQUAL(resident_bytes_in(range->address, os_page_bytes), is_purged ? 0 : os_page_bytes);
    REQUIRE_EQUAL(*(const char *)range->address, is_purged ? 0 : 1);
    REQUIRE_EQUAL(*next, 1);
}

static void all_are_purged(void *unused) {
    (void)unused;
    OsRange ranges[RANGES];
    for (unsigned round = 0; round < 2; round++) {
        fill(ranges);
        errno = 123;
        REQUIRE_EQUAL(os_purge_ranges(ranges, RANGES), 0);
        REQUIRE_EQUAL(errno, 123);
        for (size_t number = 0; number < RANGES; number++) require_purged(&ranges[number], false, true);
    }
    fill(ranges);
    REQUIRE_EQUAL(os_purge_ranges(ranges, 1), 0);
    require_purged(&ranges[0], false, true);
    REQUIRE_EQUAL(os_purge_ranges(ranges, 0), 0);
}

/* The kernel stops at the first one that it refuses. */
static void locked_ones_are_refused(void *first_locked) {
    OsRange ranges[RANGES];
    size_t first = *(size_t *)first_locked;
    fill(ranges);
    REQUIRE_EQUAL(mlock(ranges[first].address, os_page_bytes), 0);
    REQUIRE_EQUAL(mlock(ranges[RANGES / 2].address, os_page_bytes), 0);
    uint64_t refused = os_purge_ranges(ranges, RANGES);
    for (size_t number = 0; number < RANGES; number++)
        require_purged(&ranges[number], (refused >> number & 1) != 0, number != first && number != RANGES / 2);
}

static void forbid_the_call(void) { sandbox_answer(440 /* process_madvise */, ENOSYS); }

static void all_without_the_call(void *unused) {
    forbid_the_call();
    all_are_purged(unused);
}

static void locked_without_the_call(void *first_locked) {
    forbid_the_call();
    locked_ones_are_refused(first_locked);
}

static void test_all_are_purged(void **state) {
    (void)state;
    resident_run(all_are_purged, NULL);
    child_must_succeed(all_without_the_call, NULL);
}

static void test_locked_ones_are_refused(void **state) {
    (void)state;
    if (resident_is_distorted()) skip();
    for (size_t first = 0; first < 2; first++) {
        child_must_succeed(locked_ones_are_refused, &first);
        child_must_succeed(locked_without_the_call, &first);
    }
}

/* A test can make the call fail as if the kernel refused everything. */
static void test_an_injected_fault_refuses_all(void **state) {
    (void)state;
    if (resident_is_distorted()) skip();
    OsRange ranges[RANGES];
    fill(ranges);
    os_fault_at(1);
    uint64_t refused = os_purge_ranges(ranges, RANGES);
    os_fault_at(0);
    for (size_t number = 0; number < RANGES; number++)
        require_purged(&ranges[number], (refused >> number & 1) != 0, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_purged),
        cmocka_unit_test(test_locked_ones_are_refused),
        cmocka_unit_test(test_an_injected_fault_refuses_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
