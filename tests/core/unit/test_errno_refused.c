/*
 * unit/test_errno_refused.c - what succeeds leaves errno as it was, also where the kernel refuses every call that gives
 * memory back or moves it. In a child, since the kernel refuses until the end of the process.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "support/child.h"
#include "support/resident.h"
#include "support/sandbox.h"
#include "support/stats.h"
#include "support/suite.h"

enum { ERRNO_BEFORE = 123, BLOCKS = 4096, SYS_PROCESS_MADVISE = 440 };

static void kernel_refuses(void) {
    static const uint32_t calls[] = {SYS_madvise, SYS_munmap, SYS_mremap, SYS_membarrier, SYS_PROCESS_MADVISE};
    for (size_t index = 0; index < sizeof calls / sizeof *calls; index++) sandbox_answer(calls[index], EPERM);
}

static void *blocks[BLOCKS];

static void hold(size_t block_bytes) {
    for (size_t number = 0; number < BLOCKS; number++) {
        REQUIRE((blocks[number] = hak_malloc(block_bytes)) != NULL);
        memset(blocks[number], 1, block_bytes);
    }
}

static void release(void) {
    for (size_t number = 0; number < BLOCKS; number++) {
        hak_free(blocks[number]);
        REQUIRE_EQUAL(errno, ERRNO_BEFORE);
    }
}

/* A private heap with slabs, a run and a mapping. */
static hak_heap_t *heap_with_blocks(void) {
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = 1;
    hak_heap_t *heap = hak_heap_new(&options);
    REQUIRE(heap != NULL);
    size_t sizes[] = {100, 5000, 100000, 3 * MIB};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        void *block = hak_heap_malloc(heap, sizes[index]);
        REQUIRE(block != NULL);
        memset(block, 1, sizes[index]);
    }
    return heap;
}

static void everything_succeeds(void *delay_ms) {
    stats_option_set("retain_bytes", "0");
    stats_option_set("purge_delay_ms", delay_ms);
    hold(1000);
    hak_heap_t *heap = heap_with_blocks();
    char *moving = hak_malloc(3 * MIB), *shrinking = hak_malloc(MIB), *large = hak_malloc(3 * MIB);
    REQUIRE(moving != NULL && shrinking != NULL && large != NULL);
    memset(moving, 1, 3 * MIB);
    memset(shrinking, 1, MIB);
    memset(large, 1, 3 * MIB);
    kernel_refuses();
    errno = ERRNO_BEFORE;
    release();
    REQUIRE((moving = hak_realloc(moving, 9 * MIB)) != NULL);
    REQUIRE_EQUAL(errno, ERRNO_BEFORE);
    REQUIRE((shrinking = hak_realloc(shrinking, MIB / 2 + 5000)) != NULL);
    REQUIRE_EQUAL(errno, ERRNO_BEFORE);
    hak_free(large);
    REQUIRE_EQUAL(errno, ERRNO_BEFORE);
    (void)hak_trim();
    REQUIRE_EQUAL(errno, ERRNO_BEFORE);
    hak_heap_destroy(heap);
    REQUIRE_EQUAL(errno, ERRNO_BEFORE);
    hold(2000);
    REQUIRE_EQUAL(errno, ERRNO_BEFORE);
    release();
    hak_free(moving);
    hak_free(shrinking);
    (void)hak_trim();
    REQUIRE_EQUAL(errno, ERRNO_BEFORE);
    REQUIRE_EQUAL(hak_check(), 0);
    REQUIRE_EQUAL(errno, ERRNO_BEFORE);
}

static void test_errno_is_kept_where_the_kernel_refuses(void **state) {
    (void)state;
    if (resident_is_distorted()) skip(); /* a sanitizer unmaps, too */
    child_must_succeed(everything_succeeds, "0");
    child_must_succeed(everything_succeeds, "20");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_errno_is_kept_where_the_kernel_refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
