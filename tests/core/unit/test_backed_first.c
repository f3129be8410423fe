/*
 * unit/test_backed_first.c - which free OS page of a slab serves next: one that is partly used, then one that is still
 * resident, and one that went to the OS last, because it costs a page fault and makes the process larger.
 *
 * In unit because it takes blocks of one slab: which slab a malloc takes is for the heap to decide.
 */
#include <string.h>

#include "heap/heap_all.h"
#include "heap/heap_slabs.h"
#include "heap/owner_lock.h"
#include "platform/os.h"
#include "slab/slab.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { BLOCK_BYTES = 1024, BLOCKS = 5 * (int)SLAB_BYTES / BLOCK_BYTES, OS_PAGES_MIN = 4 };

static char *blocks[BLOCKS];

static size_t os_page_of(const char *block, Slab *slab) {
    return ((uintptr_t)block - slab_address(slab)) / os_page_bytes;
}

/* Those that lie in one OS page of the slab, so that no used block touches it any more. */
static void free_os_page(Slab *slab, size_t os_page) {
    for (size_t number = 0; number < BLOCKS; number++) {
        if (blocks[number] == NULL || heap_slab_of_block(blocks[number]) != slab) continue;
        if (os_page_of(blocks[number], slab) != os_page) continue;
        hak_free(blocks[number]);
        blocks[number] = NULL;
    }
    hak_thread_flush();
}

static void resident_ones_serve_first(void *unused) {
    (void)unused;
    void *taken[BLOCKS];
    unsigned per_page = (unsigned)(resident_os_page_bytes() / BLOCK_BYTES), dealt_with;
    stats_option_set("retain_bytes", "1000000000000"); /* no helper, which gives back what is to stay */
    for (size_t number = 0; number < BLOCKS; number++) memset(blocks[number] = hak_malloc(BLOCK_BYTES), 1, BLOCK_BYTES);
    Slab *slab = heap_slab_of_block(blocks[BLOCKS / 2]);
    REQUIRE(LOAD_RELAXED(slab->owner) == heap_of_thread);
    REQUIRE_EQUAL(slab->used_blocks, SLAB_BYTES / BLOCK_BYTES);
    free_os_page(slab, 0);
    (void)hak_trim();
    REQUIRE_EQUAL(slab->unbacked_pages, 1);
    free_os_page(slab, 2);
    lock_acquire(&heap_of_thread->lock);
    REQUIRE_EQUAL(slab_take_blocks(slab, taken + 1, 1), 1);
    REQUIRE_EQUAL(os_page_of(taken[0], slab), 2);
    REQUIRE_EQUAL(slab_take_blocks(slab, taken + per_page + 1, per_page), per_page);
    for (unsigned number = 1; number < per_page; number++) /* downwards: the one taken last lies lowest */
        REQUIRE_EQUAL(os_page_of(taken[number + 1], slab), 2);
    REQUIRE_EQUAL(os_page_of(taken[1], slab), 0);
    for (unsigned number = 0; number <= per_page; number++)
        REQUIRE_EQUAL(slab_return_blocks(slab, taken + number, 1, &dealt_with), 1);
    lock_release(&heap_of_thread->lock);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_resident_ones_serve_first(void **state) {
    (void)state;
    if (SLAB_BYTES / resident_os_page_bytes() < OS_PAGES_MIN) skip(); /* nothing to choose from */
    child_must_succeed(resident_ones_serve_first, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_resident_ones_serve_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
