/*
 * many.c - see many.h.
 */
#define _GNU_SOURCE
#include "many.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../require.h"
#include "blocks.h"
#include "core_table.h"

enum { THREADS = 4, ROUNDS = 30, CHILDREN = 20, CHILD_MS_MAX = 60000, HELD = 200, HELD_BYTES_MAX = 3000 };

static void require_enabled(const Runtime *runtime) {
    REQUIRE(runtime->enable());
    Block block;
    REQUIRE(block_make(runtime, &block, 100) && core_owns(block.address));
    block_drop(runtime, &block);
}

/* ---- Threads ---- */

static _Atomic(Block *) shelf[THREADS * 8]; /* blocks on their way to whoever comes next */
static atomic_bool is_over;
static atomic_uint begun; /* threads */

static void exchange(const Runtime *runtime, size_t place, size_t bytes) {
    Block *block = runtime->make(sizeof *block);
    REQUIRE(block != NULL && block_make(runtime, block, bytes));
    Block *other = atomic_exchange(&shelf[place % (sizeof shelf / sizeof *shelf)], block);
    if (other == NULL) return;
    block_drop(runtime, other);
    runtime->drop(other, sizeof *other);
}

static void work_of_thread(const Runtime *runtime, size_t seed) {
    static _Thread_local Block held[HELD];
    for (size_t index = 0; index < HELD; index++)
        REQUIRE(block_make(runtime, &held[index], (index * 37 + seed) % HELD_BYTES_MAX + 1));
    for (size_t index = 0; index < HELD; index += 3) REQUIRE(block_resize(runtime, &held[index], index * 50 + 1));
    if (runtime->has_shared_blocks)
        for (size_t index = 0; index < HELD; index++) exchange(runtime, index + seed, index * 20 + 1);
    for (size_t index = 0; index < HELD; index++) block_drop(runtime, &held[index]);
}

static void *run_thread(void *context) {
    const Runtime *runtime = context;
    for (size_t round = 0; round < ROUNDS; round++) {
        runtime->begin_thread();
        work_of_thread(runtime, round);
        runtime->end_thread();
    }
    return NULL;
}

static void start(pthread_t *threads, void *(*run)(void *), const Runtime *runtime) {
    for (size_t index = 0; index < THREADS; index++)
        REQUIRE(pthread_create(&threads[index], NULL, run, (void *)(uintptr_t)runtime) == 0);
}

static void join(const pthread_t *threads, const Runtime *runtime) {
    runtime->pause();
    for (size_t index = 0; index < THREADS; index++) REQUIRE(pthread_join(threads[index], NULL) == 0);
    runtime->go_on();
}

static void clear_shelf(const Runtime *runtime) {
    for (size_t place = 0; place < sizeof shelf / sizeof *shelf; place++) {
        Block *block = atomic_exchange(&shelf[place], NULL);
        if (block == NULL) continue;
        block_drop(runtime, block);
        runtime->drop(block, sizeof *block);
    }
}

void many_threads(const Runtime *runtime) {
    pthread_t threads[THREADS];
    runtime->begin(false);
    require_enabled(runtime);
    start(threads, run_thread, runtime);
    join(threads, runtime);
    clear_shelf(runtime);
    uint64_t before = core_live_bytes();
    start(threads, run_thread, runtime);
    join(threads, runtime);
    clear_shelf(runtime);
    REQUIRE(core_live_bytes() < before + (16 << 10)); /* 120 threads that leave 200 bytes each leave more */
    core_require_whole();
}

/* ---- Children ---- */

static void *keep_busy(void *context) {
    const Runtime *runtime = context;
    runtime->begin_thread();
    (void)atomic_fetch_add(&begun, 1);
    while (!atomic_load(&is_over)) {
        work_of_thread(runtime, 0);
        runtime->pause();
        runtime->go_on();
    }
    runtime->end_thread();
    return NULL;
}

