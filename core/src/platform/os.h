/*
 * platform/os.h - the porting contract: all that hakmem asks of an operating system.
 *
 * Layer: platform. Each OS has a folder that implements it (linux/) and alone includes OS headers. A port adds a
 * folder. Thread rule: any thread. Errno is kept by every function.
 */
#ifndef HAK_PLATFORM_OS_H
#define HAK_PLATFORM_OS_H

#include "base/base.h"

/* ---- Memory: addresses and sizes are multiples of the OS page ---- */

/* A power of two from OS_PAGE_BYTES_MIN to OS_PAGE_BYTES_MAX, and its logarithm; valid after os_initialize. */
extern size_t os_page_bytes;
extern unsigned os_page_shift;

/* Once, before the other functions of this section. `are_calls_plain`: the option system_calls; a sandbox may end the
 * process for a call that the C library's malloc does not make. */
void os_initialize(bool are_calls_plain);
extern bool os_calls_are_plain;

/* Maps `bytes` of zeroed, unbacked memory, at `hint` if the kernel agrees; `hint` 0: anywhere. NULL: no memory or
 * no address space. */
void *os_map(uintptr_t hint, size_t bytes);

/* False: the kernel refused and the range is as before. munmap(2): ENOMEM where that would split a mapping of a
 * process that has vm.max_map_count of them. */
bool os_unmap(void *address, size_t bytes);

/* Gives back the memory behind these OS pages of free memory, which read as zero afterwards (madvise(2),
 * MADV_DONTNEED). False: the kernel refused, for example under mlockall, and any of them may still be backed and keep
 * its contents. */
bool os_purge(void *address, size_t bytes);

/* How many calls of os_purge and os_purge_ranges the kernel has refused so far, in whole or in part. */
extern _Atomic uint64_t os_purges_refused;

/* Where the kernel refuses to unmap the range, its addresses are lost and its memory is given back. */
HAK_INLINE void os_unmap_or_purge(void *address, size_t bytes) {
    if (!os_unmap(address, bytes)) (void)os_purge(address, bytes);
}

typedef struct OsRange {
    void *address;
    size_t bytes;
} OsRange;

enum { OS_RANGES_MAX = 64 };

/* os_purge of up to OS_RANGES_MAX ranges, in one call where the kernel can: it then interrupts the other processors
 * once instead of once a range. Returns the set of refused ranges, bit i for ranges[i]. */
uint64_t os_purge_ranges(const OsRange *ranges, unsigned count);

/* Moves the OS pages of `bytes` at `from` to `to`, without copying, and unmaps `from` (mremap(2), MREMAP_FIXED).
 * `to` is a mapping of ours of `to_bytes`, which is more; its contents are lost, and what lies behind `bytes` is zeroed
 * and unbacked. False: `from` is as before; `to` may be unmapped. */
bool os_move(void *from, size_t bytes, void *to, size_t to_bytes);

/* Makes a mapping longer, with zeroed, unbacked memory behind it: in place or, if `may_move`, at an address of the
 * kernel's choice, without copying and with room for the difference only (mremap(2)). Returns its address. NULL: the
 * range is as before; `lacks_room` says whether for want of memory or addresses, or because the kernel moves none of
 * it, as where a part is locked (mlock). */
void *os_extend(void *address, size_t bytes, size_t new_bytes, bool may_move, bool *lacks_room);

/* No huge pages for this range. Best effort. */
void os_huge_pages_forbid(void *address, size_t bytes);

/* Asks for a huge page for this range. True: the first touch backs all of it. False where `bytes` is not the size
 * of a huge page, or the machine has them off. */
bool os_huge_pages_allow(void *address, size_t bytes);

/* Splits the huge pages of this range into OS pages, for good. Without it a purge of a part lowers RSS, but the
 * machine does not get the memory back. Best effort. */
void os_huge_pages_split(void *address, size_t bytes);

/* Backs these OS pages as a write would, but without one, which memory checkers would report. Best effort. */
void os_populate(void *address, size_t bytes);

/* How long it takes to touch a MiB first, OS page by OS page, on this machine and now. 0: the kernel gives no
 * memory. */
uint64_t os_touch_ns_per_mib(void);

/* Memory is short for the control group of this process: its tasks waited for memory of late, or less than `room_bytes`
 * is left of the memory.high or memory.max of this group or of one that it lies in. For the helper, which has no
 * descriptor of the program's from then on and opens files under numbers of its own. False also where that cannot be
 * read, on another thread, and where the kernel gives the helper no descriptors of its own. */
