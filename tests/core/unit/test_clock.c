/*
 * unit/test_clock.c - the clock is the kernel's, with the vDSO and without one, and a function in a vDSO is found by
 * either of the two hash tables that kernels have.
 *
 * In unit because the core finds the function, and the link wraps the C library's getauxval and clock_gettime.
 */
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include "platform/linux/os_call.h"
#include "platform/linux/os_clock.h"
#include "platform/linux/os_vdso.h"
#include "platform/os.h"
#include "support/suite.h"

/* ---- The clock ---- */

static bool has_no_vdso;

unsigned long __real_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type) {
    return has_no_vdso && type == AT_SYSINFO_EHDR ? 0 : __real_getauxval(type);
}

static bool is_stopped;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now) {
    if (!is_stopped) return __real_clock_gettime(clock, now);
    *now = (struct timespec){1000000, 0};
    return 0;
}

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    REQUIRE_EQUAL(__real_clock_gettime(clock, &now), 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#define REQUIRE_BETWEEN(before, value, after) \
    do {                                      \
        uint64_t value_now = (value);         \
        REQUIRE_OP(value_now, >=, before);    \
        REQUIRE_OP(value_now, <=, (after));   \
    } while (0)

static void clock_is_the_kernels(void) {
    os_clock_initialize();
    for (unsigned round = 0; round < 100; round++) {
        uint64_t ns = clock_ns(CLOCK_MONOTONIC), ms = clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000;
        errno = EDOM;
        REQUIRE_BETWEEN(ns, os_clock_now_ns(), clock_ns(CLOCK_MONOTONIC));
        uint64_t used_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        REQUIRE_BETWEEN(used_ns / 1000, os_thread_us(), clock_ns(CLOCK_THREAD_CPUTIME_ID) / 1000);
        REQUIRE_BETWEEN(ms, os_now_ms(), clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000);
        REQUIRE_EQUAL(errno, EDOM);
    }
}

static void test_clock_is_the_kernels(void **state) {
    (void)state;
    is_stopped = OS_CALL_IS_DIRECT;
    clock_is_the_kernels();
    has_no_vdso = true;
    clock_is_the_kernels();
    is_stopped = has_no_vdso = false;
    os_clock_initialize();
}

static void test_kernels_function_is_found(void **state) {
    (void)state;
    uintptr_t image = getauxval(AT_SYSINFO_EHDR);
    if (image == 0) skip(); /* valgrind hides it */
    uintptr_t found = os_vdso_find(image, "__vdso_clock_gettime") + os_vdso_find(image, "__kernel_clock_gettime");
#if OS_CALL_IS_DIRECT
    REQUIRE_OP(found, >, image);
#endif
    REQUIRE_OP(found, <, image + (1 << 20));
    REQUIRE_EQUAL(os_vdso_find(image, "__vdso_no_such_function"), 0);
}

/* ---- An image of the test's ---- */

enum { LINKED_AT = 0x7000, BUCKETS = 3, SYMBOLS = 6, FIRST_HASHED = 2 };

static const char names[] = "\0imported\0first\0second\0third\0fourth";
static const unsigned name_at[SYMBOLS] = {0, 1, 10, 16, 23, 29};

typedef struct Image {
    ElfW(Ehdr) header;
    ElfW(Phdr) segments[3];
    ElfW(Dyn) dynamic[6];
    ElfW(Sym) symbols[SYMBOLS];
    char names[sizeof names];
    uint32_t hash[2 + BUCKETS + SYMBOLS]; /* only its count is looked at */
    uint32_t gnu_hash[4 + sizeof(ElfW(Addr)) / 4 + BUCKETS + SYMBOLS - FIRST_HASHED];
} Image;

static uint32_t hash_of(const char *name) {
    uint32_t hash = 5381;
    while (*name != '\0') hash = hash * 33 + (unsigned char)*name++;
    return hash;
}

/* Those behind FIRST_HASHED lie in the order of their buckets. */
static void fill_symbols(Image *image) {
    uint32_t *header = image->gnu_hash, *buckets = header + 4 + sizeof(ElfW(Addr)) / 4, *chain = buckets + BUCKETS;
    unsigned filled = FIRST_HASHED;
    image->symbols[1].st_name = name_at[1];
    header[0] = BUCKETS, header[1] = FIRST_HASHED, header[2] = 1;
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        for (unsigned name = FIRST_HASHED; name < SYMBOLS; name++) {
            uint32_t hash = hash_of(names + name_at[name]);
            if (hash % BUCKETS != bucket) continue;
            if (buckets[bucket] == 0) buckets[bucket] = filled;
            chain[filled - FIRST_HASHED] = hash & ~1u;
            image->symbols[filled++] =
                (ElfW(Sym)){.st_name = name_at[name], .st_shndx = 1, .st_value = LINKED_AT + 100 * name};
        }
        if (buckets[bucket] != 0) chain[filled - 1 - FIRST_HASHED] |= 1;
    }
}

