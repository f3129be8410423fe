/*
 * unit/test_radix_tables.c - SuperSlabs and mappings beyond the window of the registry, when there is no memory for the
 * tables that would know them: the request fails, no address space is lost, and later requests are served.
 *
 * In unit because the link wraps the OS call that maps, and the function that gives memory for tables.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "platform/os.h"
#include "superslab/metadata.h"
#include "superslab/registry.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

/* ---- The kernel, and memory for tables ---- */

enum { TABLE_BYTES_MIN = 4096 * (int)sizeof(void *) }; /* a table has a pointer for each of 4096 parts */
static size_t table_bytes_refused;                     /* at least so many; 0: none */
static unsigned tables_refused;

void *__real_hak_core_metadata_map(size_t bytes);
void *__wrap_hak_core_metadata_map(size_t bytes);
void *__wrap_hak_core_metadata_map(size_t bytes) {
    if (table_bytes_refused == 0 || bytes < table_bytes_refused || bytes % TABLE_BYTES_MIN != 0)
        return __real_hak_core_metadata_map(bytes);
    tables_refused++;
    return NULL;
}

static uintptr_t far_address; /* of the next mapping; 0: the kernel's choice */

void *__real_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes) {
    if (far_address == 0) return __real_hak_core_os_map(hint, bytes);
    void *address = (void *)far_address;
    far_address += round_up_bytes(bytes, SUPERSLAB_BYTES);
    REQUIRE(mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
            address);
    return address;
}

/* ---- No table ---- */

enum { FAR_TABLES = 2 }; /* the middle one and the leaf are made one after the other */
static const uintptr_t far_begin = (uintptr_t)20 << 40;

static void require_served(size_t bytes) {
    unsigned char *block = hak_malloc(bytes);
    REQUIRE(block != NULL);
    pattern_fill(block, bytes, 3);
    REQUIRE(hak_owns(block) && hak_owns(block + bytes - 1));
    REQUIRE(pattern_holds(block, bytes, 3));
    hak_free(block);
}

static void fails_and_recovers(void *bytes_pointer) {
    size_t bytes = *(size_t *)bytes_pointer;
    void *near = hak_malloc(900000), *other = hak_malloc(900000); /* the first SuperSlab is full */
    REQUIRE(near != NULL && other != NULL);
    uint64_t mapped_bytes = stats_checked().mapped_bytes;
    static const size_t refused[FAR_TABLES] = {TABLE_BYTES_MIN, 2 * TABLE_BYTES_MIN};
    for (unsigned table = 0; table < FAR_TABLES; table++) {
        table_bytes_refused = refused[table];
        far_address = far_begin;
        size_t mappings = resident_mapping_count();
        errno = 0;
        REQUIRE(hak_malloc(bytes) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
        REQUIRE_OP(tables_refused, >, table);
        REQUIRE(!hak_owns((void *)far_begin));
        REQUIRE_AT_MOST(resident_mapping_count(), mappings);
        REQUIRE_EQUAL(stats_checked().mapped_bytes, mapped_bytes);
        REQUIRE_EQUAL(hak_check(), 0);
    }
    table_bytes_refused = 0;
    far_address = far_begin + ((uintptr_t)1 << 40);
    require_served(bytes);
    far_address = 0;
    hak_free(near);
    hak_free(other);
    stats_require_all_returned();
}

static void test_no_memory_for_a_table(void **state) {
    (void)state;
    if (resident_is_distorted()) skip(); /* a sanitizer maps, too */
    static size_t sizes[] = {900000, 5000000};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++)
        child_must_succeed(fails_and_recovers, &sizes[index]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_memory_for_a_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
