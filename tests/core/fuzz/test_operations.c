/*
 * fuzz/test_operations.c - the fuzzer's target without the fuzzer: the corpus, and random streams.
 *
 *   test_operations FILE...    runs these streams only, for example one on which the fuzzer stopped
 *   HAK_TEST_SEED=n            repeats a run; the seed of each is printed
 *   HAK_TEST_SCALE=n           n times as many random streams
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "support/operations.h"
#include "support/random.h"
#include "support/suite.h"

enum { STREAM_BYTES_MAX = 4096, RANDOM_STREAMS = 150 };

static uint8_t stream[STREAM_BYTES_MAX];

static void run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) fprintf(stderr, "%s cannot be read\n", path);
    REQUIRE(file != NULL);
    size_t count = fread(stream, 1, sizeof stream, file);
    fclose(file);
    fprintf(stderr, "%s: %zu bytes\n", path, count);
    operations_run(stream, count);
}

static void test_corpus(void **state) {
    (void)state;
    size_t files = 0;
    DIR *folder = opendir(HAK_TEST_CORPUS);
    REQUIRE(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", HAK_TEST_CORPUS, entry->d_name);
        run_file(path);
        files++;
    }
    closedir(folder);
    REQUIRE_AT_LEAST(files, 1);
}

static void test_random_streams(void **state) {
    (void)state;
    Random random = random_start(random_seed());
    for (size_t number = 0; number < RANDOM_STREAMS * suite_scale(); number++) {
        size_t count = 1 + random_below(&random, STREAM_BYTES_MAX);
        for (size_t place = 0; place < count; place++) stream[place] = (uint8_t)random_next(&random);
        operations_run(stream, count);
    }
}

int main(int count, char **arguments) {
    if (count > 1) {
        for (int number = 1; number < count; number++) run_file(arguments[number]);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_random_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
