/*
 * unit/test_shifted_class.c - where the blocks of each size class lie in their slab: those of a cache line so that the
 * first 16 bytes are the end of one, and the rest begins the next.
 *
 * In unit because it reads the class table and the metadata of slabs.
 */
#include "heap/owner_lock.h"
#include "superslab/registry.h"
#include "superslab/size_class.h"
#include "support/stats.h"
#include "support/suite.h"

/* As many blocks as a slab of the class has: each lies where its index says. */
static void require_blocks_lie_in_order(unsigned index) {
    const SizeClass *size_class = &size_classes[index];
    static char *block[BLOCKS_PER_SLAB_MAX];
    for (unsigned number = 0; number < size_class->blocks_per_slab; number++) {
        block[number] = hak_malloc_align8(size_class->block_bytes);
        REQUIRE_EQUAL(registry_slab_class(block[number]), index);
        size_t offset = size_class_offset(size_class, (uintptr_t)block[number] % SLAB_BYTES);
        REQUIRE_EQUAL(offset % size_class->block_bytes, 0);
        REQUIRE(size_class_block_index(size_class, offset) < size_class->blocks_per_slab);
        REQUIRE(heap_block_is_used(NULL, block[number]));
    }
    for (unsigned number = 0; number < size_class->blocks_per_slab; number++) hak_free(block[number]);
}

static void test_blocks_of_each_class(void **state) {
    (void)state;
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) {
        const SizeClass *size_class = &size_classes[index];
        bool is_shifted = size_class->block_bytes == SHIFTED_CLASS_BYTES;
        REQUIRE_EQUAL(size_class->first_block_offset, is_shifted ? SHIFT_BYTES : 0);
        size_t end = size_class->first_block_offset + (size_t)size_class->blocks_per_slab * size_class->block_bytes;
        REQUIRE_AT_MOST(end, SLAB_BYTES);
        require_blocks_lie_in_order(index);
        REQUIRE_EQUAL(hak_check(), 0);
    }
}

/* The index of every byte of a slab, those before the first block included, is inside the slab's bitmap; one of a byte
 * that is in no block is none of a block. */
static void test_index_of_each_byte(void **state) {
    (void)state;
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) {
        const SizeClass *size_class = &size_classes[index];
        size_t first = size_class->first_block_offset;
        size_t end = first + (size_t)size_class->blocks_per_slab * size_class->block_bytes;
        for (size_t byte = 0; byte < SLAB_BYTES; byte++) {
            unsigned block = size_class_block_index(size_class, size_class_offset(size_class, byte));
            REQUIRE_AT_MOST(block, SLAB_BYTES / size_class->block_bytes);
            REQUIRE_EQUAL(block < size_class->blocks_per_slab, byte >= first && byte < end);
        }
    }
}

static void test_object_begins_a_cache_line(void **state) {
    (void)state;
    enum { HEADER_BYTES = 16 };
    for (size_t bytes = SHIFTED_CLASS_BYTES - 7; bytes <= SHIFTED_CLASS_BYTES; bytes++) {
        char *block = hak_malloc_object(bytes);
        REQUIRE_EQUAL((uintptr_t)(block + HEADER_BYTES) % CACHE_LINE_BYTES, 0);
        hak_free(block);
    }
}

/* Those for 32 and 64 go to the next class that has it. */
static void test_aligned_requests_are_aligned(void **state) {
    (void)state;
    for (size_t alignment = 32; alignment <= 64; alignment *= 2)
        for (size_t bytes = 1; bytes <= 2 * SHIFTED_CLASS_BYTES; bytes++) {
            void *block[20];
            for (size_t number = 0; number < 20; number++) {
                block[number] = hak_aligned_alloc(alignment, bytes);
                REQUIRE_EQUAL((uintptr_t)block[number] % alignment, 0);
                REQUIRE_AT_LEAST(hak_usable_size(block[number]), bytes);
            }
            for (size_t number = 0; number < 20; number++) hak_free(block[number]);
        }
    stats_require_all_returned();
}

static int start(void **state) {
    (void)state;
    hak_free(hak_malloc(1)); /* fills the class table */
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_of_each_class), cmocka_unit_test(test_index_of_each_byte),
        cmocka_unit_test(test_object_begins_a_cache_line), cmocka_unit_test(test_aligned_requests_are_aligned)};
    return cmocka_run_group_tests(tests, start, NULL);
}
