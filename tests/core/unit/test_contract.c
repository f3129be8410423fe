/*
 * unit/test_contract.c - what hakmem.h promises of malloc, calloc, realloc, free and their kin: zero and monstrous
 * sizes, overflow, zeroing, contents, alignment of each entry point, ownership, errno.
 */
#include <errno.h>
#include <string.h>

#include "support/child.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

typedef void *(*Allocate)(size_t);
static const Allocate entry_points[] = {hak_malloc, hak_malloc_object, hak_malloc_align8, hak_malloc_align16};
static void *(*const callocs[])(size_t, size_t) = {hak_calloc, hak_calloc_align16};
enum { ENTRY_POINTS = 4, ENTRY_OBJECT = 1, ENTRY_ALIGN8 = 2, ENTRY_ALIGN16 = 3, CALLOCS = 2 };

/* Sizes around every boundary there is. */
static const size_t sizes[] = {
    0,     1,     7,     8,     9,      15,      16,      17,      23,      24,      25,      31,      32,
    33,    48,    63,    64,    65,     100,     127,     128,     129,     500,     512,     513,     1000,
    1023,  1024,  1025,  2048,  4095,   4096,    4097,    16383,   16384,   16385,   20000,   32767,   32768,
    32769, 65535, 65536, 65537, 131072, 1000000, 1048575, 1048576, 1048577, 2097151, 2097152, 2097153, 5000000,
};
enum { SIZES = sizeof sizes / sizeof *sizes };

static size_t monstrous(unsigned index) {
    static const volatile size_t list[] = {
        SIZE_MAX,    SIZE_MAX - 1,       SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1,
        PTRDIFF_MAX, PTRDIFF_MAX - 4096, (size_t)1 << 62, (size_t)1 << 48,
    };
    return list[index];
}
enum { MONSTERS = 8 };

/* ---- Sizes ---- */

static void test_zero_sizes_are_distinct_blocks(void **state) {
    (void)state;
    for (size_t entry = 0; entry < ENTRY_POINTS; entry++) {
        void *blocks[100];
        for (size_t number = 0; number < 100; number++) {
            blocks[number] = entry_points[entry](0);
            REQUIRE(blocks[number] != NULL);
            for (size_t other = 0; other < number; other++) REQUIRE(blocks[number] != blocks[other]);
        }
        for (size_t number = 0; number < 100; number++) hak_free(blocks[number]);
    }
    void *first = hak_calloc(0, 8), *second = hak_calloc(8, 0), *third = hak_realloc(NULL, 0);
    void *fourth = hak_aligned_alloc(16, 0), *fifth = hak_aligned_alloc(4096, 0);
    REQUIRE(first != NULL && second != NULL && third != NULL && fourth != NULL && fifth != NULL);
    REQUIRE(first != second && second != third && third != first);
    hak_free(first), hak_free(second), hak_free(third), hak_free(fourth), hak_free(fifth);
    REQUIRE_EQUAL(stats_checked().live_blocks, 0);
}

