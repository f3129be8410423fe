/*
 * contract.c - what glibc's malloc promises, asked of the malloc in force. Ends with 0 on glibc's own, too.
 *
 *     contract
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

enum { ERRNO_MARK = 4711 };

static int is_aligned(const void *block, size_t alignment) { return (uintptr_t)block % alignment == 0; }

/* Every byte up to malloc_usable_size may be written, and is kept by others. */
static void fill_usable(void *block, size_t size) {
    size_t usable = malloc_usable_size(block);
    REQUIRE(usable >= size);
    memset(block, 0xA5, usable);
}

static void test_sizes(void) {
    static const size_t sizes[] = {0,    1,    7,     8,     9,     15,     16,      17,      24,      100,     512,
                                   1000, 4096, 32768, 32769, 65536, 100000, 1048576, 1048577, 3000000, 10000000};
    void *blocks[sizeof sizes / sizeof *sizes];
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        blocks[index] = malloc(sizes[index]);
        REQUIRE(blocks[index] != NULL && is_aligned(blocks[index], 16));
        fill_usable(blocks[index], sizes[index]);
    }
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        unsigned char *zeros = calloc(1, sizes[index]);
        REQUIRE(zeros != NULL && is_aligned(zeros, 16));
        for (size_t offset = 0; offset < sizes[index]; offset++) REQUIRE(zeros[offset] == 0);
        free(zeros);
        for (size_t offset = 0; offset < sizes[index]; offset++)
            REQUIRE(((unsigned char *)blocks[index])[offset] == 0xA5);
        free(blocks[index]);
    }
}

static void test_errno_is_kept_by_free(void) {
    for (size_t size = 1; size < (64u << 20); size *= 3) {
        void *block = malloc(size);
        memset(block, 1, size);
        errno = ERRNO_MARK;
        free(hidden(block));
        REQUIRE(errno == ERRNO_MARK);
    }
    errno = ERRNO_MARK;
    free(hidden(NULL));
    REQUIRE(errno == ERRNO_MARK);
}

/* The compiler believes that posix_memalign leaves errno alone. */
static int (*volatile visible_posix_memalign)(void **, size_t, size_t) = posix_memalign;

static void test_refusals(void) {
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1, (size_t)PTRDIFF_MAX};
    void *kept = malloc(100);
    memset(kept, 7, 100);
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        size_t size = hidden_size(sizes[index]);
        errno = 0;
        REQUIRE(malloc(size) == NULL && errno == ENOMEM);
        errno = 0;
        REQUIRE(calloc(size, 1) == NULL && errno == ENOMEM);
        errno = 0;
        REQUIRE(calloc(size, 3) == NULL && errno == ENOMEM);
        errno = 0;
        REQUIRE(realloc(kept, size) == NULL && errno == ENOMEM);
        errno = 0;
        REQUIRE(reallocarray(kept, size, 2) == NULL && errno == ENOMEM);
        errno = 0;
        REQUIRE(memalign(64, size) == NULL && errno == ENOMEM);
        void *aligned = kept;
        errno = 0;
        REQUIRE(visible_posix_memalign(&aligned, 64, size) == ENOMEM && aligned == kept && errno == ENOMEM);
        errno = 0;
        REQUIRE(valloc(size) == NULL && errno == ENOMEM);
        errno = 0;
        REQUIRE(pvalloc(size) == NULL && errno == ENOMEM);
    }
    for (size_t offset = 0; offset < 100; offset++) REQUIRE(((char *)kept)[offset] == 7);
    free(kept);
}

static void test_realloc(void) {
    char *block = realloc(NULL, 10);
    REQUIRE(block != NULL);
    memset(block, 3, 10);
    for (size_t size = 10; size < (8u << 20); size = size * 5 / 2) {
        block = realloc(block, size * 5 / 2);
        REQUIRE(block != NULL && is_aligned(block, 16));
        for (size_t offset = 0; offset < size; offset += 97) REQUIRE(block[offset] == 3);
        memset(block, 3, size * 5 / 2);
    }
    while (malloc_usable_size(block) > 64) {
        size_t size = malloc_usable_size(block) / 3;
        block = realloc(block, size);
        REQUIRE(block != NULL);
        for (size_t offset = 0; offset < size; offset += 97) REQUIRE(block[offset] == 3);
    }
    REQUIRE(realloc(block, hidden_size(0)) == NULL); /* frees */
    block = realloc(NULL, hidden_size(0));
    REQUIRE(block != NULL);
    free(block);
    block = reallocarray(NULL, 10, 10);
    REQUIRE(block != NULL);
    fill_usable(block, 100);
    free(block);
}

static void test_alignment(void) {
    for (size_t alignment = 1; alignment <= ((size_t)256 << 20); alignment *= 2) {
        static const size_t sizes[] = {0, 1, 24, 4000, 70000, 2500000};
        for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
            size_t size = sizes[index];
            void *block = aligned_alloc(alignment, size), *other = memalign(alignment, size), *third = NULL;
            REQUIRE(block != NULL && is_aligned(block, alignment));
            REQUIRE(other != NULL && is_aligned(other, alignment));
            fill_usable(block, size);
            fill_usable(other, size);
            int error = posix_memalign(&third, alignment, size);
            REQUIRE(error == (alignment < sizeof(void *) ? EINVAL : 0));
            REQUIRE(error != 0 || is_aligned(third, alignment));
            block = realloc(block, size + 100);
            REQUIRE(block != NULL && (size == 0 || *(unsigned char *)block == 0xA5));
            free(block);
            free(other);
            free(third);
        }
    }
    void *block = NULL;
    REQUIRE(posix_memalign(&block, 0, 100) == EINVAL);
    REQUIRE(posix_memalign(&block, 24, 100) == EINVAL);
    REQUIRE(posix_memalign(&block, 4, 100) == EINVAL);
    block = memalign(hidden_size(48), 100); /* rounded up */
    REQUIRE(block != NULL && is_aligned(block, 64));
    free(block);
    errno = 0;
    REQUIRE(memalign(hidden_size(SIZE_MAX / 2 + 2), 1) == NULL && errno == EINVAL);
    REQUIRE(memalign(hidden_size(SIZE_MAX / 2 + 1), 1) == NULL && errno == ENOMEM);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    block = valloc(100);
    REQUIRE(is_aligned(block, page));
    free(block);
    block = pvalloc(page + 1);
    REQUIRE(is_aligned(block, page) && malloc_usable_size(block) >= 2 * page);
    free(block);
}

static void test_look_ups(void) {
    REQUIRE(malloc_usable_size(NULL) == 0);
    REQUIRE(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
    void *blocks[100];
    for (size_t index = 0; index < 100; index++) blocks[index] = malloc(50000);
#if __GLIBC_PREREQ(2, 33)
    struct mallinfo2 info = mallinfo2();
    REQUIRE(info.uordblks + info.hblkhd >= 100 * 50000 && info.fordblks < ((size_t)1 << 30));
#endif
    for (size_t index = 0; index < 100; index++) free(blocks[index]);
    (void)malloc_trim(0);
    FILE *null = fopen("/dev/null", "w");
    REQUIRE(malloc_info(0, null) == 0);
    REQUIRE(malloc_info(1, null) != 0);
    fclose(null);
}

int main(void) {
    test_sizes();
    test_errno_is_kept_by_free();
    test_refusals();
    test_realloc();
    test_alignment();
    test_look_ups();
    return 0;
}
