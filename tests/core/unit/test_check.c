/*
 * unit/test_check.c - hak_check: finds a slab that no list has, or the wrong one, and says which slab it is; finds a
 * list that is in use and not marked so, and one that is marked and empty; and takes time in proportion to the heap,
 * because slow paths of all threads wait for it.
 *
 * In unit because it damages the core's own structures. Each case is a process of its own.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cache/magazine.h"
#include "heap/heap.h"
#include "heap/heap_all.h"
#include "superslab/registry.h"
#include "superslab/superslab.h"
#include "superslab/supply.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { BLOCK_BYTES = 1024, SLABS = 40, BLOCKS = SLABS * (int)(SLAB_BYTES / BLOCK_BYTES) };

static Slab *slab_of(void *block) {
    SuperSlab *superslab = ptr_to_superslab(block);
    return &superslab->slab[((uintptr_t)block >> SLAB_SHIFT) % SLABS_PER_SUPERSLAB];
}

/* Fills many slabs of one class, so that the list of full ones is long. Returns a slab in the middle of it. */
static Slab *middle_of_a_list(void) {
    static char *block[BLOCKS];
    for (size_t number = 0; number < BLOCKS; number++) REQUIRE((block[number] = hak_malloc(BLOCK_BYTES)) != NULL);
    REQUIRE_EQUAL(hak_check(), 0);
    Slab *slab = slab_of(block[BLOCKS / 2]);
    REQUIRE_EQUAL(slab->list, SLAB_LIST_FULL);
    REQUIRE(slab->owner == heap_of_thread);
    REQUIRE(slab->previous != NULL && slab->next != NULL && slab->next->next != NULL);
    return slab;
}

/* Each of these damages one thing and returns the slab that has to be named. */

static Slab *next_is_cut(Slab *slab) {
    Slab *lost = slab->next->next;
    slab->next = NULL;
    return lost;
}

static Slab *next_skips_one(Slab *slab) {
    Slab *skipped = slab->next;
    slab->next = skipped->next;
    slab->next->previous = slab;
    return skipped;
}

static Slab *next_is_itself(Slab *slab) {
    slab->next = slab;
    return slab;
}

static Slab *next_leads_back(Slab *slab) {
    Slab *lost = slab->next;
    slab->next = slab->previous;
    return lost;
}

static Slab *previous_is_another(Slab *slab) {
    slab->previous = slab->next;
    return slab;
}

static Slab *head_is_lost(Slab *slab) {
    heap_of_thread->class[slab->class_index].list[SLAB_LIST_FULL] = NULL;
    return slab;
}

/* All links in the ring fit each other, but no head leads to it. */
static Slab *ring_is_apart(Slab *slab) {
    Slab *before = slab->previous, *behind = slab->next;
    before->next = behind;
    behind->previous = before;
    slab->next = slab->previous = slab;
    return slab;
}

static Slab *list_is_another(Slab *slab) {
    slab->list = 3;
    return slab;
}

static Slab *list_is_none(Slab *slab) {
    slab->list = SLAB_LIST_NONE;
    return slab;
}

static Slab *list_is_impossible(Slab *slab) {
    slab->list = 77;
    return slab;
}

static Slab *owner_is_another(Slab *slab) {
    STORE_RELAXED(slab->owner, &heap_shared);
    return slab;
}

static Slab *class_is_another(Slab *slab) {
    slab->class_index++;
    return slab;
}

/* In the list of full ones with a free block. */
static Slab *fullness_is_another(Slab *slab) {
    slab->used_blocks--;
    return slab;
}

/* ---- Found ---- */

typedef Slab *(*Damage)(Slab *slab);

static void damage_and_check(void *damage_pointer) {
    Slab *slab = (*(Damage *)damage_pointer)(middle_of_a_list());
    size_t found = hak_check();
    REQUIRE_OP(found, >, 0);
    char line[80];
    int length = snprintf(line, sizeof line, "named: %p ", (void *)slab);
    REQUIRE_EQUAL(fwrite(line, 1, (size_t)length, stderr), length);
}

static void require_named(Damage damage) {
    ChildResult result = child_run(damage_and_check, &damage);
    child_require_success(&result);
    char line[80];
    const char *address = strstr(result.errors, "named: ");
    REQUIRE(address != NULL);
    int digits = (int)strcspn(address + strlen("named: "), " ");
    snprintf(line, sizeof line, "corruption: invariant I5 broken at %.*s (", digits, address + strlen("named: "));
    if (strstr(result.errors, line) == NULL) print_error("not found: %s\n%s\n", line, result.errors);
    REQUIRE(strstr(result.errors, line) != NULL);
}

