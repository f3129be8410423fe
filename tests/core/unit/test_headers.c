/*
 * unit/test_headers.c - the headers of thousands of SuperSlabs and mappings that were unmapped: all of them serve again
 * before memory for others is taken.
 *
 * In unit because it reads how much memory the core has taken for itself.
 */
#include "superslab/metadata.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { BLOCKS = 3000, SUPERSLAB_BLOCK_BYTES = 900000, MAPPING_BLOCK_BYTES = 2500000 };

static void *blocks[BLOCKS];

/* No block is written to, so the machine needs memory for the headers alone. */
static void fill_and_drop(size_t bytes) {
    for (size_t number = 0; number < BLOCKS; number++) REQUIRE((blocks[number] = hak_malloc(bytes)) != NULL);
    REQUIRE_EQUAL(hak_check(), 0);
    for (size_t number = 0; number < BLOCKS; number++) hak_free(blocks[number]);
    (void)hak_trim();
    REQUIRE_EQUAL(stats_checked().mapped_bytes, 0);
}

static void test_headers_serve_again(void **state) {
    (void)state;
    if (resident_is_distorted()) skip(); /* a sanitizer's shadow of so much address space takes memory */
    fill_and_drop(MAPPING_BLOCK_BYTES);
    uint64_t bytes = metadata_bytes();
    REQUIRE_OP(bytes, >, 0);
    for (unsigned round = 0; round < 2; round++) {
        fill_and_drop(SUPERSLAB_BLOCK_BYTES); /* fewer headers: two blocks in a SuperSlab */
        fill_and_drop(MAPPING_BLOCK_BYTES);
    }
    REQUIRE_EQUAL(metadata_bytes(), bytes);
    stats_require_all_returned();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_headers_serve_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
