/*
 * unit/test_mapping_growth.c - large blocks that grow where the kernel has no room for both lengths: in place, or
 * wherever it extends them, aligned or not; refused at each system call; and what is cut off behind blocks.
 *
 * In unit because the link wraps the OS calls, and blocks are cut by a function of the core.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/os.h"
#include "superslab/mapping.h"
#include "superslab/metadata.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

/* ---- The kernel ---- */

/* Where it extends what it does not extend in place: one OS page behind a multiple of 2 MiB, each time or at first,
 * and directly below that then. */
typedef enum Place { ANYWHERE, UNALIGNED, UNALIGNED_THEN_BELOW, REFUSED } Place;

static Place place;
static bool refuses_in_place, refuses_whole_units;
static size_t map_bytes_max = SIZE_MAX; /* refuses to map more than this, */
static size_t map_bytes_min;            /* or less than this */
static uintptr_t far_address;           /* 0: near others */
static unsigned extended_in_place, extended_elsewhere;

void *__real_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes) {
    if (bytes > map_bytes_max || bytes < map_bytes_min) return NULL;
    return __real_hak_core_os_map(hint, bytes);
}

/* For one length and the difference, not for both lengths. */
static void leave_room_to_grow(size_t from_bytes, size_t bytes) {
    map_bytes_max =
        round_up_bytes(bytes, SUPERSLAB_BYTES) - from_bytes / SUPERSLAB_BYTES * SUPERSLAB_BYTES + SUPERSLAB_BYTES;
}

