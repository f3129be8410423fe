/*
 * support/worker.h - a second thread that does one job at a time, and may end and begin anew.
 */
#ifndef SUPPORT_WORKER_H
#define SUPPORT_WORKER_H

#include <pthread.h>
#include <stdbool.h>

typedef struct Worker {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool is_alive, is_ending;
    void (*job)(void *context); /* NULL: idle */
    void *context;
} Worker;

#define WORKER_START {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}

/* Begins the job in the thread, which is started where there is none; waits for the former job first. */
void worker_begin(Worker *worker, void (*job)(void *context), void *context);

/* Waits until it is idle. */
void worker_wait(Worker *worker);

/* Waits, and joins the thread. */
void worker_end(Worker *worker);

#endif
