/*
 * forks_and_streams.c - forks beside threads that allocate while they hold a stream, and one that flushes all streams.
 *
 *     forks_and_streams COUNT
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { READERS = 4, LINE_BYTES = 50000 };

static atomic_bool is_over;

/* getline lets its block grow while it holds the stream; the block of fopen is of another size. */
static void *read_lines(void *path) {
    while (!is_over) {
        char *line = NULL;
        size_t bytes = 0;
        FILE *stream = fopen(path, "r");
        REQUIRE(stream != NULL && getline(&line, &bytes, stream) == LINE_BYTES);
        free(line);
        fclose(stream);
    }
    return NULL;
}

static void *flush_all(void *unused) {
    while (!is_over) fflush(NULL);
    return unused;
}

int main(int count, char **arguments) {
    char path[] = "/tmp/forks_and_streams_XXXXXX";
    int descriptor = mkstemp(path), rounds = count == 2 ? atoi(arguments[1]) : 0;
    pthread_t threads[READERS + 1];
    REQUIRE(descriptor >= 0 && rounds > 0);
    for (int number = 0; number < LINE_BYTES; number++) REQUIRE(write(descriptor, "x", 1) == 1);
    for (int number = 0; number < READERS; number++)
        REQUIRE(pthread_create(&threads[number], NULL, read_lines, path) == 0);
    REQUIRE(pthread_create(&threads[READERS], NULL, flush_all, NULL) == 0);
    for (int round = 0; round < rounds; round++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            fflush(NULL);
            free(malloc(100000));
            _exit(0);
        }
        REQUIRE(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    is_over = 1;
    for (int number = 0; number <= READERS; number++) REQUIRE(pthread_join(threads[number], NULL) == 0);
    REQUIRE(unlink(path) == 0);
    return 0;
}
