/*
 * unit/test_stack.c - how much of the caller's stack malloc, free, calloc and realloc take at most: programs call
 * them on threads whose stack is as small as the system allows.
 *
 * The stack below the caller is painted, the request is made, and the deepest byte that lost its paint is found.
 */
#include <pthread.h>
#include <string.h>

#include "support/child.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/suite.h"

enum { STACK_BYTES_MAX = 2560, PAINTED_BYTES = 12 << 10, CALLER_BYTES = 256, PAINT = 0xA5 };

static size_t deepest_bytes;
static const char *deepest_step;

/* Both run at the same depth: noinline, with frames of a few bytes. */
__attribute__((noinline)) static void paint(void) {
    char *here = __builtin_frame_address(0);
    memset(here - PAINTED_BYTES, PAINT, PAINTED_BYTES - CALLER_BYTES);
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static size_t used_stack_bytes(void) {
    const uint64_t *word = (const uint64_t *)((char *)__builtin_frame_address(0) - PAINTED_BYTES);
    uint64_t painted;
    memset(&painted, PAINT, sizeof painted);
    size_t below = PAINTED_BYTES;
    for (; below > CALLER_BYTES && *(const volatile uint64_t *)word == painted; below -= sizeof *word) word++;
    return below;
}

static void note(const char *step) {
    size_t bytes = used_stack_bytes();
    if (bytes <= deepest_bytes) return;
    deepest_bytes = bytes;
    deepest_step = step;
}

#define MEASURED(step, request) \
    do {                        \
        paint();                \
        request;                \
        note(step);             \
    } while (0)

enum { BLOCKS = 30000 };
static void *blocks[BLOCKS];
static Random randomness;

static void allocate(size_t size_bytes, size_t count) {
    for (size_t index = 0; index < count; index++) MEASURED("malloc", blocks[index] = hak_malloc(size_bytes));
}

static void shuffle(size_t count) {
    for (size_t index = count - 1; index > 0; index--) {
        size_t other = random_below(&randomness, index + 1);
        void *block = blocks[index];
        blocks[index] = blocks[other];
        blocks[other] = block;
    }
}

static void free_all(const char *step, size_t count) {
    for (size_t index = 0; index < count; index++) MEASURED(step, hak_free(blocks[index]));
}

static void *all_requests(void *unused) {
    static const size_t sizes[] = {8, 16, 48, 160, 512, 2048, 8192, 32768};
    MEASURED("first malloc", blocks[0] = hak_malloc(1));
    MEASURED("first free", hak_free(blocks[0]));
    for (size_t number = 0; number < sizeof sizes / sizeof *sizes; number++) {
        size_t count = sizes[number] < 1024 ? BLOCKS : BLOCKS / 64;
        allocate(sizes[number], count);
        free_all("free in order", count);
        allocate(sizes[number], count);
        shuffle(count);
        free_all("free in no order", count);
    }
    allocate(48, BLOCKS); /* three blocks of each slab in a row: flushes sort them */
    for (size_t index = 0; index + 3 <= BLOCKS; index += 3)
        for (size_t part = 0; part < 3; part++) MEASURED("free in threes", hak_free(blocks[index + part]));
    for (size_t bytes = 40000; bytes < 64 * MIB; bytes = bytes * 3 / 2) {
        MEASURED("large malloc", blocks[0] = hak_malloc(bytes));
        MEASURED("large realloc", blocks[0] = hak_realloc(blocks[0], bytes * 2));
        MEASURED("large calloc", blocks[1] = hak_calloc(1, bytes));
        MEASURED("large shrink", blocks[0] = hak_realloc(blocks[0], bytes / 2));
        MEASURED("large free", hak_free(blocks[0]));
        MEASURED("large free", hak_free(blocks[1]));
    }
    return unused;
}

/* With the helper, which a free starts, and without, where frees give back at once. */
static int measure(const char *delay_ms) {
    REQUIRE_EQUAL(hak_option_set("purge_delay_ms", delay_ms, NULL, 0), 0);
    randomness = random_start(7);
    pthread_t thread;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, all_requests, NULL), 0);
    REQUIRE_EQUAL(pthread_join(thread, NULL), 0);
    if (deepest_bytes > STACK_BYTES_MAX)
        print_error("%s took %zu bytes of stack (purge_delay_ms=%s)\n", deepest_step, deepest_bytes, delay_ms);
    REQUIRE_AT_MOST(deepest_bytes, STACK_BYTES_MAX);
    REQUIRE_AT_LEAST(deepest_bytes, CALLER_BYTES + 1);
    return 0;
}

/* Everything is bound at the start: to bind a function at its first call, also a call inside of the C library, takes
 * 3 KiB of the stack of whoever comes first. */
static void test_stack_is_small(void **state) {
    (void)state;
    if (resident_is_distorted()) skip();
    static const char *const delays_ms[] = {"250", "0"};
    for (size_t number = 0; number < sizeof delays_ms / sizeof *delays_ms; number++) {
        ChildResult result = child_run_self(delays_ms[number], (const char *const[]){"LD_BIND_NOW=1", NULL});
        child_require_success(&result);
    }
}

int main(int count, char **arguments) {
    if (count > 1) return measure(arguments[1]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stack_is_small)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
