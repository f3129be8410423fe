/*
 * helper.c - much is freed at once, again and again, in a process of one thread and in one of several: the first time
 * the helper is made, which allocates for its thread.
 *
 *     helper
 *
 * Prints how many threads it has where it has made none itself.
 */
#include <dirent.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

enum { BLOCKS = 30000, BYTES = 1500, ROUNDS = 3, THREADS = 4, MS = 1000 };

static void *build_and_drop(void *unused) {
    (void)unused;
    void **blocks = malloc(BLOCKS * sizeof *blocks);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t index = 0; index < BLOCKS; index++) memset(hidden(blocks[index] = malloc(BYTES)), 1, BYTES);
        for (size_t index = 0; index < BLOCKS; index++)
            if (index % 50 != 0) free(blocks[index]);
        usleep(10 * MS);
        for (size_t index = 0; index < BLOCKS; index += 50) free(blocks[index]);
    }
    free(blocks);
    return NULL;
}

static int count_threads(void) {
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    REQUIRE(tasks != NULL);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) count += task->d_name[0] != '.';
    closedir(tasks);
    return count;
}

int main(void) {
    pthread_t threads[THREADS];
    build_and_drop(NULL);
    printf("%d\n", count_threads());
    for (int index = 0; index < THREADS; index++)
        REQUIRE(pthread_create(&threads[index], NULL, build_and_drop, NULL) == 0);
    for (int index = 0; index < THREADS; index++) REQUIRE(pthread_join(threads[index], NULL) == 0);
    return 0;
}
