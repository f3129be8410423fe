/*
 * superslab/huge_pages.c - asks for huge pages, times them, splits them.
 *
 * Layer: superslab. Thread rule: see huge_pages.h.
 */
#include "superslab/huge_pages.h"

#include "platform/option.h"
#include "platform/os.h"

/* A SuperSlab with a huge page between two without splits a kernel mapping into three. So these SuperSlabs use at
 * most 16384 of the 65530 mappings of a process (vm.max_map_count). */
enum { HUGE_SUPERSLABS_MAX = 8192 };

/* A first touch clears 2 MiB, in 0.1 to 0.2 ms of processor time. One of SLOW_TOUCH_US takes longer than the faults of
 * all OS pages would: the kernel had to compact memory, or the host of a virtual machine had to find some, which may
 * take 5 ms. (By the clock a thread that had to wait for a processor would count as slow, too.)
 *
 * Back-off with thp=auto: after a slow touch some SuperSlabs that would get a huge page do without, at least
 * BIRTHS_SKIPPED_MIN, and one for each TOUCH_US_PER_BIRTH that the touch took: little beside the faults of a birth's OS
 * pages. The number doubles with each slow touch, up to BIRTHS_SKIPPED_MAX, and halves with each fast one. */
enum { SLOW_TOUCH_US = 600, TOUCH_US_PER_BIRTH = 20, BIRTHS_SKIPPED_MIN = 32, BIRTHS_SKIPPED_MAX = 1024 };

static _Atomic bool is_dense_expected;
static _Atomic uint32_t huge_superslabs; /* number of SuperSlabs with has_huge_pages */
static _Atomic uint32_t births_to_skip;
static _Atomic uint32_t next_births_to_skip = BIRTHS_SKIPPED_MIN;

void huge_pages_expect_dense(bool is_dense) { STORE_RELAXED(is_dense_expected, is_dense); }

static bool are_wanted(void) {
    int64_t option = option_value(OPTION_THP);
    if (option != OPTION_THP_AUTO) return option == OPTION_THP_ALWAYS;
    bool is_expected = LOAD_RELAXED(is_dense_expected);
    STORE_RELAXED(is_dense_expected, false);
    if (!is_expected || LOAD_RELAXED(huge_superslabs) >= HUGE_SUPERSLABS_MAX) return false;
    uint32_t skip = LOAD_RELAXED(births_to_skip);
    if (skip > 0) STORE_RELAXED(births_to_skip, skip - 1);
    return skip == 0;
}

bool huge_pages_begin(SuperSlab *superslab) {
    bool is_huge = are_wanted() && os_huge_pages_allow((void *)superslab->base, SUPERSLAB_BYTES);
    if (is_huge)
        atomic_fetch_add_explicit(&huge_superslabs, 1, memory_order_relaxed);
    else
        os_huge_pages_forbid((void *)superslab->base, SUPERSLAB_BYTES);
    STORE_RELAXED(superslab->has_huge_pages, is_huge);
    return is_huge;
}

static void note_touch(uint64_t touch_us) {
    uint32_t skip = LOAD_RELAXED(next_births_to_skip); /* at most BIRTHS_SKIPPED_MAX */
    if (touch_us >= SLOW_TOUCH_US) {
        uint64_t births = touch_us / TOUCH_US_PER_BIRTH;
        if (births > skip) skip = births < BIRTHS_SKIPPED_MAX ? (uint32_t)births : BIRTHS_SKIPPED_MAX;
        STORE_RELAXED(births_to_skip, skip);
        STORE_RELAXED(next_births_to_skip, skip < BIRTHS_SKIPPED_MAX / 2 ? skip * 2 : BIRTHS_SKIPPED_MAX);
    } else {
        STORE_RELAXED(next_births_to_skip, skip / 2 > BIRTHS_SKIPPED_MIN ? skip / 2 : BIRTHS_SKIPPED_MIN);
    }
}

void huge_pages_touch(void *address) {
    uint64_t start_us = os_thread_us();
    os_populate(address, os_page_bytes);
    note_touch(os_thread_us() - start_us);
}

void huge_pages_end(SuperSlab *superslab) {
    if (atomic_exchange_explicit(&superslab->has_huge_pages, false, memory_order_relaxed))
        atomic_fetch_sub_explicit(&huge_superslabs, 1, memory_order_relaxed);
}

void huge_pages_split(SuperSlab *superslab) {
    if (!LOAD_RELAXED(superslab->has_huge_pages)) return;
    os_huge_pages_split((void *)superslab->base, SUPERSLAB_BYTES);
    huge_pages_end(superslab);
}
