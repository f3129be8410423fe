/*
 * death/test_memory_tool.c - in a build with HAKMEM_MEMORY_TOOL, AddressSanitizer or valgrind sees each block of a
 * slab: an access beyond the end of one, or to a free one, is reported when it happens. Correct programs pass.
 */
#include <stdio.h>
#include <string.h>

#include "support/child.h"
#include "support/operations.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

#if !defined(HAK_TEST_MEMORY_TOOL)
#define HAK_TEST_MEMORY_TOOL "" /* none; what follows is compiled all the same */
#endif

static const char tool[] = HAK_TEST_MEMORY_TOOL;

static char *volatile laundered;

static void beyond_the_end(size_t bytes) {
    laundered = hak_malloc(bytes);
    laundered[hak_usable_size(laundered)] = 1;
}

static void before_the_start(size_t bytes) {
    char *first = hak_malloc(bytes);
    laundered = hak_malloc(bytes);
    laundered[first < laundered ? -1 : (long)hak_usable_size(laundered)] = 1;
}

static void after_free(size_t bytes) {
    char *keeper = hak_malloc(bytes);
    laundered = hak_malloc(bytes);
    hak_free(laundered);
    laundered[bytes / 2] = 1;
    hak_free(keeper);
}

static void after_realloc(size_t bytes) {
    laundered = hak_malloc(bytes);
    hak_free(hak_realloc(laundered, bytes * 5 + 100));
    laundered[0] = 1;
}

/* The runs and slabs that this reuses must not stay hidden. */
static void nothing_wrong(size_t seed) {
    enum { ROUNDS = 3, RECORDS = 300 };
    static Reference reference;
    static uint8_t stream[RECORDS * RECORD_BYTES];
    Actor actor = {&reference, NULL};
    Random random = random_start(seed);
    operations_begin(&actor, resident_os_page_bytes(), 3 << 2); /* the second hook is not served */
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t place = 0; place < sizeof stream; place++) stream[place] = (uint8_t)random_next(&random);
        operations_run_stream(&actor, stream, RECORDS);
        operations_end(&actor);
        operations_require_nothing(&actor);
    }
}

static const struct {
    const char *name;
    void (*run)(size_t bytes);
} wrong[] = {
    {"beyond_the_end", beyond_the_end},
    {"before_the_start", before_the_start},
    {"after_free", after_free},
    {"after_realloc", after_realloc},
};

static int scenario(const char *argument) {
    char name[64];
    size_t bytes;
    REQUIRE_EQUAL(sscanf(argument, "%63s %zu", name, &bytes), 2);
    for (size_t index = 0; index < sizeof wrong / sizeof *wrong; index++)
        if (strcmp(wrong[index].name, name) == 0) wrong[index].run(bytes);
    if (strcmp(name, "nothing_wrong") == 0) nothing_wrong(bytes);
    return 0;
}

static ChildResult start(const char *name, size_t bytes) {
    static const char *const environment[] = {NULL};
    char argument[128];
    bool is_valgrind = strcmp(tool, "valgrind") == 0;
    if (is_valgrind) setenv("HAK_TEST_EMULATOR", "valgrind", 1); /* starts the program in it */
    snprintf(argument, sizeof argument, "%s %zu", name, bytes);
    return child_run_self(argument, environment);
}

static void test_wrong_accesses_are_seen(void **state) {
    (void)state;
    if (*tool == '\0') skip();
    static const size_t sizes[] = {1, 24, 100, 1000, 20000};
    const char *words = strcmp(tool, "asan") == 0 ? "use-after-poison" : "Invalid write of size 1";
    for (size_t index = 0; index < sizeof wrong / sizeof *wrong; index++)
        for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++) {
            ChildResult result = start(wrong[index].name, sizes[size]);
            if (strstr(result.errors, words) == NULL)
                fprintf(stderr, "%s %zu: %s\n", wrong[index].name, sizes[size], result.errors);
            REQUIRE(strstr(result.errors, words) != NULL);
        }
}

static void test_correct_programs_pass(void **state) {
    (void)state;
    if (*tool == '\0') skip();
    for (size_t seed = 1; seed <= 5; seed++) {
        ChildResult result = start("nothing_wrong", seed);
        child_require_success(&result);
        REQUIRE(strstr(result.errors, "Invalid ") == NULL);
    }
}

int main(int count, char **arguments) {
    if (count > 1) return scenario(arguments[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_accesses_are_seen),
        cmocka_unit_test(test_correct_programs_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
