/*
 * keys.c - the first request of a process whose thread-specific keys are all taken but one, or all: glibc allocates
 * when a thread stores under a late key.
 *
 *     keys COUNT
 */
#include <pthread.h>
#include <string.h>

#include "check.h"

enum { THREADS = 20 };

static void *run_thread(void *unused) {
    (void)unused;
    void *blocks[50];
    for (size_t index = 0; index < 50; index++) memset(hidden(blocks[index] = malloc(index * 50)), 1, index * 50);
    for (size_t index = 0; index < 50; index++) free(blocks[index]);
    return malloc(10);
}

int main(int count, char **arguments) {
    static pthread_key_t key;
    REQUIRE(count == 2);
    for (long left = strtol(arguments[1], NULL, 10); left > 0; left--)
        if (pthread_key_create(&key, NULL) != 0) break;
    free(run_thread(NULL));
    for (int round = 0; round < 3; round++) {
        pthread_t threads[THREADS];
        for (int index = 0; index < THREADS; index++)
            REQUIRE(pthread_create(&threads[index], NULL, run_thread, NULL) == 0);
        for (int index = 0; index < THREADS; index++) {
            void *block;
            REQUIRE(pthread_join(threads[index], &block) == 0);
            free(block);
        }
    }
    return 0;
}
