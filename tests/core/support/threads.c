/*
 * support/threads.c - barrier start and stories.
 */
#include "support/threads.h"

#include "support/require.h"

enum { THREADS_MAX = 256 };

typedef struct Starter {
    pthread_barrier_t *barrier;
    void (*run)(void *context, size_t number);
    void *context;
    size_t number;
} Starter;

static void *start_at_barrier(void *argument) {
    Starter *starter = argument;
    pthread_barrier_wait(starter->barrier);
    starter->run(starter->context, starter->number);
    return NULL;
}

void threads_run(size_t count, void (*run)(void *context, size_t number), void *context) {
    pthread_t threads[THREADS_MAX];
    Starter starters[THREADS_MAX];
    pthread_barrier_t barrier;
    REQUIRE_AT_MOST(count, THREADS_MAX);
    REQUIRE_EQUAL(pthread_barrier_init(&barrier, NULL, (unsigned)count), 0);
    for (size_t number = 0; number < count; number++) {
        starters[number] = (Starter){&barrier, run, context, number};
        threads[number] = threads_start(start_at_barrier, &starters[number]);
    }
    for (size_t number = 0; number < count; number++) threads_join(threads[number]);
    pthread_barrier_destroy(&barrier);
}

void story_await(Story *story, unsigned step) {
    pthread_mutex_lock(&story->lock);
    while (story->step < step) pthread_cond_wait(&story->changed, &story->lock);
    pthread_mutex_unlock(&story->lock);
}

void story_reach(Story *story, unsigned step) {
    pthread_mutex_lock(&story->lock);
    if (step > story->step) story->step = step;
    pthread_cond_broadcast(&story->changed);
    pthread_mutex_unlock(&story->lock);
}

void story_hold(Story *story, bool *is_to_hold, unsigned step, unsigned next_step) {
    if (!*is_to_hold) return;
    *is_to_hold = false;
    story_reach(story, step);
    story_await(story, next_step);
}

pthread_t threads_start(void *(*run)(void *context), void *context) {
    pthread_t thread;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, run, context), 0);
    return thread;
}

void threads_join(pthread_t thread) { REQUIRE_EQUAL(pthread_join(thread, NULL), 0); }
