/*
 * unit/test_refused_calls.c - a kernel that unmaps nothing for a while, as at vm.max_map_count: the addresses serve
 * again, no OS page stays for it, the figures stay exact, and all goes when it unmaps again. And one that moves
 * nothing, after it has unmapped the target, and maps nothing for a copy.
 *
 * In unit because the link wraps the OS calls.
 */
#include <string.h>

#include "platform/os.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "unit/refused_purges.h"

/* ---- The kernel ---- */

static _Atomic bool refuses_unmaps;
static _Atomic unsigned unmaps_refused;
static void *_Atomic never_unmapped;

bool __real_hak_core_os_unmap(void *address, size_t bytes);
bool __wrap_hak_core_os_unmap(void *address, size_t bytes);
bool __wrap_hak_core_os_unmap(void *address, size_t bytes) {
    if (!refuses_unmaps && address != never_unmapped) return __real_hak_core_os_unmap(address, bytes);
    unmaps_refused++;
    return false;
}

static uintptr_t next_hint; /* 0: hakmem's */
static bool refuses_maps;

void *__real_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes) {
    if (refuses_maps) return NULL;
    if (next_hint != 0) hint = next_hint;
    next_hint = 0;
    return __real_hak_core_os_map(hint, bytes);
}

static void (*on_refused_move)(void *target); /* NULL: it moves */

bool __real_hak_core_os_move(void *from, size_t bytes, void *to, size_t to_bytes);
bool __wrap_hak_core_os_move(void *from, size_t bytes, void *to, size_t to_bytes);
bool __wrap_hak_core_os_move(void *from, size_t bytes, void *to, size_t to_bytes) {
    if (on_refused_move == NULL) return __real_hak_core_os_move(from, bytes, to, to_bytes);
    REQUIRE(__real_hak_core_os_unmap(to, bytes)); /* a part of it, as would be enough */
    on_refused_move(to);
    return false;
}

void *__real_hak_core_os_extend(void *address, size_t bytes, size_t new_bytes, bool may_move, bool *lacks_room);
void *__wrap_hak_core_os_extend(void *address, size_t bytes, size_t new_bytes, bool may_move, bool *lacks_room);
void *__wrap_hak_core_os_extend(void *address, size_t bytes, size_t new_bytes, bool may_move, bool *lacks_room) {
    *lacks_room = true;
    if (on_refused_move != NULL) return NULL;
    return __real_hak_core_os_extend(address, bytes, new_bytes, may_move, lacks_room);
}

static void kernel_refuses(bool unmaps, bool purges) {
    refuses_unmaps = unmaps;
    refuses_purges = purges;
}

/* ---- Blocks ---- */

enum { BLOCKS_MAX = 20000 };

typedef struct Load {
    size_t count, block_bytes;
} Load;

static unsigned char *blocks[BLOCKS_MAX];

static void fill(Load load) {
    for (size_t number = 0; number < load.count; number++) {
        REQUIRE((blocks[number] = hak_malloc(load.block_bytes)) != NULL);
        pattern_fill(blocks[number], load.block_bytes, number);
    }
    for (size_t number = 0; number < load.count; number++)
        REQUIRE(pattern_holds(blocks[number], load.block_bytes, number));
    REQUIRE_EQUAL(hak_check(), 0);
}

static void drop(Load load) {
    for (size_t number = 0; number < load.count; number++) hak_free(blocks[number]);
    (void)hak_trim();
    REQUIRE_EQUAL(hak_check(), 0);
}

/* ---- Unmapping refused ---- */

static void addresses_serve_again(void *context) {
    Load load = *(const Load *)context;
    fill(load);
    uint64_t full_bytes = stats_checked().mapped_bytes;
    kernel_refuses(true, false);
    for (unsigned round = 0; round < 3; round++) {
        drop(load);
        hak_stats_t stats = stats_checked();
        REQUIRE_EQUAL(stats.mapped_bytes, full_bytes);
        REQUIRE_EQUAL(stats.unbacked_bytes, full_bytes);
        REQUIRE_EQUAL(stats.superslabs_active, 0);
        REQUIRE_EQUAL(stats.superslabs_born, stats.superslabs_died);
        fill(load);
        REQUIRE_EQUAL(stats_checked().mapped_bytes, full_bytes);
    }
    drop(load);
    REQUIRE_OP(unmaps_refused, >, 0);
    char *zeroed = hak_calloc(1, load.block_bytes);
    REQUIRE(zeroed != NULL && pattern_is_zero(zeroed, load.block_bytes));
    hak_free(zeroed);
    kernel_refuses(false, false);
    stats_require_all_returned();
    REQUIRE_EQUAL(stats_checked().mapped_bytes, 0);
}

static void resident_bytes_stay_counted(void *context) {
    Load load = *(const Load *)context;
    fill(load);
    uint64_t full_bytes = stats_checked().mapped_bytes;
    kernel_refuses(true, true);
    for (unsigned round = 0; round < 2; round++) {
        drop(load);
        hak_stats_t stats = stats_checked();
        REQUIRE_EQUAL(stats.mapped_bytes, full_bytes);
        REQUIRE_AT_LEAST(stats.free_resident_bytes, load.count * load.block_bytes);
        fill(load);
        REQUIRE_EQUAL(stats_checked().mapped_bytes, full_bytes);
    }
    drop(load);
    kernel_refuses(true, false);
    (void)hak_trim();
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, 0);
    kernel_refuses(false, false);
    stats_require_all_returned();
    REQUIRE_EQUAL(stats_checked().mapped_bytes, 0);
}

