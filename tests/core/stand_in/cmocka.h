/*
 * stand_in/cmocka.h - the part of cmocka that the tests use, for C libraries and machines for which there is no package
 * of it (HAKMEM_CMOCKA_STAND_IN; `make test-musl`, `make test-aarch64`). The output has cmocka's form.
 */
#ifndef STAND_IN_CMOCKA_H
#define STAND_IN_CMOCKA_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define cmocka_unit_test(function) {#function, function}

#define print_error(...) fprintf(stderr, __VA_ARGS__)
#define print_message(...) fprintf(stderr, __VA_ARGS__)

/* One for the program, which files that skip a test share. */
__attribute__((weak)) jmp_buf cmocka_skipped;

#define skip() longjmp(cmocka_skipped, 1)

#define assert_string_equal(left, right)                                                                  \
    do {                                                                                                  \
        if (strcmp((left), (right)) != 0) {                                                               \
            fprintf(stderr, "%s:%d: \"%s\" is not \"%s\"\n", __FILE__, __LINE__, (left), (right));        \
            abort();                                                                                      \
        }                                                                                                 \
    } while (0)

static inline int cmocka_run_tests(const struct CMUnitTest *tests, size_t count) {
    fprintf(stderr, "[==========] Running %zu test(s).\n", count);
    for (size_t number = 0; number < count; number++) {
        void *state = NULL;
        fprintf(stderr, "[ RUN      ] %s\n", tests[number].name);
        if (setjmp(cmocka_skipped) == 0) {
            tests[number].run(&state);
            fprintf(stderr, "[       OK ] %s\n", tests[number].name);
        } else {
            fprintf(stderr, "[  SKIPPED ] %s\n", tests[number].name);
        }
    }
    fprintf(stderr, "[==========] %zu test(s) run.\n", count);
    return 0;
}

#define cmocka_run_group_tests(tests, setup, teardown) \
    ((void)(setup), (void)(teardown), cmocka_run_tests((tests), sizeof(tests) / sizeof *(tests)))

#endif
