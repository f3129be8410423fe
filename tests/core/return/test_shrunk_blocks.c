/*
 * What realloc leaves behind when it shrinks large blocks in place obeys the retain bound without any further call.
 */
#include <string.h>

#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { BLOCKS = 100, LARGE_BYTES = 1 << 20, SMALL_BYTES = 100 << 10, WAIT_MS = 2000 };

static void shrunk_blocks_go_back_while_idle(void **state) {
    (void)state;
    static char *block[BLOCKS];
    for (size_t number = 0; number < BLOCKS; number++) {
        block[number] = hak_malloc(LARGE_BYTES);
        REQUIRE(block[number] != NULL);
        memset(block[number], 1, LARGE_BYTES);
    }
    for (size_t number = 0; number < BLOCKS; number++) {
        char *shrunk = hak_realloc(block[number], SMALL_BYTES);
        REQUIRE(shrunk != NULL);
        block[number] = shrunk;
    }
    hak_stats_t stats = stats_now();
    REQUIRE_AT_MOST(stats.free_resident_bytes, (uint64_t)(16 + 1) << 20);
    resident_sleep_ms(WAIT_MS);
    stats = stats_now();
    REQUIRE_AT_MOST(stats.free_resident_bytes, ((uint64_t)4 << 20) + stats.live_bytes / 20);
    for (size_t number = 0; number < BLOCKS; number++) {
        REQUIRE_EQUAL(block[number][SMALL_BYTES - 1], 1);
        hak_free(block[number]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(shrunk_blocks_go_back_while_idle)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