bool os_memory_is_short(int64_t room_bytes);

/* 64 bits that differ from process to process, for the placement of mappings. Not for secrets. */
uint64_t os_random_bits(void);

/* ---- Threads ---- */

/* `on_exit` is called at the end of each thread that has armed the hook. A thread that arms it again while it ends
 * is called again, a bounded number of times (POSIX, pthread_key_create: destructors). */
void os_thread_exit_hook_set(void (*on_exit)(void)); /* once per process */
void os_thread_exit_hook_arm(void);                  /* for the calling thread */

/* True: the C library knows that no thread was ever made. False also where it does not tell. */
bool os_has_one_thread_ever(void);

uint64_t os_thread_id(void); /* the kernel's, which it uses again after the thread has ended */

/* A full memory barrier in every running thread of this process (membarrier(2)). False: the kernel has none, and
 * nothing that another thread owns may be taken from it. */
bool os_barrier_in_all_threads(void);

/* A thread of our own: it blocks all signals, has the ordinary scheduling policy and the main thread's processors,
 * whatever the calling thread has. Returns 0 or an errno; EAGAIN in a copy of the process (os_process_is_copy). */
int os_helper_start(void (*run)(void));
/* Returns when the thread is gone for the kernel, or 100 ms after `run` returned; in a copy of the process at once. In
 * a guest (os_process_is_guest) also when the thread has not begun for so long that its process must have ended. */
void os_helper_await_gone(void);

/* Sleep while the word is `expected`, until somebody wakes it or the time is over; may return early (futex(2)). Not
 * cancellation points, so a lock may be held. */
void os_wait(_Atomic uint32_t *word, uint32_t expected);
void os_wait_ms(_Atomic uint32_t *word, uint32_t expected, uint32_t milliseconds);
void os_wake(_Atomic uint32_t *word); /* all who sleep on it */
void os_wake_one(_Atomic uint32_t *word);

/* No cancellation point, unlike nanosleep, so a lock may be held. */
void os_sleep_ms(uint32_t milliseconds);

/* Sets the functions that fork calls before it, and after it in the parent and in the child; once per process. */
void os_fork_hooks_set(void (*prepare)(void), void (*parent)(void), void (*child)(void));

/* ---- Processes ---- */

void os_process_mark(void); /* once, after os_initialize: from now on the kernel tells copies of this process */

/* True: this process has a copy of the state of another one, was made without the fork hooks (_Fork, clone), and nobody
 * has claimed what it has inherited. */
bool os_process_is_copy(void);

/* True: this process runs in the memory of another one (vfork, clone with CLONE_VM), so what it starts ends before what
 * the state tells of. */
bool os_process_is_guest(void);

/* True, once, in a copy: the caller puts right what it has inherited, and calls os_process_claim_end. Other threads
 * wait for that here. */
bool os_process_claim_inherited(void);
void os_process_claim_end(void);

/* ---- Loaded objects ---- */

typedef void (*OsObjectVisit)(void *context, void *address, const char *object);

/* Calls `visit` for each loaded object that defines and exports `symbol`, with the symbol's address and the
 * object's file: the program first, then in order of loading. */
void os_objects_ask(const char *symbol, OsObjectVisit visit, void *context);

/* ---- Time, text, end ---- */

uint64_t os_now_ms(void);    /* monotonic, with the resolution of the kernel's tick (1 to 10 ms), cheap */
uint64_t os_thread_us(void); /* processor time of the calling thread, exact; a system call */

/* At `now_ms`, have at least `age_ms` passed since `since_ms`? Both are lower halves of os_now_ms, so their
 * difference wraps at 2^32. A difference in the last hour before 2^32 means that `since_ms` is later than `now_ms`:
 * false. */
HAK_INLINE bool os_has_aged(uint32_t now_ms, uint32_t since_ms, uint32_t age_ms) {
    uint32_t elapsed_ms = now_ms - since_ms;
    return elapsed_ms >= age_ms && elapsed_ms < UINT32_MAX - 3600000u;
}

void os_write_error(const char *text, size_t bytes); /* to stderr; no cancellation point */
_Noreturn void os_abort(void);

/* ---- Faults, for tests ---- */

/* The `nth_call` from now on of os_map, os_unmap, os_purge, os_purge_ranges, os_move and os_extend together fails. 0:
 * none does. */
void os_fault_at(uint64_t nth_call);
uint64_t os_fault_calls(void); /* number of these calls since os_fault_at; not counted while no fault is set */

#endif
