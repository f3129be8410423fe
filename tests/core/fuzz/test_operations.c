/*
 * fuzz/test_operations.c - the fuzzer's streams without the fuzzer: its corpus, changes of that, and random streams.
 *
 *   test_operations FILE...    runs these streams only, for example one on which the fuzzer stopped, and shows each
 *                              operation
 *   HAK_TEST_SEED=n            repeats a run; the seed of each is printed
 *   HAK_TEST_SCALE=n           n times as many changed and random streams
 *
 * A stream that fails is kept in the file found-stream of the current folder.
 */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/mutate.h"
#include "machine/play.h"
#include "support/random.h"
#include "support/suite.h"

enum { STREAM_BYTES_MAX = 1024, CORPUS_MAX = 1000, CHANGED_STREAMS = 1000, RANDOM_STREAMS = 500 };

typedef struct Stream {
    uint8_t bytes[STREAM_BYTES_MAX];
    size_t count;
} Stream;

static Stream corpus[CORPUS_MAX], stream; /* the latter is the one that runs */
static size_t corpus_count;

/* ---- A finding ---- */

static void keep_stream(int signal_number) {
    static const char path[] = "found-stream", line[] = "the stream that failed: found-stream\n";
    (void)signal_number;
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || write(file, stream.bytes, stream.count) < 0) return;
    (void)close(file);
    if (write(STDERR_FILENO, line, sizeof line - 1) < 0) return;
}

static void keep_streams_that_fail(void) {
    struct sigaction action = {.sa_handler = keep_stream, .sa_flags = (int)SA_RESETHAND};
    REQUIRE_EQUAL(sigaction(SIGABRT, &action, NULL), 0);
    REQUIRE_EQUAL(sigaction(SIGSEGV, &action, NULL), 0);
}

static void play_stream(void) { play(stream.bytes, stream.count, false); }

/* ---- Files ---- */

static _Noreturn void refuse(const char *path, const char *why) {
    fprintf(stderr, "error: %s %s\n", path, why);
    exit(2);
}

static void read_stream(const char *path, Stream *read) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) refuse(path, "cannot be opened");
    read->count = fread(read->bytes, 1, sizeof read->bytes, file);
    if (ferror(file) != 0) refuse(path, "cannot be read");
    if (fgetc(file) != EOF) refuse(path, "is longer than the longest stream, 1024 bytes");
    fclose(file);
}

static void show_file(const char *path) {
    read_stream(path, &stream);
    fprintf(stderr, "%s: %zu bytes\n", path, stream.count);
    play(stream.bytes, stream.count, true);
    fprintf(stderr, "nothing found\n");
}

static int read_corpus(void **state) {
    (void)state;
    DIR *folder = opendir(HAK_TEST_CORPUS);
    REQUIRE(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", HAK_TEST_CORPUS, entry->d_name);
        REQUIRE_OP(corpus_count, <, CORPUS_MAX);
        read_stream(path, &corpus[corpus_count++]);
    }
    closedir(folder);
    REQUIRE_AT_LEAST(corpus_count, 1);
    keep_streams_that_fail();
    return 0;
}

/* ---- Tests ---- */

static void test_corpus(void **state) {
    (void)state;
    for (size_t number = 0; number < corpus_count; number++) {
        stream = corpus[number];
        play_stream();
    }
}

static void test_changed_streams(void **state) {
    (void)state;
    Random random = random_start(random_seed());
    for (size_t number = 0; number < CHANGED_STREAMS * suite_scale(); number++) {
        const Stream *left = &corpus[random_below(&random, corpus_count)];
        const Stream *right = &corpus[random_below(&random, corpus_count)];
        stream.count = mutate_cross(left->bytes, left->count, right->bytes, right->count, stream.bytes,
                                    sizeof stream.bytes, &random);
        stream.count = mutate(stream.bytes, stream.count, sizeof stream.bytes, &random);
        play_stream();
    }
}

static void test_random_streams(void **state) {
    (void)state;
    Random random = random_start(random_seed());
    for (size_t number = 0; number < RANDOM_STREAMS * suite_scale(); number++) {
        stream.count = 1 + random_below(&random, sizeof stream.bytes);
        for (size_t place = 0; place < stream.count; place++) stream.bytes[place] = (uint8_t)random_next(&random);
        play_stream();
    }
}

int main(int count, char **arguments) {
    if (count > 1) {
        for (int number = 1; number < count; number++) show_file(arguments[number]);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_changed_streams),
        cmocka_unit_test(test_random_streams),
    };
    return cmocka_run_group_tests(tests, read_corpus, NULL);
}
