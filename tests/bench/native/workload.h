/*
 * workload.h - what the C programs of `make bench-speed` share: the allocator that is measured, random sizes, clocks.
 *
 * Built with BENCH_HAKMEM the programs call hakmem; with BENCH_NO_ALLOCATOR they get addresses in a small buffer that
 * is touched already, which shows what the loops and the machine cost; else malloc, whichever is preloaded.
 *
 * With BENCH_VERIFY each block says what it is, byte by byte, from make to unmake: then the figures are no figures,
 * and the program is a test (tests/core/CMakeLists.txt).
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { SMALLEST_BYTES = 16, LARGEST_BYTES = 512 };

#if defined(BENCH_HAKMEM)
#include <hakmem.h>
#define allocate hak_malloc
#define release hak_free
#elif defined(BENCH_NO_ALLOCATOR)
static inline void *allocate(size_t size_bytes) {
    static char buffer[64 * 1024];
    static size_t used_bytes;
    used_bytes = (used_bytes + size_bytes) % (sizeof buffer - LARGEST_BYTES);
    return buffer + used_bytes / sizeof(void *) * sizeof(void *);
}
static inline void release(void *block) { (void)block; }
#else
#define allocate malloc
#define release free
#endif

#if defined(BENCH_VERIFY)
enum { IS_VERIFYING = 1 };
#else
enum { IS_VERIFYING = 0 };
#endif

/* The first word is the size, all other bytes follow from the address; both are mixed, so that no other block's
 * pass. */
static inline uint64_t pattern_of(const void *block) { return (uint64_t)(uintptr_t)block * 0x9E3779B97F4A7C15u; }

static inline void pattern_write(void *block, size_t size_bytes) {
    uint64_t pattern = pattern_of(block), first = pattern ^ size_bytes;
    memcpy(block, &first, sizeof first);
    for (size_t i = sizeof first; i < size_bytes; i++)
        ((unsigned char *)block)[i] = (unsigned char)(pattern >> 8 * (i % 8));
}

static inline void pattern_verify(const void *block) {
    uint64_t pattern = pattern_of(block), size_bytes;
    memcpy(&size_bytes, block, sizeof size_bytes);
    size_bytes ^= pattern;
    size_t i = sizeof size_bytes;
    while (size_bytes <= LARGEST_BYTES && i < size_bytes &&
           ((const unsigned char *)block)[i] == (unsigned char)(pattern >> 8 * (i % 8)))
        i++;
    if (size_bytes <= LARGEST_BYTES && i == size_bytes) return;
    fprintf(stderr, "block %p is not what was written: at byte %zu\n", block, size_bytes <= LARGEST_BYTES ? i : 0);
    abort();
}

/* A block whose first word is written, as a program would. */
static inline void *make(size_t size_bytes) {
    void **block = allocate(size_bytes);
    if (block == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    *block = block;
    if (IS_VERIFYING) pattern_write(block, size_bytes);
    return block;
}

static inline void unmake(void *block) {
    if (IS_VERIFYING) pattern_verify(block);
    release(block);
}

/* xorshift64 */
#define RANDOM_SEED 88172645463325252u
static inline uint64_t next_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

static inline size_t random_size(uint64_t random) {
    return SMALLEST_BYTES + (random & 0xffff) % (LARGEST_BYTES - SMALLEST_BYTES + 1);
}

/* Room for `count` addresses, touched already, that comes from the OS: the allocator does not see it. */
static inline void **slots_from_os(size_t count) {
    size_t size_bytes = count * sizeof(void *);
    void *slots = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (slots == MAP_FAILED) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return slots;
}

/* Frees a random block and makes another one of a random size, `steps` times. */
static inline void slots_replace(void **slots, size_t count, uint64_t *random, size_t steps) {
    for (size_t i = 0; i < steps; i++) {
        uint64_t drawn = next_random(random);
        void **slot = &slots[((drawn >> 32) * count) >> 32];
        unmake(*slot);
        *slot = make(random_size(drawn));
    }
}

static inline double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void sleep_seconds(double seconds) {
    struct timespec span = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&span, NULL);
}

/* From smaps_rollup, which is exact; not through stdio, whose buffers would come from the allocator. */
static inline long long resident_bytes(void) {
    char text[4096];
    int file = open("/proc/self/smaps_rollup", O_RDONLY);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) close(file);
    if (length < 0) return -1;
    text[length] = '\0';
    const char *found = strstr(text, "Rss:");
    return found == NULL ? -1 : atoll(found + 4) * 1024;
}

#endif