static void test_monstrous_sizes(void **state) {
    (void)state;
    char *block = hak_malloc(100);
    pattern_fill(block, 100, 1);
    for (unsigned index = 0; index < MONSTERS; index++) {
        size_t size_bytes = monstrous(index);
        for (size_t entry = 0; entry < ENTRY_POINTS; entry++) {
            errno = 0;
            REQUIRE(entry_points[entry](size_bytes) == NULL);
            REQUIRE_EQUAL(errno, ENOMEM);
        }
        errno = 0;
        REQUIRE(hak_calloc(1, size_bytes) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
        errno = 0;
        REQUIRE(hak_realloc(NULL, size_bytes) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
        errno = 0;
        REQUIRE(hak_realloc(block, size_bytes) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
        REQUIRE(pattern_holds(block, 100, 1));
        for (size_t alignment = 8; alignment <= (size_t)1 << 20; alignment *= 16) {
            errno = 0;
            REQUIRE(hak_aligned_alloc(alignment, size_bytes) == NULL);
            REQUIRE_EQUAL(errno, ENOMEM);
        }
    }
    hak_free(block);
    REQUIRE_EQUAL(hak_check(), 0);
    REQUIRE_EQUAL(stats_checked().live_blocks, 0);
}

/* A large block refuses too, and lives on. */
static void test_monstrous_realloc_of_large(void **state) {
    (void)state;
    static const size_t olds[] = {40000, 1000000, 3000000};
    for (size_t old = 0; old < 3; old++) {
        void *block = hak_malloc(olds[old]);
        pattern_fill(block, olds[old], old);
        for (unsigned index = 0; index < MONSTERS; index++) {
            errno = 0;
            REQUIRE(hak_realloc(block, monstrous(index)) == NULL);
            REQUIRE_EQUAL(errno, ENOMEM);
            REQUIRE(pattern_holds(block, olds[old], old));
        }
        hak_free(block);
    }
    REQUIRE_EQUAL(stats_checked().live_blocks, 0);
}

static void test_calloc_overflow(void **state) {
    (void)state;
    static const volatile size_t pairs[][2] = {
        {SIZE_MAX, 2},     {2, SIZE_MAX},        {(size_t)1 << 32, (size_t)1 << 32},
        {SIZE_MAX / 2, 3}, {SIZE_MAX, SIZE_MAX}, {SIZE_MAX / 8 + 1, 8},
    };
    for (size_t index = 0; index < sizeof pairs / sizeof *pairs; index++) {
        for (size_t entry = 0; entry < CALLOCS; entry++) {
            errno = 0;
            REQUIRE(callocs[entry](pairs[index][0], pairs[index][1]) == NULL);
            REQUIRE_EQUAL(errno, ENOMEM);
        }
    }
}

static void test_calloc_is_zero(void **state) {
    (void)state;
    for (unsigned round = 0; round < 3; round++)
        for (size_t index = 0; index < SIZES; index++) {
            void *dirty[8];
            for (size_t number = 0; number < 8; number++) {
                dirty[number] = hak_malloc(sizes[index]);
                memset(dirty[number], 0xAB, sizes[index]);
            }
            for (size_t number = 0; number < 8; number++) hak_free(dirty[number]);
            if (round == 1) (void)hak_trim();
            if (round == 2) hak_thread_flush();
            for (size_t number = 0; number < 8; number++) {
                dirty[number] =
                    callocs[number / 4](number % 2 == 0 ? sizes[index] : 1, number % 2 == 0 ? 1 : sizes[index]);
                REQUIRE_EQUAL((uintptr_t)dirty[number] % (number / 4 == 0 && sizes[index] <= 8 ? 8 : 16), 0);
                REQUIRE(pattern_is_zero(dirty[number], sizes[index]));
                memset(dirty[number], 0xCD, sizes[index]);
            }
            for (size_t number = 0; number < 8; number++) hak_free(dirty[number]);
        }
}

/* ---- Alignment and usable size ---- */

static size_t promised_alignment(size_t entry, size_t size_bytes) {
    if (entry == ENTRY_ALIGN16) return 16;
    if (size_bytes <= 8 || entry == ENTRY_ALIGN8) return 8;
    return entry == ENTRY_OBJECT && size_bytes > 16 && size_bytes <= 24 ? 8 : 16;
}

static void require_alignment(bool is_always_16) {
    static void *blocks[200];
    for (size_t entry = 0; entry < ENTRY_POINTS; entry++)
        for (size_t size_bytes = 0; size_bytes <= 2100; size_bytes++) {
            size_t alignment = is_always_16 ? 16 : promised_alignment(entry, size_bytes);
            size_t count = size_bytes <= 130 ? 200 : 5;
            for (size_t number = 0; number < count; number++) {
                blocks[number] = entry_points[entry](size_bytes);
                REQUIRE_EQUAL((uintptr_t)blocks[number] % alignment, 0);
                REQUIRE_AT_LEAST(hak_usable_size(blocks[number]), size_bytes);
            }
            for (size_t number = 0; number < count; number++) hak_free(blocks[number]);
        }
    for (size_t index = 0; index < SIZES; index++)
        for (size_t entry = 0; entry < ENTRY_POINTS; entry++) {
            void *block = entry_points[entry](sizes[index]);
            REQUIRE_EQUAL((uintptr_t)block % (is_always_16 ? 16 : promised_alignment(entry, sizes[index])), 0);
            hak_free(block);
        }
}

static void test_alignment_of_entry_points(void **state) {
    (void)state;
    require_alignment(false);
    /* The dense classes are really used where they are allowed. */
    void *block = hak_malloc_object(24), *dense = hak_malloc_align8(40);
    REQUIRE_EQUAL(hak_usable_size(block), 24);
    REQUIRE_EQUAL(hak_usable_size(dense), 40);
    hak_free(block);
    hak_free(dense);
}

static void test_alignment_of_realloc(void **state) {
    (void)state;
    static void *(*const reallocs[])(void *, size_t) = {hak_realloc, hak_realloc_object, hak_realloc_align8,
                                                        hak_realloc_align16};
    for (size_t entry = 0; entry < ENTRY_POINTS; entry++)
        for (size_t from = 0; from <= 200; from += 3)
            for (size_t to = 1; to <= 200; to += 7) {
                void *block = reallocs[entry](entry_points[entry](from), to);
                REQUIRE_EQUAL((uintptr_t)block % promised_alignment(entry, to), 0);
                REQUIRE_AT_LEAST(hak_usable_size(block), to);
                hak_free(block);
            }
}

static void test_option_align_16(void **state) {
    (void)state;
    ChildResult result = child_run_self("align16", (const char *const[]){"HAKMEM_ALIGN=16", NULL});
    child_require_success(&result);
}

static void test_aligned_alloc(void **state) {
    (void)state;
    for (size_t alignment = 1; alignment <= (size_t)1 << 30; alignment *= 2)
        for (size_t index = 0; index < SIZES; index++) {
            void *block = hak_aligned_alloc(alignment, sizes[index]);
            REQUIRE(block != NULL);
            REQUIRE_EQUAL((uintptr_t)block % alignment, 0);
            REQUIRE_AT_LEAST(hak_usable_size(block), sizes[index]);
            pattern_fill(block, sizes[index], alignment);
            REQUIRE(pattern_holds(block, sizes[index], alignment));
            hak_free(block);
        }
    REQUIRE_EQUAL(stats_checked().live_blocks, 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_aligned_alloc_refuses(void **state) {
    (void)state;
    static const size_t alignments[] = {0, 3, 6, 48, 4097, ((size_t)1 << 63) + 1, SIZE_MAX};
    for (size_t index = 0; index < sizeof alignments / sizeof *alignments; index++) {
        volatile size_t alignment = alignments[index];
        errno = 0;
        REQUIRE(hak_aligned_alloc(alignment, 64) == NULL);
        REQUIRE_EQUAL(errno, EINVAL);
    }
}

/* A free mapping that lies on the alignment by chance is used again; one that does not is left alone. */
static void test_aligned_alloc_after_large_frees(void **state) {
    (void)state;
    enum { COUNT = 8, BYTES = 3 << 20 };
    void *blocks[COUNT];
    for (size_t index = 0; index < COUNT; index++) blocks[index] = hak_malloc(BYTES);
    for (size_t index = 0; index < COUNT; index++) hak_free(blocks[index]);
    for (size_t index = 0; index < COUNT; index++) {
        blocks[index] = hak_aligned_alloc((size_t)64 << 20, BYTES);
        REQUIRE(blocks[index] != NULL);
        REQUIRE_EQUAL((uintptr_t)blocks[index] % ((size_t)64 << 20), 0);
    }
    for (size_t index = 0; index < COUNT; index++) hak_free(blocks[index]);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_aligned_alloc_without_addresses(void **state) {
    (void)state;
    for (unsigned shift = 48; shift < 64; shift++) {
        errno = 0;
        REQUIRE(hak_aligned_alloc((size_t)1 << shift, 64) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
    }
}

/* ---- Realloc ---- */

static void test_realloc_keeps_contents(void **state) {
    (void)state;
    for (size_t from = 0; from < SIZES; from++)
        for (size_t to = 0; to < SIZES; to++) {
            void *block = hak_malloc(sizes[from]);
            pattern_fill(block, sizes[from], from * 100 + to);
            block = hak_realloc(block, sizes[to]);
            REQUIRE(block != NULL);
            REQUIRE(pattern_holds_prefix(block, sizes[to], sizes[from], from * 100 + to));
            REQUIRE_AT_LEAST(hak_usable_size(block), sizes[to]);
            hak_free(block);
        }
    REQUIRE_EQUAL(stats_checked().live_blocks, 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_realloc_to_zero_is_a_live_block(void **state) {
    (void)state;
    for (size_t index = 0; index < SIZES; index++) {
        void *block = hak_realloc(hak_malloc(sizes[index]), 0);
        REQUIRE(block != NULL);
        REQUIRE_EQUAL(hak_usable_size(block), 8);
        REQUIRE_EQUAL(stats_now().live_blocks, 1);
        hak_free(block);
    }
}

static void test_realloc_grows_step_by_step(void **state) {
    (void)state;
    size_t size_bytes = 1;
    char *block = hak_malloc(1);
    *block = 0;
    while (size_bytes < 20 * MIB) {
        size_t more = size_bytes + size_bytes / 8 + 1;
        block = hak_realloc(block, more);
        memset(block + size_bytes, (int)(size_bytes & 0x7F), more - size_bytes);
        size_bytes = more;
    }
    for (size_t begin = 1; begin < size_bytes;) {
        size_t end = begin + begin / 8 + 1;
        REQUIRE_EQUAL(block[begin], begin & 0x7F);
        REQUIRE_EQUAL(block[end - 1], begin & 0x7F);
        begin = end;
    }
    while (size_bytes > 1) {
        size_bytes -= size_bytes / 3 + 1;
        block = hak_realloc(block, size_bytes);
        REQUIRE(block != NULL);
        REQUIRE_EQUAL(*block, 0);
    }
    hak_free(block);
}

/* ---- Questions ---- */

static void test_owns_and_usable_size(void **state) {
    (void)state;
    static int in_data;
    int on_stack;
    for (size_t index = 0; index < SIZES; index++) {
        char *block = hak_malloc(sizes[index]);
        REQUIRE_EQUAL(hak_owns(block), 1);
        if (sizes[index] > 0) REQUIRE_EQUAL(hak_owns(block + sizes[index] - 1), 1);
        REQUIRE_EQUAL(hak_owns(block + sizes[index] / 2), 1);
        REQUIRE_AT_LEAST(hak_usable_size(block), sizes[index]);
        memset(block, 1, hak_usable_size(block));
        hak_free(block);
    }
    void *foreign = malloc(10);
    const void *const others[] = {NULL,
                                  &in_data,
                                  &on_stack,
                                  foreign,
                                  (void *)1,
                                  (void *)-1,
                                  (void *)((uintptr_t)1 << 63),
                                  (const void *)(uintptr_t)test_owns_and_usable_size};
    for (size_t index = 0; index < sizeof others / sizeof *others; index++) {
        const void *volatile address = others[index];
        REQUIRE_EQUAL(hak_owns(address), 0);
        REQUIRE_EQUAL(hak_usable_size(address), 0);
        REQUIRE_EQUAL(hak_free_if_owned((void *)(uintptr_t)address), 0);
    }
    free(foreign);
    void *block = hak_malloc(33);
    REQUIRE_EQUAL(hak_free_if_owned(block), 1);
    REQUIRE_EQUAL(stats_checked().live_blocks, 0);
    assert_string_equal(hak_version(), HAK_VERSION_STRING);
}

static void test_errno_is_left_alone(void **state) {
    (void)state;
    static void *blocks[50000];
    errno = 1234;
    for (unsigned round = 0; round < 3; round++) {
        for (size_t number = 0; number < 50000; number++)
            blocks[number] = hak_malloc(number % 1000 == 0 ? 100000 : 16 + number % 500);
        for (size_t index = 0; index < SIZES; index++) hak_free(hak_realloc(hak_calloc(1, sizes[index]), 77));
        for (size_t number = 0; number < 50000; number++) hak_free(blocks[number]);
        hak_free(NULL);
        hak_thread_flush();
        (void)hak_trim();
        (void)stats_now();
        REQUIRE_EQUAL(hak_check(), 0);
    }
    REQUIRE_EQUAL(errno, 1234);
}

int main(int count, char **arguments) {
    (void)arguments;
    if (count > 1) {
        require_alignment(true);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_sizes_are_distinct_blocks),
        cmocka_unit_test(test_monstrous_sizes),
        cmocka_unit_test(test_monstrous_realloc_of_large),
        cmocka_unit_test(test_calloc_overflow),
        cmocka_unit_test(test_calloc_is_zero),
        cmocka_unit_test(test_alignment_of_entry_points),
        cmocka_unit_test(test_alignment_of_realloc),
        cmocka_unit_test(test_option_align_16),
        cmocka_unit_test(test_aligned_alloc),
        cmocka_unit_test(test_aligned_alloc_refuses),
        cmocka_unit_test(test_aligned_alloc_after_large_frees),
        cmocka_unit_test(test_aligned_alloc_without_addresses),
        cmocka_unit_test(test_realloc_keeps_contents),
        cmocka_unit_test(test_realloc_to_zero_is_a_live_block),
        cmocka_unit_test(test_realloc_grows_step_by_step),
        cmocka_unit_test(test_owns_and_usable_size),
        cmocka_unit_test(test_errno_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