#define IN_IMAGE(member) (LINKED_AT + offsetof(Image, member))

static void fill(Image *image, bool with_hash, bool with_gnu_hash) {
    ElfW(Dyn) *entry = image->dynamic;
    *image = (Image){.header = {.e_phoff = offsetof(Image, segments), .e_phnum = 3},
                     .segments = {{.p_type = PT_NOTE},
                                  {.p_type = PT_LOAD, .p_vaddr = LINKED_AT},
                                  {.p_type = PT_DYNAMIC, .p_vaddr = IN_IMAGE(dynamic)}}};
    memcpy(image->names, names, sizeof names);
    image->hash[1] = SYMBOLS;
    fill_symbols(image);
    if (with_hash) *entry++ = (ElfW(Dyn)){.d_tag = DT_HASH, .d_un.d_ptr = IN_IMAGE(hash)};
    if (with_gnu_hash) *entry++ = (ElfW(Dyn)){.d_tag = DT_GNU_HASH, .d_un.d_ptr = IN_IMAGE(gnu_hash)};
    *entry++ = (ElfW(Dyn)){.d_tag = DT_SYMTAB, .d_un.d_ptr = IN_IMAGE(symbols)};
    *entry++ = (ElfW(Dyn)){.d_tag = DT_STRTAB, .d_un.d_ptr = IN_IMAGE(names)};
}

static void test_each_hash_table_is_read(void **state) {
    (void)state;
    Image image;
    for (unsigned tables = 1; tables < 4; tables++) {
        fill(&image, (tables & 1) != 0, (tables & 2) != 0);
        for (unsigned name = FIRST_HASHED; name < SYMBOLS; name++)
            REQUIRE_EQUAL(os_vdso_find((uintptr_t)&image, names + name_at[name]), (uintptr_t)&image + 100 * name);
        const char *absent[] = {"", "imported", "fifth", "sixth", "seventh", "eighth", "ninth", "firs", "firsts"};
        for (size_t index = 0; index < sizeof absent / sizeof *absent; index++)
            REQUIRE_EQUAL(os_vdso_find((uintptr_t)&image, absent[index]), 0);
    }
}

static void test_image_without_what_is_needed(void **state) {
    (void)state;
    Image image;
    REQUIRE_EQUAL(os_vdso_find(0, "first"), 0);
    fill(&image, false, false);
    REQUIRE_EQUAL(os_vdso_find((uintptr_t)&image, "first"), 0);
    for (unsigned segment = 1; segment < 3; segment++) {
        fill(&image, true, true);
        image.segments[segment].p_type = PT_NULL;
        REQUIRE_EQUAL(os_vdso_find((uintptr_t)&image, "first"), 0);
    }
    for (unsigned entry = 2; entry < 4; entry++) {
        fill(&image, true, true);
        image.dynamic[entry].d_tag = DT_DEBUG;
        REQUIRE_EQUAL(os_vdso_find((uintptr_t)&image, "first"), 0);
    }
    fill(&image, false, true);
    image.gnu_hash[0] = 0;
    REQUIRE_EQUAL(os_vdso_find((uintptr_t)&image, "first"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_is_the_kernels),
        cmocka_unit_test(test_kernels_function_is_found),
        cmocka_unit_test(test_each_hash_table_is_read),
        cmocka_unit_test(test_image_without_what_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
