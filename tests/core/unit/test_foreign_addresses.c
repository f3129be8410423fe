/*
 * hak_owns and the frees that route by address answer for any number, also with bits above those of an address, and
 * for addresses that went back to the OS.
 */
#include "support/random.h"
#include "support/resident.h"
#include "support/suite.h"

static void numbers_beside_blocks_are_foreign(void **state) {
    (void)state;
    size_t sizes[] = {16, 100000, 3000000};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        char *block = hak_malloc(sizes[index]);
        REQUIRE(block != NULL);
        REQUIRE(hak_owns(block));
        for (unsigned bit = 47; bit < 64; bit++) {
            void *other = (void *)((uintptr_t)block ^ (uintptr_t)1 << bit);
            REQUIRE(!hak_owns(other));
            REQUIRE_EQUAL(hak_usable_size(other), 0);
            REQUIRE(!hak_free_if_owned(other));
        }
        hak_free(block);
    }
    Random random = random_start(random_seed());
    for (size_t count = 0; count < 100000; count++) (void)hak_owns((void *)(uintptr_t)random_next(&random));
}

/* Another allocator may get them from the kernel. */
static void addresses_given_back_are_foreign(void **state) {
    (void)state;
    enum { LARGEST_MIB = 9, STEP_BYTES = 1 << 16 };
    for (size_t bytes = MIB; bytes <= LARGEST_MIB * MIB; bytes += MIB + 4096) {
        char *block = hak_malloc(bytes);
        REQUIRE(block != NULL);
        uintptr_t first = (uintptr_t)block;
        hak_free(block);
        (void)hak_trim();
        for (size_t offset = 0; offset < bytes; offset += STEP_BYTES)
            REQUIRE(!hak_owns((const void *)(first + offset)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_beside_blocks_are_foreign),
        cmocka_unit_test(addresses_given_back_are_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
