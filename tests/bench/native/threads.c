/*
 * threads.c - throughput of an allocator under threads.
 *
 *     threads PROFILE THREADS SECONDS
 *
 * Profiles: "private": each thread replaces random blocks of its own; "larson": as private, but every round a thread
 * hands its blocks to a successor, which it starts, and ends (Larson and Krishnan, ISMM 1998); "cross": thread n makes
 * batches of blocks that thread n + 1 frees. Sizes are 16 to 512 bytes. Prints one line of JSON; an operation is a pair
 * of malloc and free. Built with BENCH_VERIFY it checks every byte of every block, when it is freed, or at the end.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "workload.h"

enum {
    SLOTS = 4096,
    STEPS_PER_LOOK = 1000,    /* operations between two looks at the clock's flag */
    STEPS_PER_ROUND = 200000, /* larson: operations in the life of a thread */
    BATCH_BLOCKS = 64,
    RING_BATCHES = 64,
    THREADS_MAX = 64
};

typedef struct Batch {
    void *blocks[BATCH_BLOCKS];
} Batch;

/* One writer, one reader. */
typedef struct Ring {
    _Alignas(128) _Atomic size_t written; /* release; pairs with the reader's acquire */
    _Alignas(128) _Atomic size_t read;    /* release; pairs with the writer's acquire */
    Batch *batches[RING_BATCHES];
} Ring;

typedef struct Worker {
    _Alignas(128) uint64_t random;
    uint64_t operations;
    void **slots;
    Ring *incoming, *outgoing;
} Worker;

static atomic_bool stop;
static _Atomic int running;

static bool is_over(void) { return atomic_load_explicit(&stop, memory_order_relaxed); }

static void replace_some(Worker *worker, size_t steps) {
    slots_replace(worker->slots, SLOTS, &worker->random, steps);
    worker->operations += steps;
}

static void fill(Worker *worker) {
    worker->slots = calloc(SLOTS, sizeof *worker->slots);
    if (worker->slots == NULL) abort();
    for (size_t i = 0; i < SLOTS; i++) worker->slots[i] = make(random_size(next_random(&worker->random)));
}

static void *run_private(void *argument) {
    Worker *worker = argument;
    fill(worker);
    while (!is_over()) replace_some(worker, STEPS_PER_LOOK);
    return NULL;
}

static void start_detached(void *(*run)(void *), Worker *worker) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, worker) != 0) abort();
    pthread_detach(thread);
}

static void *run_larson(void *argument) {
    Worker *worker = argument;
    if (worker->slots == NULL) fill(worker);
    for (size_t steps = 0; steps < STEPS_PER_ROUND && !is_over(); steps += STEPS_PER_LOOK)
        replace_some(worker, STEPS_PER_LOOK);
    if (is_over())
        atomic_fetch_sub(&running, 1);
    else
        start_detached(run_larson, worker);
    return NULL;
}

static bool send(Ring *ring, Batch *batch) {
    size_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    if (written - atomic_load_explicit(&ring->read, memory_order_acquire) == RING_BATCHES) return false;
    ring->batches[written % RING_BATCHES] = batch;
    atomic_store_explicit(&ring->written, written + 1, memory_order_release);
    return true;
}

static Batch *receive(Ring *ring) {
    size_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    if (read == atomic_load_explicit(&ring->written, memory_order_acquire)) return NULL;
    Batch *batch = ring->batches[read % RING_BATCHES];
    atomic_store_explicit(&ring->read, read + 1, memory_order_release);
    return batch;
}

static void *run_cross(void *argument) {
    Worker *worker = argument;
    Batch *ready = NULL;
    while (!is_over()) {
        bool did_something = false;
        if (ready == NULL) {
            ready = make(sizeof *ready);
            for (int i = 0; i < BATCH_BLOCKS; i++) ready->blocks[i] = make(random_size(next_random(&worker->random)));
        }
        if (send(worker->outgoing, ready)) {
            ready = NULL;
            did_something = true;
        }
        for (Batch *batch; (batch = receive(worker->incoming)) != NULL;) {
            for (int i = 0; i < BATCH_BLOCKS; i++) unmake(batch->blocks[i]);
            release(batch);
            worker->operations += BATCH_BLOCKS + 1;
            did_something = true;
        }
        if (!did_something) sched_yield();
    }
    return NULL;
}

static Worker workers[THREADS_MAX];
static Ring rings[THREADS_MAX];

static uint64_t operations_of(int count) {
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) sum += workers[i].operations;
    return sum;
}

/* What lived at the end. */
static void verify_rest(int count) {
    for (int i = 0; i < count; i++) {
        for (size_t slot = 0; workers[i].slots != NULL && slot < SLOTS; slot++) unmake(workers[i].slots[slot]);
        for (Batch *batch; (batch = receive(workers[i].incoming)) != NULL; release(batch))
            for (int block = 0; block < BATCH_BLOCKS; block++) unmake(batch->blocks[block]);
    }
#if defined(BENCH_HAKMEM)
    if (hak_check() != 0) abort();
#endif
}

int main(int argument_count, char **arguments) {
    int count = argument_count == 4 ? atoi(arguments[2]) : 0;
    double seconds = argument_count == 4 ? atof(arguments[3]) : 0;
    bool is_larson = count > 0 && strcmp(arguments[1], "larson") == 0;
    void *(*run)(void *) = NULL;
    if (count > 0 && strcmp(arguments[1], "private") == 0) run = run_private;
    if (count > 0 && strcmp(arguments[1], "cross") == 0) run = run_cross;
    if (count < 1 || count > THREADS_MAX || seconds <= 0 || (run == NULL && !is_larson)) {
        fprintf(stderr, "usage: threads private|larson|cross THREADS SECONDS\n");
        return 2;
    }
    pthread_t threads[THREADS_MAX];
    double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    atomic_store(&running, count);
    for (int i = 0; i < count; i++) {
        workers[i].random = RANDOM_SEED + (uint64_t)i * 7919u;
        workers[i].incoming = &rings[i];
        workers[i].outgoing = &rings[(i + 1) % count];
        if (is_larson)
            start_detached(run_larson, &workers[i]);
        else if (pthread_create(&threads[i], NULL, run, &workers[i]) != 0)
            abort();
    }
    sleep_seconds(seconds);
    atomic_store(&stop, true);
    for (int i = 0; i < count && !is_larson; i++) pthread_join(threads[i], NULL);
    while (is_larson && atomic_load(&running) > 0) sched_yield();
    wall = seconds_of(CLOCK_MONOTONIC) - wall;
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"operations\": %llu, \"wall_seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
           (unsigned long long)operations_of(count), wall, cpu);
    if (IS_VERIFYING) verify_rest(count);
    return 0;
}
