/*
 * Requests beyond all memory of the machine: NULL and ENOMEM at once, no metadata spent on them, and a realloc to such
 * a size leaves the block as it was.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support/stats.h"
#include "support/suite.h"

/* With vm.overcommit_memory = 1 the kernel promises any size. */
static bool kernel_promises_everything(void) {
    FILE *file = fopen("/proc/sys/vm/overcommit_memory", "r");
    int mode = file != NULL ? fgetc(file) : '0';
    if (file != NULL) fclose(file);
    return mode == '1';
}

static void sizes_beyond_the_machine_are_refused(void **state) {
    (void)state;
    if (kernel_promises_everything()) skip();
    void *block = hak_malloc((size_t)3 << 20);
    REQUIRE(block != NULL);
    memset(block, 7, 100);
    uint64_t metadata_bytes = stats_now().metadata_bytes;
    for (unsigned shift = 44; shift < 63; shift++) {
        size_t bytes = (size_t)1 << shift;
        errno = 0;
        REQUIRE(hak_malloc(bytes) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
        errno = 0;
        REQUIRE(hak_calloc(bytes, 1) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
        errno = 0;
        REQUIRE(hak_realloc(block, bytes) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
    }
    REQUIRE_EQUAL(((char *)block)[99], 7);
    REQUIRE_AT_MOST(stats_now().metadata_bytes, metadata_bytes + ((uint64_t)4 << 20));
    hak_free(block);
    REQUIRE_EQUAL(hak_check(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes_beyond_the_machine_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
