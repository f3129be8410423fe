/*
 * support/threads.h - threads that start together, park where told, and are joined.
 */
#ifndef SUPPORT_THREADS_H
#define SUPPORT_THREADS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Calls `run(context, number)` in `count` threads that begin at the same moment, and joins them. */
void threads_run(size_t count, void (*run)(void *context, size_t number), void *context);

/* A place in a story of several threads: each waits until the story has reached its step. */
typedef struct Story {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned step;
} Story;

#define STORY_START {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0}

void story_await(Story *story, unsigned step);
void story_reach(Story *story, unsigned step);

/* A thread that set `*is_to_hold` stops here once: it reaches a step, and goes on at another one. */
void story_hold(Story *story, bool *is_to_hold, unsigned step, unsigned next_step);

pthread_t threads_start(void *(*run)(void *context), void *context);
void threads_join(pthread_t thread);

#endif
