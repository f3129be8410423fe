/*
 * thread_curve.c - what a pair of free and malloc costs, and what an idle thread keeps, while many threads are alive.
 *
 *     thread_curve ALIVE WORKING SECONDS
 *
 * ALIVE - WORKING threads make blocks of 16 to 512 bytes, free every other one, and wait for the end. Then WORKING
 * threads replace random blocks of their own. Prints one line of JSON: operations (pairs), wall and cpu seconds of the
 * working time, and resident bytes per idle thread, its stack included, 300 ms after the last one fell idle.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "workload.h"

enum { IDLE_BLOCKS = 32, SLOTS = 4096, STEPS_PER_LOOK = 1000, ALIVE_MAX = 10000, WORKING_MAX = 64 };

static const double SETTLE_SECONDS = 0.3;

typedef struct Worker {
    _Alignas(128) uint64_t random;
    uint64_t operations;
    pthread_t thread;
} Worker;

static atomic_bool stop;
static Worker workers[WORKING_MAX];

/* Idle threads wait at both: for each other and main, and for the end. */
static pthread_barrier_t all_idle, over;

static void *run_idle(void *argument) {
    uint64_t random = RANDOM_SEED + (uint64_t)(uintptr_t)argument * 7919u;
    void *blocks[IDLE_BLOCKS];
    for (int i = 0; i < IDLE_BLOCKS; i++) blocks[i] = make(random_size(next_random(&random)));
    for (int i = 0; i < IDLE_BLOCKS; i += 2) release(blocks[i]);
    pthread_barrier_wait(&all_idle);
    pthread_barrier_wait(&over);
    for (int i = 1; i < IDLE_BLOCKS; i += 2) release(blocks[i]);
    return NULL;
}

static void *run_working(void *argument) {
    Worker *worker = argument;
    void **slots = slots_from_os(SLOTS);
    for (size_t i = 0; i < SLOTS; i++) slots[i] = make(random_size(next_random(&worker->random)));
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        slots_replace(slots, SLOTS, &worker->random, STEPS_PER_LOOK);
        worker->operations += STEPS_PER_LOOK;
    }
    return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *), void *argument) {
    if (pthread_create(thread, NULL, run, argument) != 0) {
        fprintf(stderr, "thread_curve: the OS gives no more threads\n");
        exit(1);
    }
}

static void measure(int working, double seconds) {
    double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t operations = 0;
    for (int i = 0; i < working; i++) {
        workers[i].random = RANDOM_SEED + (uint64_t)i;
        start(&workers[i].thread, run_working, &workers[i]);
    }
    sleep_seconds(seconds);
    atomic_store(&stop, true);
    for (int i = 0; i < working; i++) {
        pthread_join(workers[i].thread, NULL);
        operations += workers[i].operations;
    }
    wall = seconds_of(CLOCK_MONOTONIC) - wall;
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"operations\": %llu, \"wall_seconds\": %.6f, \"cpu_seconds\": %.6f, ", (unsigned long long)operations,
           wall, cpu);
}

int main(int argument_count, char **arguments) {
    int alive = argument_count == 4 ? atoi(arguments[1]) : 0;
    int working = argument_count == 4 ? atoi(arguments[2]) : 0;
    double seconds = argument_count == 4 ? atof(arguments[3]) : 0;
    if (working < 1 || working > WORKING_MAX || alive < working || alive > ALIVE_MAX || seconds <= 0) {
        fprintf(stderr, "usage: thread_curve ALIVE WORKING SECONDS\n");
        return 2;
    }
    unsigned idle = (unsigned)(alive - working);
    pthread_t *threads = (pthread_t *)slots_from_os(idle + 1);
    pthread_barrier_init(&all_idle, NULL, idle + 1);
    pthread_barrier_init(&over, NULL, idle + 1);
    long long resident_before = resident_bytes();
    for (unsigned i = 0; i < idle; i++) start(&threads[i], run_idle, (void *)(uintptr_t)i);
    pthread_barrier_wait(&all_idle);
    sleep_seconds(SETTLE_SECONDS);
    long long resident_idle = resident_bytes() - resident_before;
    measure(working, seconds);
    pthread_barrier_wait(&over);
    for (unsigned i = 0; i < idle; i++) pthread_join(threads[i], NULL);
    printf("\"resident_bytes_per_idle_thread\": %.1f}\n", idle == 0 ? 0.0 : (double)resident_idle / idle);
    return 0;
}
