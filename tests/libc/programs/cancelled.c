/* cancelled.c - a thread that is to be cancelled asks for the figures: no stream stays locked by it. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"

static pthread_barrier_t is_cancelled;

static void *tell_figures(void *stream) {
    (void)pthread_barrier_wait(&is_cancelled); /* no point at which a thread is cancelled */
    malloc_stats();
    (void)malloc_info(0, stream);
    pthread_testcancel();
    return NULL;
}

int main(void) {
    pthread_t thread;
    void *result = NULL;
    int kept = dup(STDERR_FILENO);
    FILE *stream = fopen("/dev/null", "w");
    REQUIRE(stream != NULL && freopen("/dev/null", "w", stderr) != NULL);
    /* Without a buffer each line is a write, which is where a thread is cancelled. */
    REQUIRE(setvbuf(stream, NULL, _IONBF, 0) == 0 && setvbuf(stderr, NULL, _IONBF, 0) == 0);
    REQUIRE(pthread_barrier_init(&is_cancelled, NULL, 2) == 0);
    REQUIRE(pthread_create(&thread, NULL, tell_figures, stream) == 0);
    REQUIRE(pthread_cancel(thread) == 0);
    (void)pthread_barrier_wait(&is_cancelled);
    REQUIRE(pthread_join(thread, &result) == 0);
    int stderr_is_locked = ftrylockfile(stderr), stream_is_locked = ftrylockfile(stream);
    REQUIRE(stderr_is_locked != 0 || dup2(kept, fileno(stderr)) >= 0);
    REQUIRE(stderr_is_locked == 0);
    REQUIRE(stream_is_locked == 0);
    REQUIRE(result == PTHREAD_CANCELED);
    return 0;
}