static int child_of(const Runtime *runtime, Block *inherited) {
    for (size_t index = 0; index < SIZES; index++) {
        if (index % 2 == 0) REQUIRE(block_resize(runtime, &inherited[index], inherited[index].bytes * 2));
        block_drop(runtime, &inherited[index]);
    }
    REQUIRE(blocks_work(runtime) == 0);
    core_require_whole();
    return 0;
}

/* A child that hangs, also within the fork, is ended, and is a failure. */
static int status_of(pid_t child) {
    int status;
    REQUIRE(child > 0);
    for (unsigned waited_ms = 0; waited_ms < CHILD_MS_MAX; waited_ms++) {
        if (waitpid(child, &status, WNOHANG) == child) return status;
        (void)usleep(1000);
    }
    (void)kill(child, SIGKILL);
    REQUIRE(waitpid(child, &status, 0) == child);
    return status;
}

void many_forks(const Runtime *runtime) {
    static Block held[SIZES];
    pthread_t threads[THREADS];
    runtime->begin(false);
    require_enabled(runtime);
    for (size_t index = 0; index < SIZES; index++) REQUIRE(block_make(runtime, &held[index], size_number(index)));
    start(threads, keep_busy, runtime);
    runtime->pause();
    while (atomic_load(&begun) < THREADS) (void)sched_yield();
    runtime->go_on();
    for (size_t number = 0; number < CHILDREN; number++) {
        pid_t child = runtime->fork_process();
        if (child == 0) _exit(child_of(runtime, held));
        runtime->pause(); /* others go on meanwhile */
        int status = status_of(child);
        runtime->go_on();
        REQUIRE(status == 0);
    }
    atomic_store(&is_over, true);
    join(threads, runtime);
    clear_shelf(runtime);
    for (size_t index = 0; index < SIZES; index++) block_drop(runtime, &held[index]);
    core_require_whole();
}

/* ---- System calls that fail ---- */

static void (*faults_from)(unsigned long first, unsigned long count);
static unsigned long (*faults_calls)(void);

enum { IS_WHOLE = 0, HAS_REFUSED = 3, HAS_ENDED = 4 };

/* The code of its exit. HAS_ENDED: the work makes fewer calls than that. */
static int child_with_fault(const Runtime *runtime, unsigned long first, unsigned long count, Block *foreign) {
    faults_from(first, count);
    size_t refused = 0;
    for (size_t index = 0; index < SIZES; index++)
        refused += !block_resize(runtime, &foreign[index], foreign[index].bytes * 2);
    refused += blocks_work(runtime);
    unsigned long calls = faults_calls();
    faults_from(0, 0);
    core_require_whole();
    REQUIRE(blocks_work(runtime) == 0); /* it is over */
    for (size_t index = 0; index < SIZES; index++) block_drop(runtime, &foreign[index]);
    core_require_whole();
    return calls < first ? HAS_ENDED : refused > 0 ? HAS_REFUSED : IS_WHOLE;
}

void many_faults(const Runtime *runtime) {
    *(void **)&faults_from = dlsym(RTLD_DEFAULT, "os_faults_from");
    *(void **)&faults_calls = dlsym(RTLD_DEFAULT, "os_faults_calls");
    REQUIRE(faults_from != NULL && faults_calls != NULL);
    static Block foreign[SIZES];
    runtime->begin(false);
    for (size_t index = 0; index < SIZES; index++)
        block_fill(&foreign[index], runtime->make_foreign(size_number(index)), size_number(index));
    require_enabled(runtime);
    static const unsigned long counts[] = {1, 3, 0};
    for (size_t index = 0; index < sizeof counts / sizeof *counts; index++) {
        unsigned long numbers[HAS_ENDED + 1] = {0};
        for (unsigned long first = 1; numbers[HAS_ENDED] == 0; first += first < 60 ? 1 : first / 10) {
            pid_t child = runtime->fork_process();
            if (child == 0) _exit(child_with_fault(runtime, first, counts[index], foreign));
            int status = status_of(child);
            REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) <= HAS_ENDED);
            numbers[WEXITSTATUS(status)]++;
        }
        printf("%lu at once: %lu refused, %lu not\n", counts[index], numbers[HAS_REFUSED], numbers[IS_WHOLE]);
    }
}
