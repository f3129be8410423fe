/*
 * virtual_time.c - the clock, the helper thread and the random bits of a replay. See virtual_time.h.
 *
 * Thread rule: either the replay's thread runs or the helper, never both; `turn` says which.
 */
#include "virtual_time.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define NS_PER_MS ((uint64_t)1000000)

enum { START_MS = 1000 };

static uint64_t now_ns = START_MS * NS_PER_MS;
static KernelCalls kernel_calls;

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum { TURN_REPLAY, TURN_HELPER } turn;
    bool is_alive;
    uint64_t wakes_ns;
    pthread_t thread;
    void (*run)(void);
} helper = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- Turns ---- */

static void give_turn_and_wait(int to, int back) {
    pthread_mutex_lock(&helper.mutex);
    helper.turn = to;
    pthread_cond_broadcast(&helper.changed);
    while ((int)helper.turn != back) pthread_cond_wait(&helper.changed, &helper.mutex);
    pthread_mutex_unlock(&helper.mutex);
}

static void *helper_main(void *nothing) {
    helper.run();
    pthread_mutex_lock(&helper.mutex);
    helper.is_alive = false;
    helper.turn = TURN_REPLAY;
    pthread_cond_broadcast(&helper.changed);
    pthread_mutex_unlock(&helper.mutex);
    return nothing;
}

/* ---- In place of the operating system's ---- */

uint64_t __wrap_hak_core_os_now_ms(void);
uint64_t __wrap_hak_core_os_now_ms(void) { return now_ns / NS_PER_MS; }

uint64_t __wrap_hak_core_os_random_bits(void);
uint64_t __wrap_hak_core_os_random_bits(void) { return 0; }

/* As on a usual machine: 0.5 us for each 4 KiB. */
uint64_t __wrap_hak_core_os_touch_ns_per_mib(void);
uint64_t __wrap_hak_core_os_touch_ns_per_mib(void) { return 128000; }

bool __wrap_hak_core_os_memory_is_short(int64_t room_bytes);
bool __wrap_hak_core_os_memory_is_short(int64_t room_bytes) {
    (void)room_bytes;
    return false;
}

/* Returns when it sleeps for the first time. */
int __wrap_hak_core_os_helper_start(void (*run)(void));
int __wrap_hak_core_os_helper_start(void (*run)(void)) {
    helper.run = run;
    helper.is_alive = true;
    helper.turn = TURN_HELPER;
    if (pthread_create(&helper.thread, NULL, helper_main, NULL) != 0) {
        fprintf(stderr, "replay: no thread\n");
        exit(1);
    }
    give_turn_and_wait(TURN_HELPER, TURN_REPLAY);
    return 0;
}

void __wrap_hak_core_os_helper_await_gone(void);
void __wrap_hak_core_os_helper_await_gone(void) { pthread_join(helper.thread, NULL); }

void __wrap_hak_core_os_wait_ms(_Atomic uint32_t *flag, uint32_t expected, uint32_t milliseconds);
void __wrap_hak_core_os_wait_ms(_Atomic uint32_t *flag, uint32_t expected, uint32_t milliseconds) {
    (void)flag;
    (void)expected;
    helper.wakes_ns = now_ns + milliseconds * NS_PER_MS;
    give_turn_and_wait(TURN_REPLAY, TURN_HELPER);
}

bool __real_hak_core_os_purge(void *address, size_t bytes);
bool __wrap_hak_core_os_purge(void *address, size_t bytes);
bool __wrap_hak_core_os_purge(void *address, size_t bytes) {
    kernel_calls.purges++;
    return __real_hak_core_os_purge(address, bytes);
}

void __real_hak_core_os_purge_ranges(void *ranges, unsigned count);
void __wrap_hak_core_os_purge_ranges(void *ranges, unsigned count);
void __wrap_hak_core_os_purge_ranges(void *ranges, unsigned count) {
    kernel_calls.purges++;
    __real_hak_core_os_purge_ranges(ranges, count);
}

bool __real_hak_core_os_unmap(void *address, size_t bytes);
bool __wrap_hak_core_os_unmap(void *address, size_t bytes);
bool __wrap_hak_core_os_unmap(void *address, size_t bytes) {
    kernel_calls.releases++;
    return __real_hak_core_os_unmap(address, bytes);
}

KernelCalls virtual_time_kernel_calls(void) { return kernel_calls; }

/* ---- For the replay ---- */

static void wake_if_due(void) {
    if (helper.is_alive && now_ns >= helper.wakes_ns) give_turn_and_wait(TURN_HELPER, TURN_REPLAY);
}

size_t virtual_time_events_left(void) {
    if (!helper.is_alive) return SIZE_MAX;
    return (size_t)((helper.wakes_ns - now_ns + EVENT_NS - 1) / EVENT_NS);
}

void virtual_time_pass(size_t events) {
    now_ns += (uint64_t)events * EVENT_NS;
    wake_if_due();
}

void virtual_time_idle(void) {
    for (uint64_t end_ns = now_ns + IDLE_MS * NS_PER_MS; now_ns < end_ns;) {
        bool is_awaited = helper.is_alive && helper.wakes_ns < end_ns;
        now_ns = is_awaited ? helper.wakes_ns : end_ns;
        wake_if_due();
    }
}
