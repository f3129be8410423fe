/*
 * machine/threads.c - who runs next.
 */
#include "machine/threads.h"

#include <errno.h>
#include <string.h>

#include "machine/core_sections.h"
#include "machine/fiber.h"
#include "support/require.h"

typedef enum ThreadState { THREAD_IDLE, THREAD_SUSPENDED, THREAD_WAITING } ThreadState;

enum { VARIABLES_BYTES_MAX = 256 };

typedef struct Thread {
    Fiber fiber;
    ThreadState state; /* while it does not run */
    unsigned switches_left;
    const _Atomic uint32_t *word; /* waiting: on this */
    uint64_t deadline_ms;
    bool is_woken;
    int error_number; /* errno */
    uint64_t id;
    char variables[VARIABLES_BYTES_MAX]; /* the core's thread-local ones, while it does not run */
} Thread;

static Thread threads[MACHINE_FIBERS];
static Thread *running; /* NULL: outside */
static uint64_t clock_us, last_id;
static char new_variables[VARIABLES_BYTES_MAX];

/* ---- Switching ---- */

static void give_new_variables(Thread *thread) { memcpy(thread->variables, new_variables, sizeof new_variables); }

void threads_reset(uint64_t clock_ms) {
    CoreSection section = core_section_of_thread();
    REQUIRE(running == NULL && section.bytes <= VARIABLES_BYTES_MAX);
    memcpy(new_variables, section.start, section.bytes);
    clock_us = clock_ms * 1000;
    last_id = 0;
    for (unsigned number = 0; number < MACHINE_FIBERS; number++) {
        Thread *thread = &threads[number];
        thread->state = THREAD_IDLE;
        thread->error_number = 0;
        thread->id = ++last_id;
        give_new_variables(thread);
    }
}

static void enter(Thread *thread, unsigned switches) {
    CoreSection section = core_section_of_thread();
    int outside_error = errno;
    thread->state = THREAD_IDLE; /* unless it leaves before it is over */
    thread->switches_left = switches;
    memcpy(section.start, thread->variables, section.bytes);
    errno = thread->error_number;
    running = thread;
    fiber_enter(&thread->fiber);
    running = NULL;
    thread->error_number = errno;
    errno = outside_error;
    memcpy(thread->variables, section.start, section.bytes);
}

static uint64_t switches;

uint64_t threads_switches(void) { return switches; }

static void leave(ThreadState state) {
    Thread *thread = running;
    switches++;
    int saved = errno;
    thread->state = state;
    fiber_leave(&thread->fiber);
    errno = saved;
}

void threads_begin(unsigned number, unsigned suspend_at, void (*run)(void *argument), void *argument) {
    Thread *thread = &threads[number];
    REQUIRE(thread->state == THREAD_IDLE);
    fiber_begin(&thread->fiber, run, argument);
    if (running != NULL) { /* the helper, which another thread starts: it runs when its time comes */
        thread->state = THREAD_SUSPENDED;
        give_new_variables(thread);
        return;
    }
    enter(thread, suspend_at);
}

/* ---- Who can run ---- */

bool threads_is_idle(unsigned number) { return threads[number].state == THREAD_IDLE; }

static bool is_due(const Thread *thread) {
    return thread->state == THREAD_WAITING && (thread->is_woken || thread->deadline_ms <= clock_us / 1000);
}

static bool can_run(const Thread *thread) { return thread->state == THREAD_SUSPENDED || is_due(thread); }

void threads_resume(unsigned number) {
    if (can_run(&threads[number])) enter(&threads[number], 0);
}

/* The thread whose deadline comes first; NULL: nobody has one. */
static Thread *next_by_clock(void) {
    Thread *next = NULL;
    for (unsigned number = 0; number < MACHINE_FIBERS; number++) {
        Thread *thread = &threads[number];
        if (thread->state != THREAD_WAITING || thread->deadline_ms == UINT64_MAX) continue;
        if (next == NULL || thread->deadline_ms < next->deadline_ms) next = thread;
    }
    return next;
}

