/*
 * wrapped.c - what a program does beside a library that wraps functions of the C library: threads that allocate,
 * memory that becomes old, children, another program.
 *
 *     wrapped [returning]
 *
 * `returning`: the process must have little resident memory after a while.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { THREADS = 3, CHILDREN = 20, MS = 1000, MIB = 1 << 20 };

static void build_and_drop(size_t mib) {
    enum { BYTES = 1500 };
    size_t count = mib * MIB / BYTES;
    void **blocks = malloc(count * sizeof *blocks);
    for (size_t index = 0; index < count; index++) {
        REQUIRE((blocks[index] = malloc(BYTES)) != NULL);
        memset(hidden(blocks[index]), 1, BYTES);
    }
    for (size_t index = 0; index < count; index++) free(blocks[index]);
    free(blocks);
}

static void *run_thread(void *unused) {
    for (int round = 0; round < 3; round++) build_and_drop(30);
    return unused;
}

static size_t resident_mib(void) {
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    REQUIRE(file != NULL && fscanf(file, "%*u %zu", &pages) == 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE) / MIB;
}

/* So much as all free memory may be, but not for long. */
static void await_return(void) {
    enum { BUILT_MIB = 14, LEFT_MIB = 8 };
    size_t before_mib = resident_mib();
    build_and_drop(BUILT_MIB);
    for (int waits = 0; resident_mib() > before_mib + LEFT_MIB; waits++) {
        REQUIRE(waits < 100);
        usleep(100 * MS);
    }
}

static void end_child(pid_t child) {
    int status;
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

static void make_children(void) {
    for (int count = 0; count < CHILDREN; count++) {
        pid_t child = fork();
        if (child == 0) {
            build_and_drop(1);
            _exit(0);
        }
        end_child(child);
    }
}

static void execute(void) {
    char *const arguments[] = {"sh", "-c", "exit 0", NULL}, *const variables[] = {NULL};
    pid_t child = fork();
    if (child == 0) {
        execve("/bin/sh", arguments, variables);
        _exit(1);
    }
    end_child(child);
}

int main(int count, char **arguments) {
    pthread_t threads[THREADS];
    if (count > 1 && strcmp(arguments[1], "returning") == 0) await_return();
    for (int index = 0; index < THREADS; index++) REQUIRE(pthread_create(&threads[index], NULL, run_thread, NULL) == 0);
    make_children();
    for (int index = 0; index < THREADS; index++) REQUIRE(pthread_join(threads[index], NULL) == 0);
    REQUIRE(unshare(0) == 0);
    execute();
    return 0;
}