static void test_damaged_lists_are_found(void **state) {
    (void)state;
    static const Damage damages[] = {next_is_cut,        next_skips_one,     next_is_itself,   next_leads_back,
                                     head_is_lost,       ring_is_apart,      list_is_another,  list_is_none,
                                     owner_is_another,   list_is_impossible, class_is_another, fullness_is_another,
                                     previous_is_another};
    for (size_t index = 0; index < sizeof damages / sizeof *damages; index++) require_named(damages[index]);
}

/* ---- Which lists are in use ---- */

/* Which of the bits are wrong: that of a list with slabs, or that of an empty one. */
typedef enum WrongBit { CLEARED, SET } WrongBit;

static void damage_bits_of_class(void *wrong_pointer) {
    Slab *slab = middle_of_a_list();
    for (size_t offset = 0; offset < SLAB_BYTES / 2; offset += BLOCK_BYTES)
        hak_free((void *)(slab_address(slab) + offset));
    hak_thread_flush();
    REQUIRE_EQUAL(hak_check(), 0);
    REQUIRE_EQUAL(slab->list, SLAB_LIST_BINS / 2);
    HeapClass *class = &heap_of_thread->class[slab->class_index];
    unsigned list = *(WrongBit *)wrong_pointer == CLEARED ? slab->list : slab->list - 1u;
    class->lists_in_use = (uint16_t)(class->lists_in_use ^ 1u << list);
    REQUIRE_EQUAL(hak_check(), 1);
}

static void damage_bits_of_supply(void *wrong_pointer) {
    const SuperSlab *superslab = ptr_to_superslab((void *)slab_address(middle_of_a_list()));
    unsigned used = supply_used_slabs(superslab);
    unsigned list = *(WrongBit *)wrong_pointer == CLEARED ? used : used - 1;
    REQUIRE(list == used || supply.active_by_used[list] == NULL);
    supply.lists_in_use ^= (uint64_t)1 << list;
    REQUIRE_EQUAL(hak_check(), 1);
}

static void test_wrong_bits_of_lists_are_found(void **state) {
    (void)state;
    static void (*const damages[])(void *wrong_pointer) = {damage_bits_of_class, damage_bits_of_supply};
    for (size_t index = 0; index < sizeof damages / sizeof *damages; index++) {
        for (WrongBit wrong = CLEARED; wrong <= SET; wrong++) {
            ChildResult result = child_run(damages[index], &wrong);
            child_require_success(&result);
            REQUIRE(strstr(result.errors, "corruption: invariant I17 broken at 0x") != NULL);
        }
    }
}

/* ---- Magazines ---- */

static void damage_top(void *offset_pointer) {
    void *block = hak_malloc(BLOCK_BYTES);
    unsigned class_index = slab_of(block)->class_index;
    REQUIRE_EQUAL(hak_check(), 0);
    STORE_RELAXED(heap_of_thread->magazines.top[class_index],
                  magazine_slots(heap_of_thread, class_index) + *(int *)offset_pointer);
    REQUIRE_EQUAL(hak_check(), 1);
}

static void test_top_outside_of_the_slots_is_found(void **state) {
    (void)state;
    static int offsets[] = {-1, MAGAZINE_BLOCKS_MAX + 1};
    for (size_t index = 0; index < sizeof offsets / sizeof *offsets; index++) {
        ChildResult result = child_run(damage_top, &offsets[index]);
        child_require_success(&result);
        REQUIRE(strstr(result.errors, "corruption: invariant I9 broken at 0x") != NULL);
    }
}

/* ---- In time ---- */

static unsigned processor_ms(void) {
    struct timespec now;
    REQUIRE_EQUAL(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (unsigned)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

/* No block is written to, so that the machine needs memory for the metadata alone. */
static void check_of_a_gib(void *unused) {
    enum { MS_MAX = 100, TRIES = 3 };
    (void)unused;
    for (size_t bytes = 0; bytes < 1024 * MIB; bytes += BLOCK_BYTES) REQUIRE(hak_malloc(BLOCK_BYTES) != NULL);
    unsigned least_ms = UINT32_MAX;
    for (unsigned tries = 0; tries < TRIES; tries++) {
        unsigned begin_ms = processor_ms();
        REQUIRE_EQUAL(hak_check(), 0);
        unsigned elapsed_ms = processor_ms() - begin_ms;
        if (elapsed_ms < least_ms) least_ms = elapsed_ms;
    }
    REQUIRE_AT_MOST(least_ms, MS_MAX);
}

static void test_time_of_a_check(void **state) {
    (void)state;
    resident_run(check_of_a_gib, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_lists_are_found),
        cmocka_unit_test(test_wrong_bits_of_lists_are_found),
        cmocka_unit_test(test_top_outside_of_the_slots_is_found),
        cmocka_unit_test(test_time_of_a_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
