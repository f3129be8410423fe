/*
 * machine/threads.h - the machine's threads and its clock: fibers, of which one runs at a time, and is left only
 * where it waits or where the schedule says so. Nothing happens by chance, and nobody sleeps: the clock jumps to the
 * next deadline.
 *
 * Two threads that wait for each other for ever are a finding.
 */
#ifndef MACHINE_THREADS_H
#define MACHINE_THREADS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { MACHINE_THREADS = 4, MACHINE_HELPER = MACHINE_THREADS, MACHINE_FIBERS };

/* ---- From outside of all threads ---- */

/* All threads are new and idle, the clock shows `clock_ms`. */
void threads_reset(uint64_t clock_ms);

/* Begins `run(argument)` in the thread, which is idle, and comes back when that is over, waits, or has reached its
 * `suspend_at`-th place where a switch is possible. 0: it is not suspended. */
void threads_begin(unsigned thread, unsigned suspend_at, void (*run)(void *argument), void *argument);

bool threads_is_idle(unsigned thread);

/* Goes on with a suspended thread, until it is over or waits. */
void threads_resume(unsigned thread);

/* Goes on with the thread, and with those that it waits for, until it is idle. */
void threads_finish(unsigned thread);

/* All are idle, but for a helper that waits for its next poll. */
void threads_settle(void);

/* Goes on with threads whose wait is over. The helper, if it is among them, is suspended at that place. */
void threads_run_due(unsigned helper_suspend_at);

/* ---- From inside of a thread; the core's calls ---- */

bool threads_is_inside(void);
unsigned threads_current(void);
uint64_t threads_current_id(void); /* another one after threads_renew */

/* How often a thread was left for another one, or for a handler. The same number twice: nobody else did anything in
 * between. */
uint64_t threads_switches(void);

/* A place where a switch is possible. */
void threads_may_switch(void);

/* At the `place`-th of these from here on the current thread calls `handler` first, as for a signal. 0: at none. */
void threads_interrupt(unsigned place, void (*handler)(void));

void threads_wait(const _Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ms); /* UINT64_MAX: none */
void threads_wake(const _Atomic uint32_t *word, unsigned count);

/* The current thread ends, and another one goes on in its place. */
void threads_renew(void);

/* No other thread is in the middle of something. The helper may await its next poll. */
bool threads_are_others_at_rest(void);

/* The current thread is the only one: what the others were doing is forgotten. True: they were in the middle of
 * something. */
bool threads_forget_others(void);

uint64_t threads_clock_us(void);
void threads_clock_add_us(uint64_t microseconds);

#endif
