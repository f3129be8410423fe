/*
 * first_and_last.c - memory that is asked for and freed before main, at the end of threads, and at exit.
 *
 *     first_and_last
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>

#include "check.h"

enum { KEYS = 40, THREADS = 50 };

extern int __cxa_thread_atexit_impl(void (*function)(void *), void *object, void *handle);
extern void *__dso_handle;

static char *early;
static pthread_key_t keys[KEYS];

__attribute__((constructor)) static void allocate_before_main(void) {
    early = strdup("made by a constructor");
    free(hidden(malloc(100000)));
}

/* Specific data allocates again in its destructor, as often as the C library lets it. */
static void free_and_make(void *block) {
    free(block);
    for (int index = 0; index < KEYS; index++)
        if (pthread_getspecific(keys[index]) == NULL) {
            pthread_setspecific(keys[index], malloc(64));
            break;
        }
}

static void end_thread_local(void *block) {
    free(block);
    free(hidden(malloc(3000)));
}

static void *run_thread(void *unused) {
    (void)unused;
    for (int index = 0; index < KEYS; index++) pthread_setspecific(keys[index], malloc((size_t)index * 100));
    REQUIRE(__cxa_thread_atexit_impl(end_thread_local, malloc(500), &__dso_handle) == 0);
    return malloc(200);
}

static void at_exit(void) {
    free(early);
    early = strdup("made at exit");
}

__attribute__((destructor)) static void free_after_main(void) {
    REQUIRE(strcmp(early, "made at exit") == 0);
    free(early);
    free(hidden(malloc(1000)));
}

int main(void) {
    REQUIRE(strcmp(early, "made by a constructor") == 0);
    for (int index = 0; index < KEYS; index++) REQUIRE(pthread_key_create(&keys[index], free_and_make) == 0);
    pthread_t threads[THREADS];
    for (int index = 0; index < THREADS; index++) REQUIRE(pthread_create(&threads[index], NULL, run_thread, NULL) == 0);
    for (int index = 0; index < THREADS; index++) {
        void *block;
        REQUIRE(pthread_join(threads[index], &block) == 0);
        free(block);
    }
    REQUIRE(atexit(at_exit) == 0);
    return 0;
}
