/*
 * platform/os.h - the porting contract: all that hakmem asks of an operating system.
 *
 * Layer: platform. Implemented in the folder of each OS (linux/), which alone includes OS headers; a port adds one.
 * Thread rule: everything here may be called from any thread. Errno is kept by all of it.
 */
#ifndef HAK_PLATFORM_OS_H
#define HAK_PLATFORM_OS_H

#include "base/base.h"

/* ---- Memory ---- */

extern size_t os_page_bytes; /* valid after os_initialize */
extern unsigned os_page_shift;

void os_initialize(void);

/* `bytes` (a multiple of the OS page) of zeroed, unbacked memory; `hint` is where it should lie, or 0.
 * NULL on failure. Keeps errno, like everything here: a free may end in it. */
void *os_map(uintptr_t hint, size_t bytes);

/* False: the kernel refuses, as when that would split a mapping and the process has as many as it may; the range is as
 * it was. */
bool os_unmap(void *address, size_t bytes);

/* Gives the memory behind these OS pages back; they read as zero afterwards. False (contents kept) where the kernel
 * refuses, for example under mlockall. */
bool os_purge(void *address, size_t bytes);

/* Where the kernel refuses to unmap it the addresses are lost; what is behind them goes. */
HAK_INLINE void os_unmap_or_purge(void *address, size_t bytes) {
    if (!os_unmap(address, bytes)) (void)os_purge(address, bytes);
}

typedef struct OsRange {
    void *address;
    size_t bytes;
} OsRange;

enum { OS_RANGES_MAX = 64 };

/* os_purge of up to OS_RANGES_MAX ranges, in one call where the kernel can: it then interrupts the other processors once
 * instead of once a range. Returns the set of refused ranges, bit i for ranges[i]. */
uint64_t os_purge_ranges(const OsRange *ranges, unsigned count);

/* Moves the OS pages behind `bytes` at `from` to `to`, a mapping of ours whose contents are lost, without copying; the
 * range at `from` is unmapped then. False: `from` is as it was, and `to` may be unmapped. */
bool os_move(void *from, size_t bytes, void *to);

/* Huge pages for this range: forbid (best effort), or ask for; true: the first touch backs all of it. */
void os_huge_pages_forbid(void *address, size_t bytes);
bool os_huge_pages_allow(void *address, size_t bytes);

/* Turns the huge pages of this range into ordinary ones, for good: a purge of a part of one would lower RSS and leave the
 * machine without the memory. Best effort. */
void os_huge_pages_split(void *address, size_t bytes);

/* Backs these OS pages as a write would, whatever tools think of them. Best effort. */
void os_populate(void *address, size_t bytes);

/* 64 bits that differ from process to process, for the placement of mappings. */
uint64_t os_random_bits(void);

/* ---- Threads ---- */

/* Calls `on_exit` when the calling thread ends, and again if the thread asks again while it ends (a bounded number of
 * times, as POSIX says of thread-specific data). */
void os_thread_exit_hook_set(void (*on_exit)(void));
void os_thread_exit_hook_arm(void);

uint64_t os_thread_id(void);

/* A full memory barrier in every running thread of this process. False where the kernel has none: then nothing that
 * another thread owns may be taken from it. */
bool os_barrier_in_all_threads(void);

/* A thread of our own: it blocks all signals, has the ordinary scheduling policy and the main thread's processors, whatever the
 * calling thread has. Returns 0 or an errno. */
int os_helper_start(void (*run)(void));
void os_helper_await_end(void);  /* its function has returned */
void os_helper_await_gone(void); /* and the kernel counts it no more; an exit that takes very long is not awaited */

/* True, once: this process is a child of the one that last started a helper, and was made without the fork hooks. */
bool os_helper_claim_inherited(void);

/* Sleeps until the word is no longer `expected`, somebody wakes it, or the time is over. */
void os_wait(_Atomic uint32_t *word, uint32_t expected);
void os_wait_ms(_Atomic uint32_t *word, uint32_t expected, uint32_t milliseconds);
void os_wake(_Atomic uint32_t *word); /* all who sleep on it */
void os_wake_one(_Atomic uint32_t *word);

/* No cancellation point, unlike nanosleep: a lock may be held. */
void os_sleep_ms(uint32_t milliseconds);

/* Calls around fork; once per process. */
void os_fork_hooks_set(void (*prepare)(void), void (*parent)(void), void (*child)(void));

/* ---- Loaded objects ---- */

typedef void (*OsObjectVisit)(void *context, void *address, const char *object);

/* Calls `visit` with the address of `symbol` in each loaded object that exports one of its own, in the order of loading; the program comes first, then what it was linked with. `object` is its file. */
void os_objects_ask(const char *symbol, OsObjectVisit visit, void *context);

/* ---- Time, text, end ---- */

uint64_t os_now_ms(void); /* monotonic, a few ms coarse, cheap */
uint64_t os_now_us(void); /* monotonic, exact */

/* `age_ms` or more have passed at `now_ms` since `since_ms`; both are the lower half of os_now_ms. What seems to lie in
 * the last hour before 32 bits wrap was queued after `now_ms` was read, and is young. */
HAK_INLINE bool os_has_aged(uint32_t now_ms, uint32_t since_ms, uint32_t age_ms) {
    uint32_t passed_ms = now_ms - since_ms;
    return passed_ms >= age_ms && passed_ms < UINT32_MAX - 3600000u;
}
void os_write_error(const char *text, size_t bytes); /* stderr; keeps errno */
_Noreturn void os_abort(void);

/* ---- Faults, for tests: the n-th OS call that can fail from now on fails (0: none) ---- */

void os_fault_at(uint64_t nth_call);
uint64_t os_fault_calls(void); /* OS calls that could have failed, since os_fault_at */

#endif
