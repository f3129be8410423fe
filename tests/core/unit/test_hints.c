/*
 * unit/test_hints.c - a kernel that maps elsewhere than it is asked to: after many refusals it is asked no more, and
 * look-ups are exact wherever the SuperSlabs lie, also where the first one lies so low that half of the window would
 * be below address 0.
 *
 * In unit because the link wraps the OS call that maps. In children, since the window is placed once.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "platform/os.h"
#include "superslab/registry.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/suite.h"

/* ---- The kernel ---- */

static bool ignores_hints, misaligns;
static uintptr_t next_address; /* 0: the kernel's choice */
static unsigned hints_given, maps_anywhere;

/* A slab beyond a multiple of 2 MiB. */
static void *map_misaligned(size_t bytes) {
    size_t wide_bytes = bytes + 2 * SUPERSLAB_BYTES;
    void *wide = mmap(NULL, wide_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(wide != MAP_FAILED);
    uintptr_t begin = (uintptr_t)wide, address = round_up_bytes(begin, SUPERSLAB_BYTES) + SLAB_BYTES;
    REQUIRE_EQUAL(munmap(wide, address - begin), 0);
    REQUIRE_EQUAL(munmap((void *)(address + bytes), begin + wide_bytes - (address + bytes)), 0);
    return (void *)address;
}

void *__real_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes) {
    if (hint != 0)
        hints_given++;
    else
        maps_anywhere++;
    if (next_address != 0 && bytes == SUPERSLAB_BYTES && hint != 0) {
        void *address = (void *)next_address;
        next_address = 0;
        REQUIRE(mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                     0) == address);
        return address;
    }
    if (misaligns) return map_misaligned(bytes);
    return __real_hak_core_os_map(ignores_hints ? 0 : hint, bytes);
}

/* ---- Blocks in many SuperSlabs ---- */

enum { BLOCKS = 200, BLOCK_BYTES = 900000 }; /* two in a SuperSlab */
static unsigned char *blocks[BLOCKS];

static void fill(size_t count) {
    for (size_t number = 0; number < count; number++) {
        REQUIRE((blocks[number] = hak_malloc(BLOCK_BYTES)) != NULL);
        pattern_fill(blocks[number], BLOCK_BYTES, number);
    }
}

static void require_exact_look_ups(size_t count) {
    for (size_t number = 0; number < count; number++) {
        REQUIRE(hak_owns(blocks[number]));
        REQUIRE_AT_LEAST(hak_usable_size(blocks[number]), BLOCK_BYTES);
        REQUIRE(pattern_holds(blocks[number], BLOCK_BYTES, number));
    }
    REQUIRE_EQUAL(hak_check(), 0);
}

static void drop(size_t count) {
    for (size_t number = 0; number < count; number++) hak_free(blocks[number]);
    (void)hak_trim();
    for (size_t number = 0; number < count; number++) REQUIRE(!hak_owns(blocks[number]));
    REQUIRE_EQUAL(hak_check(), 0);
}

/* ---- Hints that are refused ---- */

static void is_asked_no_more(void *unused) {
    (void)unused;
    enum { HINTS_REFUSED_MAX = 100 };
    misaligns = true;
    fill(BLOCKS);
    require_exact_look_ups(BLOCKS);
    REQUIRE_AT_MOST(hints_given, HINTS_REFUSED_MAX);
    unsigned hints_before = hints_given, maps_before = maps_anywhere;
    drop(BLOCKS);
    fill(BLOCKS);
    if (HAK_REGISTRY_WINDOW_SUPERSLABS > BLOCKS) REQUIRE_EQUAL(hints_given, hints_before); /* else it was full before */
    REQUIRE_OP(maps_anywhere, >, maps_before);
    require_exact_look_ups(BLOCKS);
    drop(BLOCKS);
}

static void test_kernel_that_ignores_hints(void **state) {
    (void)state;
    child_must_succeed(is_asked_no_more, NULL);
}

/* ---- A first SuperSlab that lies low ---- */

enum { FEW = 40 };

static void is_found_wherever_the_others_lie(void *address_pointer) {
    uintptr_t address = *(uintptr_t *)address_pointer;
    next_address = address;
    blocks[0] = hak_malloc(BLOCK_BYTES);
    REQUIRE_EQUAL((uintptr_t)blocks[0] & ~(SUPERSLAB_BYTES - 1), address);
    pattern_fill(blocks[0], BLOCK_BYTES, 0);
    ignores_hints = true; /* the others lie at the other end of the address space */
    for (size_t number = 1; number < FEW; number++) {
        REQUIRE((blocks[number] = hak_malloc(BLOCK_BYTES)) != NULL);
        pattern_fill(blocks[number], BLOCK_BYTES, number);
    }
    require_exact_look_ups(FEW);
    REQUIRE(!hak_owns(NULL));
    drop(FEW);
    ignores_hints = false;
    fill(FEW);
    require_exact_look_ups(FEW);
    drop(FEW);
}

static void test_first_superslab_lies_low(void **state) {
    (void)state;
    if (resident_is_distorted()) skip(); /* a sanitizer has its shadow there */
    static uintptr_t addresses[] = {(uintptr_t)1 << 30, (uintptr_t)100 << 30, (uintptr_t)200 << 30};
    for (size_t index = 0; index < sizeof addresses / sizeof *addresses; index++)
        child_must_succeed(is_found_wherever_the_others_lie, &addresses[index]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_that_ignores_hints),
        cmocka_unit_test(test_first_superslab_lies_low),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