/* In the middle of addresses that nobody else uses, one OS page behind a multiple of 2 MiB. */
static void *move_to_unaligned(void *address, size_t bytes, size_t new_bytes) {
    size_t area_bytes = 2 * new_bytes + 8 * MIB;
    char *area = mmap((void *)far_address, area_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(area != MAP_FAILED);
    char *target = (char *)round_up_bytes((uintptr_t)area + new_bytes, 2 * MIB) + os_page_bytes;
    REQUIRE_EQUAL(munmap(area, area_bytes), 0);
    return os_move(address, bytes, target, new_bytes) ? target : NULL;
}

void *__real_hak_core_os_extend(void *address, size_t bytes, size_t new_bytes, bool may_move, bool *lacks_room);
void *__wrap_hak_core_os_extend(void *address, size_t bytes, size_t new_bytes, bool may_move, bool *lacks_room);
void *__wrap_hak_core_os_extend(void *address, size_t bytes, size_t new_bytes, bool may_move, bool *lacks_room) {
    *lacks_room = true;
    if (place == REFUSED || (refuses_in_place && !may_move)) return NULL;
    if (refuses_whole_units && new_bytes % SUPERSLAB_BYTES == 0) return NULL;
    char *below = (char *)address - new_bytes, *extended;
    if (!may_move || place == ANYWHERE)
        extended = __real_hak_core_os_extend(address, bytes, new_bytes, may_move, lacks_room);
    else if (place == UNALIGNED || (uintptr_t)address % SUPERSLAB_BYTES == 0)
        extended = move_to_unaligned(address, bytes, new_bytes);
    else
        extended = os_move(address, bytes, below, new_bytes) ? below : NULL;
    if (extended != NULL && may_move) extended_elsewhere++;
    if (extended != NULL && !may_move) extended_in_place++;
    return extended;
}

/* ---- Blocks ---- */

enum { KEY = 3 };

/* With its contents; the block is checked in the state that it leaves. */
static char *grow(char *block, size_t from_bytes, size_t bytes) {
    leave_room_to_grow(from_bytes, bytes);
    char *grown = hak_realloc(block, bytes);
    REQUIRE(grown != NULL);
    REQUIRE_EQUAL((uintptr_t)grown % SUPERSLAB_BYTES, 0);
    REQUIRE(pattern_holds_prefix(grown, from_bytes, from_bytes, KEY));
    REQUIRE_AT_LEAST(hak_usable_size(grown), bytes);
    REQUIRE(hak_owns(grown) && hak_owns(grown + bytes - 1));
    if (grown != block) REQUIRE(!hak_owns(block) || (block > grown && block < grown + bytes));
    pattern_fill(grown, bytes, KEY);
    REQUIRE_EQUAL(hak_check(), 0);
    (void)stats_checked();
    return grown;
}

static void drop(char *block) {
    map_bytes_max = SIZE_MAX;
    hak_free(block);
    stats_require_all_returned();
    REQUIRE_EQUAL(hak_check(), 0);
}

static void require_refused(char *block, size_t bytes, size_t new_bytes) {
    leave_room_to_grow(bytes, new_bytes);
    errno = 0;
    REQUIRE(hak_realloc(block, new_bytes) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE(pattern_holds(block, bytes, KEY));
    REQUIRE(hak_owns(block) && hak_owns(block + bytes - 1) && !hak_owns(block + round_up_bytes(bytes, 2 * MIB)));
    REQUIRE_EQUAL(hak_check(), 0);
    (void)stats_checked();
}

static size_t address_space_bytes(void) {
    char text[64];
    FILE *file = fopen("/proc/self/statm", "r");
    REQUIRE(file != NULL && fgets(text, sizeof text, file) != NULL);
    REQUIRE_EQUAL(fclose(file), 0);
    return strtoull(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- Without room for both lengths ---- */

enum { STEPS = 6, ROUNDS = 4 };

static void grow_step_by_step(void) {
    size_t bytes = 3 * MIB / 2;
    char *block = pattern_block(bytes, KEY);
    for (unsigned steps = 0; steps < STEPS; steps++) {
        block = grow(block, bytes, bytes + bytes / 2 + 12345);
        bytes += bytes / 2 + 12345;
    }
    for (; bytes > 2 * MIB; bytes /= 2) REQUIRE(hak_realloc(block, bytes) == block); /* with a tail */
    pattern_fill(block, bytes, KEY);
    block = grow(block, bytes, 24 * MIB);
    drop(block);
}

/* Nothing of the places on the way is left, and no metadata is lost. */
static void grows(void *place_pointer) {
    stats_option_set("purge_delay_ms", "0");
    place = *(Place *)place_pointer;
    refuses_in_place = place != ANYWHERE;
    grow_step_by_step();
    uint64_t metadata_bytes = stats_now().metadata_bytes;
    size_t begin_bytes = address_space_bytes();
    for (unsigned rounds = 0; rounds < ROUNDS; rounds++) grow_step_by_step();
    REQUIRE_AT_LEAST(refuses_in_place ? extended_elsewhere : extended_in_place + extended_elsewhere, STEPS);
    REQUIRE_EQUAL(stats_now().metadata_bytes, metadata_bytes);
    if (!resident_is_distorted()) REQUIRE_AT_MOST(address_space_bytes(), begin_bytes);
}

static void test_grows(void **state) {
    (void)state;
    for (Place each = ANYWHERE; each < REFUSED; each++) child_must_succeed(grows, &each);
}

/* Where the second place is aligned nothing is copied: untouched OS pages stay so. */
static void is_moved_not_copied(void *unused) {
    (void)unused;
    refuses_in_place = true;
    place = UNALIGNED_THEN_BELOW;
    char *block = hak_malloc(33 * MIB);
    REQUIRE(block != NULL);
    block[20 * MIB] = 1;
    leave_room_to_grow(33 * MIB, 64 * MIB);
    REQUIRE((block = hak_realloc(block, 64 * MIB)) != NULL);
    REQUIRE_EQUAL(extended_elsewhere, 2);
    REQUIRE_EQUAL(block[20 * MIB], 1);
    REQUIRE_AT_MOST(resident_bytes_in(block, 64 * MIB), resident_os_page_bytes());
    drop(block);
}

static void test_is_moved_not_copied(void **state) {
    (void)state;
    resident_run(is_moved_not_copied, NULL);
}

/* ---- Refused calls ---- */

/* Room for a part of 2 MiB suffices. */
static void last_room_is_used(void *unused) {
    (void)unused;
    char *block = pattern_block(3 * MIB, KEY);
    refuses_whole_units = true;
    block = grow(block, 3 * MIB, 4 * MIB + 1000);
    REQUIRE_EQUAL(stats_checked().mapped_bytes, 4 * MIB + SLAB_BYTES);
    require_refused(block, 4 * MIB + 1000, 6 * MIB);
    refuses_whole_units = false;
    drop(block);
}

static void nothing_serves(void *unused) {
    (void)unused;
    char *block = pattern_block(3 * MIB, KEY);
    place = REFUSED;
    require_refused(block, 3 * MIB, 40 * MIB);
    place = ANYWHERE;
    drop(grow(block, 3 * MIB, 40 * MIB));
}

/* Each call in its turn, until a growth needs fewer. The block is where it was, or grown. */
static void each_call_is_refused(void *place_pointer) {
    enum { CALLS_MAX = 40 };
    place = *(Place *)place_pointer;
    refuses_in_place = place != ANYWHERE;
    uint64_t call = 0, calls = 0;
    do {
        REQUIRE_OP(++call, <, CALLS_MAX);
        char *block = pattern_block(3 * MIB, KEY);
        leave_room_to_grow(3 * MIB, 20 * MIB);
        os_fault_at(call);
        char *grown = hak_realloc(block, 20 * MIB);
        calls = os_fault_calls();
        os_fault_at(0);
        if (grown == NULL) grown = block;
        REQUIRE(pattern_holds_prefix(grown, 3 * MIB, 3 * MIB, KEY));
        REQUIRE_EQUAL(hak_check(), 0);
        (void)stats_checked();
        drop(grown);
    } while (calls >= call);
    REQUIRE_OP(call, >, refuses_in_place ? 2 : 1);
}

/* The kernel moves no block of which a part is locked: it is copied, and no addresses are lost. */
static void part_is_locked(void *unused) {
    (void)unused;
    stats_option_set("purge_delay_ms", "0");
    size_t begin_bytes = 0;
    for (unsigned rounds = 0; rounds < 4; rounds++) {
        char *block = pattern_block(3 * MIB, KEY);
        REQUIRE_EQUAL(mlock(block + MIB, os_page_bytes), 0);
        char *grown = hak_realloc(block, 40 * MIB);
        REQUIRE(grown != NULL && pattern_holds_prefix(grown, 3 * MIB, 3 * MIB, KEY));
        drop(grown);
        if (rounds == 0) begin_bytes = address_space_bytes();
    }
    REQUIRE_AT_MOST(address_space_bytes(), begin_bytes);
}

enum { LEAF_FAR_TIB = 20 };

/* Memory for the registry is there before the mapping moves. */
static void no_memory_for_the_registry(void *unused) {
    (void)unused;
    char *block = pattern_block(3 * MIB, KEY);
    map_bytes_min = (2 << 20) + 1;
    for (size_t bytes = MIB; bytes >= os_page_bytes; bytes /= 2)
        for (unsigned pieces = 0; pieces < 4 && metadata_map(bytes) != NULL; pieces++) {}
    far_address = (uintptr_t)LEAF_FAR_TIB << 40;
    refuses_in_place = true;
    place = UNALIGNED;
    require_refused(block, 3 * MIB, 40 * MIB);
    REQUIRE_EQUAL(extended_elsewhere, 0);
    map_bytes_min = 0;
    block = grow(block, 3 * MIB, 30 * MIB);
    REQUIRE_OP((uintptr_t)block, >=, far_address);
    drop(block);
}

static void test_refused(void **state) {
    (void)state;
    child_must_succeed(last_room_is_used, NULL);
    child_must_succeed(nothing_serves, NULL);
    for (Place each = ANYWHERE; each < REFUSED; each++) child_must_succeed(each_call_is_refused, &each);
    if (!resident_is_distorted()) child_must_succeed(part_is_locked, NULL);
    child_must_succeed(no_memory_for_the_registry, NULL);
}

/* ---- Cut ---- */

enum { CUT_BYTES = (1 << 20) + 1, KEPT_BYTES = (1 << 20) + (int)SLAB_BYTES };

static void is_cut_and_grows(void *unused) {
    (void)unused;
    char *block = pattern_block(3 * MIB, KEY);
    REQUIRE(hak_realloc(block, CUT_BYTES) == block); /* with a backed tail */
    pattern_fill(block, CUT_BYTES, KEY);
    REQUIRE_EQUAL(stats_checked().mapped_bytes, 4 * MIB);
    uint64_t purged_bytes = stats_now().purged_bytes_total;
    for (unsigned times = 0; times < 2; times++) { /* at the second nothing is left to cut */
        mapping_cut_all();
        hak_stats_t stats = stats_checked();
        REQUIRE_EQUAL(stats.mapped_bytes, KEPT_BYTES);
        REQUIRE_EQUAL(stats.purged_bytes_total - purged_bytes, 3 * MIB - KEPT_BYTES);
        REQUIRE_EQUAL(stats.live_bytes, MIB + os_page_bytes);
        REQUIRE_EQUAL(hak_check(), 0);
        REQUIRE(pattern_holds(block, CUT_BYTES, KEY));
    }

    /* The addresses behind it are anybody's. */
    char *hole = block + KEPT_BYTES;
    REQUIRE(!hak_owns(hole) && !hak_owns(block + 2 * MIB));
    REQUIRE(mmap(hole, SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == hole);
    memset(hole, 1, SLAB_BYTES);
    REQUIRE_EQUAL(hak_free_if_owned(hole), 0);
    REQUIRE(grow(block, CUT_BYTES, KEPT_BYTES) == block);
    char *grown = grow(block, KEPT_BYTES, 2 * MIB);
    REQUIRE(grown != block);
    for (size_t offset = 0; offset < SLAB_BYTES; offset++) REQUIRE_EQUAL(hole[offset], 1);
    REQUIRE(!hak_owns(hole) && !hak_owns(block));

    /* A cut mapping serves again. */
    REQUIRE(hak_realloc(grown, CUT_BYTES) == grown);
    mapping_cut_all();
    hak_free(grown);
    char *zeroed = hak_calloc(1, CUT_BYTES);
    REQUIRE(zeroed == grown && pattern_is_zero(zeroed, CUT_BYTES));
    drop(zeroed);
}

enum { THREADS = 3, RESIZES = 1500 };
static _Atomic unsigned resizers_left = THREADS - 1;

static void resize_or_cut(void *seed_pointer, size_t number) {
    if (number == 0) {
        for (; atomic_load(&resizers_left) > 0; resident_sleep_ms(1)) mapping_cut_all();
        return;
    }
    Random random = random_start(*(const uint64_t *)seed_pointer + number);
    size_t bytes = MIB + MIB / 2;
    char *block = pattern_block(bytes, KEY);
    for (size_t round = 0; round < RESIZES * suite_scale(); round++) {
        size_t next_bytes = MIB + 1 + random_below(&random, 6 * MIB);
        block = hak_realloc(block, next_bytes);
        REQUIRE(block != NULL);
        REQUIRE(pattern_holds_prefix(block, next_bytes, bytes, KEY));
        bytes = next_bytes;
        pattern_fill(block, bytes, KEY);
        if (round % 64 == 0) REQUIRE_EQUAL(hak_check(), 0);
    }
    hak_free(block);
    atomic_fetch_sub(&resizers_left, 1);
}

static void resizes_while_another_cuts(void *unused) {
    (void)unused;
    leave_room_to_grow(MIB, 7 * MIB);
    uint64_t seed = random_seed();
    threads_run(THREADS, resize_or_cut, &seed);
    stats_require_all_returned();
}

static void test_cut(void **state) {
    (void)state;
    child_must_succeed(is_cut_and_grows, NULL);
    child_must_succeed(resizes_while_another_cuts, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_is_moved_not_copied),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
