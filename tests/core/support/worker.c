/*
 * support/worker.c - a mutex, a condition, a thread.
 */
#include "support/worker.h"

#include <stddef.h>

#include "support/threads.h"

static void *worker_main(void *argument) {
    Worker *worker = argument;
    pthread_mutex_lock(&worker->lock);
    for (;;) {
        while (worker->job == NULL && !worker->is_ending) pthread_cond_wait(&worker->changed, &worker->lock);
        if (worker->job == NULL) break;
        void (*job)(void *) = worker->job;
        pthread_mutex_unlock(&worker->lock);
        job(worker->context);
        pthread_mutex_lock(&worker->lock);
        worker->job = NULL;
        pthread_cond_broadcast(&worker->changed);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

void worker_wait(Worker *worker) {
    pthread_mutex_lock(&worker->lock);
    while (worker->job != NULL) pthread_cond_wait(&worker->changed, &worker->lock);
    pthread_mutex_unlock(&worker->lock);
}

void worker_begin(Worker *worker, void (*job)(void *context), void *context) {
    worker_wait(worker);
    if (!worker->is_alive) {
        worker->is_alive = true;
        worker->thread = threads_start(worker_main, worker);
    }
    pthread_mutex_lock(&worker->lock);
    worker->job = job;
    worker->context = context;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

void worker_end(Worker *worker) {
    if (!worker->is_alive) return;
    pthread_mutex_lock(&worker->lock);
    worker->is_ending = true;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    threads_join(worker->thread);
    worker->is_alive = false;
    worker->is_ending = false;
}