/* One that `wanted` may be waiting for. */
static Thread *next_for(Thread *wanted) {
    if (can_run(wanted)) return wanted;
    for (unsigned number = 0; number < MACHINE_FIBERS; number++)
        if (can_run(&threads[number])) return &threads[number];
    return next_by_clock();
}

void threads_finish(unsigned number) {
    enum { STEPS_MAX = 100000 };
    unsigned steps = 0;
    for (; threads[number].state != THREAD_IDLE; steps++) {
        Thread *next = next_for(&threads[number]);
        REQUIRE(next != NULL); /* else a deadlock */
        REQUIRE_OP(steps, <, STEPS_MAX);
        if (!can_run(next)) clock_us = next->deadline_ms * 1000;
        enter(next, 0);
    }
}

void threads_run_due(unsigned helper_suspend_at) {
    for (unsigned number = 0; number < MACHINE_FIBERS; number++)
        if (is_due(&threads[number])) enter(&threads[number], number == MACHINE_HELPER ? helper_suspend_at : 0);
}

void threads_settle(void) {
    for (unsigned number = 0; number < MACHINE_THREADS; number++) threads_finish(number);
    while (can_run(&threads[MACHINE_HELPER])) enter(&threads[MACHINE_HELPER], 0);
}

/* ---- Inside ---- */

bool threads_is_inside(void) { return running != NULL; }
unsigned threads_current(void) { return (unsigned)(running - threads); }
uint64_t threads_current_id(void) { return running == NULL ? 0 : running->id; }

static unsigned places_to_interrupt;
static const Thread *interrupted;
static void (*interrupt_handler)(void);

void threads_interrupt(unsigned place, void (*handler)(void)) {
    places_to_interrupt = place;
    interrupted = running;
    interrupt_handler = handler;
}

void threads_may_switch(void) {
    bool is_counted = places_to_interrupt != 0 && running == interrupted;
    if (is_counted && --places_to_interrupt == 0) {
        switches++;
        interrupt_handler();
    }
    if (running == NULL || running->switches_left == 0 || --running->switches_left != 0) return;
    leave(THREAD_SUSPENDED);
}

void threads_wait(const _Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ms) {
    REQUIRE(running != NULL);
    if (word != NULL && atomic_load(word) != expected) return;
    running->word = word;
    running->deadline_ms = deadline_ms;
    running->is_woken = false;
    leave(THREAD_WAITING);
}

void threads_wake(const _Atomic uint32_t *word, unsigned count) {
    for (unsigned number = 0; number < MACHINE_FIBERS && count > 0; number++) {
        Thread *thread = &threads[number];
        if (thread->state != THREAD_WAITING || thread->word != word || thread->is_woken) continue;
        thread->is_woken = true;
        count--;
    }
}

void threads_renew(void) {
    CoreSection section = core_section_of_thread();
    running->id = ++last_id;
    memcpy(section.start, new_variables, section.bytes);
}

bool threads_are_others_at_rest(void) {
    for (unsigned number = 0; number < MACHINE_FIBERS; number++) {
        const Thread *thread = &threads[number];
        bool is_polling = number == MACHINE_HELPER && thread->state == THREAD_WAITING && !is_due(thread) &&
                          thread->deadline_ms != UINT64_MAX;
        if (thread != running && thread->state != THREAD_IDLE && !is_polling) return false;
    }
    return true;
}

bool threads_forget_others(void) {
    bool were_inside = false;
    running->switches_left = 0; /* there are no others until it has made them */
    for (unsigned number = 0; number < MACHINE_FIBERS; number++) {
        Thread *thread = &threads[number];
        if (thread == running) continue;
        if (number != MACHINE_HELPER) were_inside |= thread->state != THREAD_IDLE;
        thread->state = THREAD_IDLE;
        thread->id = ++last_id;
        give_new_variables(thread);
    }
    return were_inside;
}

uint64_t threads_clock_us(void) { return clock_us; }
void threads_clock_add_us(uint64_t microseconds) { clock_us += microseconds; }
