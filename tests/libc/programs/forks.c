/*
 * forks.c - children of a process whose other threads allocate all the time: by fork, vfork and posix_spawn.
 *
 *     forks COUNT
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { THREADS = 3, BLOCKS = 200 };

extern char **environ;
static atomic_bool is_over;

static void churn(unsigned seed, int rounds) {
    static _Thread_local void *blocks[BLOCKS];
    for (int round = 0; round < rounds; round++) {
        seed = seed * 1664525u + 1013904223u;
        void **place = &blocks[seed >> 16 & 127];
        free(*place);
        *place = malloc(seed % 7 == 0 ? seed >> 12 & 0x3FFFF : seed >> 20 & 0x3FF);
        REQUIRE(*place != NULL);
    }
    for (int index = 0; index < BLOCKS; index++) {
        free(blocks[index]);
        blocks[index] = NULL;
    }
}

static void *run_thread(void *number) {
    for (unsigned round = 0; !is_over; round++) churn(round * 31 + (unsigned)(size_t)number, 500);
    return NULL;
}

static void await(pid_t child) {
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void *run_in_child(void *unused) {
    (void)unused;
    churn(7, 300);
    return NULL;
}

static void fork_once(void) {
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        pthread_t thread;
        churn(5, 2000);
        REQUIRE(pthread_create(&thread, NULL, run_in_child, NULL) == 0);
        REQUIRE(pthread_join(thread, NULL) == 0);
        _exit(0);
    }
    await(child);
}

static void vfork_once(void) {
    pid_t child = vfork();
    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    await(child);
}

static void spawn_once(void) {
    pid_t child;
    char *arguments[] = {(char *)"true", NULL};
    REQUIRE(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ) == 0);
    await(child);
}

int main(int count, char **arguments) {
    REQUIRE(count == 2);
    pthread_t threads[THREADS];
    for (size_t number = 0; number < THREADS; number++)
        REQUIRE(pthread_create(&threads[number], NULL, run_thread, (void *)number) == 0);
    for (int round = 0; round < atoi(arguments[1]); round++) {
        fork_once();
        if (round % 8 == 0) vfork_once();
        if (round % 8 == 4) spawn_once();
        churn(11, 1000);
    }
    is_over = 1;
    for (size_t number = 0; number < THREADS; number++) REQUIRE(pthread_join(threads[number], NULL) == 0);
    return 0;
}