static const Load loads[] = {{20000, 1000}, {40, 500000}};

static void each_in_a_child(void (*run)(void *)) {
    for (size_t index = 0; index < sizeof loads / sizeof *loads; index++) {
        Load load = loads[index];
        child_must_succeed(run, &load);
    }
}

static void test_addresses_serve_again(void **state) {
    (void)state;
    each_in_a_child(addresses_serve_again);
}

static void test_resident_bytes_stay_counted(void **state) {
    (void)state;
    each_in_a_child(resident_bytes_stay_counted);
}

/* Without a trim: the next purge that is due. */
static void goes_with_the_next_purge(void *context) {
    Load load = *(const Load *)context;
    stats_option_set("retain_bytes", "0");
    stats_option_set("retain_percent", "0");
    stats_option_set("purge_delay_ms", "0");
    fill(load);
    kernel_refuses(true, false);
    drop(load);
    REQUIRE_OP(stats_checked().mapped_bytes, >, 0);
    kernel_refuses(false, false);
    fill((Load){2, load.block_bytes});
    for (size_t number = 0; number < 2; number++) hak_free(blocks[number]);
    REQUIRE_EQUAL(stats_checked().mapped_bytes, 0);
}

static void test_all_goes_with_the_next_purge(void **state) {
    (void)state;
    each_in_a_child(goes_with_the_next_purge);
}

/* A piece of a mapping it may refuse for ever. */
static void others_go(void *context) {
    Load load = *(const Load *)context;
    fill(load);
    never_unmapped = (void *)((uintptr_t)blocks[load.count / 2] & ~(2 * MIB - 1));
    kernel_refuses(true, false);
    drop(load);
    REQUIRE_AT_LEAST(stats_checked().mapped_bytes, load.count * load.block_bytes);
    kernel_refuses(false, false);
    for (unsigned tries = 0; tries < 3; tries++) (void)hak_trim();
    REQUIRE_EQUAL(stats_checked().mapped_bytes, 2 * MIB);
    REQUIRE_EQUAL(hak_check(), 0);
    never_unmapped = NULL;
    stats_require_all_returned();
}

static void test_others_go_while_one_is_refused(void **state) {
    (void)state;
    each_in_a_child(others_go);
}

/* ---- A move refused ---- */

enum { OLD_BYTES = 9 * MIB, NEW_BYTES = 40 * MIB };

static size_t other_bytes;
static unsigned char *other;

/* As another thread might in that moment. */
static void take_the_target(void *target) {
    next_hint = (uintptr_t)target;
    REQUIRE((other = hak_malloc(other_bytes)) != NULL);
    REQUIRE_OP((uintptr_t)other - (uintptr_t)target, <, OLD_BYTES);
    pattern_fill(other, other_bytes, 1);
}

static void target_is_anothers(void *bytes_pointer) {
    other_bytes = *(size_t *)bytes_pointer;
    unsigned char *block = hak_malloc(OLD_BYTES);
    pattern_fill(block, OLD_BYTES, 2);
    on_refused_move = take_the_target;
    REQUIRE((block = hak_realloc(block, NEW_BYTES)) != NULL);
    on_refused_move = NULL;
    REQUIRE(pattern_holds_prefix(block, NEW_BYTES, OLD_BYTES, 2));
    REQUIRE(other != NULL && hak_owns(other));
    REQUIRE_AT_LEAST(hak_usable_size(other), other_bytes);
    REQUIRE(pattern_holds(other, other_bytes, 1));
    REQUIRE_EQUAL(hak_check(), 0);
    hak_free(other);
    hak_free(block);
    stats_require_all_returned();
}

static void test_target_of_a_refused_move_is_anothers(void **state) {
    (void)state;
    static size_t sizes[] = {500, 500000, 2 * MIB};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        child_must_succeed(target_is_anothers, &sizes[index]);
    }
}

static void refuse_maps(void *target) {
    (void)target;
    refuses_maps = true;
}

/* Neither moved nor copied: the block lives on where it was, in all of its 2 MiB units. */
static void block_stays(void *unused) {
    (void)unused;
    char *block = hak_malloc(OLD_BYTES);
    REQUIRE(block != NULL);
    pattern_fill(block, OLD_BYTES, 2);
    on_refused_move = refuse_maps;
    REQUIRE(hak_realloc(block, NEW_BYTES) == NULL);
    on_refused_move = NULL;
    refuses_maps = false;
    for (size_t offset = 0; offset < OLD_BYTES; offset += SLAB_BYTES) REQUIRE(hak_owns(block + offset));
    REQUIRE_AT_LEAST(hak_usable_size(block), OLD_BYTES);
    REQUIRE(pattern_holds(block, OLD_BYTES, 2));
    REQUIRE_EQUAL(hak_check(), 0);
    hak_free(block);
    stats_require_all_returned();
}

static void test_block_stays_where_nothing_serves(void **state) {
    (void)state;
    child_must_succeed(block_stays, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_serve_again),
        cmocka_unit_test(test_resident_bytes_stay_counted),
        cmocka_unit_test(test_all_goes_with_the_next_purge),
        cmocka_unit_test(test_others_go_while_one_is_refused),
        cmocka_unit_test(test_target_of_a_refused_move_is_anothers),
        cmocka_unit_test(test_block_stays_where_nothing_serves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
