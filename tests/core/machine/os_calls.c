/*
 * machine/os_calls.c - platform/os.h as the core sees it on the machine. Each call may switch to another thread, and
 * may be refused.
 */
#define _GNU_SOURCE
#include "machine/os_calls.h"

#include <errno.h>
#include <string.h>

#include "machine/core_sections.h"
#include "machine/memory.h"
#include "machine/threads.h"
#include "platform/lock.h"
#include "platform/os.h"
#include "support/require.h"

/* The linker gives the core's calls of f to WRAP(f) here, and REAL(f) is the function itself (CMakeLists.txt). */
#define WRAP(function) __wrap_hak_core_##function
#define REAL(function) __real_hak_core_##function

static MachineStart machine;

/* ---- Refusals ---- */

static unsigned refused_kinds, passed_left, refused_left;
static uint64_t refusal_count;
static bool has_kept_mapped;

void machine_refuse(unsigned kinds, unsigned passed, unsigned refused) {
    refused_kinds = kinds;
    passed_left = passed;
    refused_left = refused;
}

uint64_t machine_refusals(void) { return refusal_count; }
bool machine_has_kept_mapped(void) { return has_kept_mapped; }

static bool is_refused(unsigned kind) {
    threads_may_switch();
    if ((refused_kinds & kind) == 0 || refused_left == 0) return false;
    if (passed_left > 0) {
        passed_left--;
        return false;
    }
    refused_left--;
    refusal_count++;
    return true;
}

/* ---- Memory ---- */

__typeof__(os_initialize) REAL(os_initialize);
__typeof__(os_initialize) WRAP(os_initialize);
void WRAP(os_initialize)(bool are_calls_plain) {
    if (machine.environment == 1)
        REAL(os_initialize)(are_calls_plain); /* reads a file, which takes as long as the rest of the start */
    core_os_page_set(machine.os_page_bytes);
}

__typeof__(os_map) WRAP(os_map);
void *WRAP(os_map)(uintptr_t hint, size_t bytes) {
    if (is_refused(REFUSE_MAP)) return NULL;
    return memory_map(hint, bytes, hint != 0 && is_refused(REFUSE_HINT));
}

__typeof__(os_unmap) WRAP(os_unmap);
bool WRAP(os_unmap)(void *address, size_t bytes) {
    if (is_refused(REFUSE_UNMAP)) {
        has_kept_mapped = true;
        return false;
    }
    memory_unmap(address, bytes);
    return true;
}

__typeof__(os_purge) WRAP(os_purge);
bool WRAP(os_purge)(void *address, size_t bytes) {
    if (is_refused(REFUSE_PURGE)) {
        atomic_fetch_add(&os_purges_refused, 1);
        return false;
    }
    memory_purge(address, bytes);
    return true;
}

__typeof__(os_purge_ranges) WRAP(os_purge_ranges);
uint64_t WRAP(os_purge_ranges)(const OsRange *ranges, unsigned count) {
    uint64_t refused = 0;
    REQUIRE_AT_MOST(count, OS_RANGES_MAX);
    for (unsigned index = 0; index < count; index++)
        if (!WRAP(os_purge)(ranges[index].address, ranges[index].bytes)) refused |= (uint64_t)1 << index;
    return refused;
}

__typeof__(os_move) WRAP(os_move);
bool WRAP(os_move)(void *from, size_t bytes, void *to, size_t to_bytes) {
    memory_require(to, to_bytes);
    if (is_refused(REFUSE_MOVE)) { /* the kernel has unmapped `to` when it finds out */
        memory_unmap(to, to_bytes);
        return false;
    }
    memory_move(from, bytes, to, to_bytes);
    return true;
}

__typeof__(os_extend) WRAP(os_extend);
void *WRAP(os_extend)(void *address, size_t bytes, size_t new_bytes, bool may_move, bool *lacks_room) {
    *lacks_room = false;
    if (is_refused(REFUSE_LOCKED)) return NULL;
    *lacks_room = true;
    if (is_refused(REFUSE_EXTEND)) return NULL;
    void *extended = memory_extend(address, bytes, new_bytes, may_move);
    *lacks_room = extended == NULL;
    return extended;
}

/* ---- Huge pages: the core's bookkeeping is real, the pages are ordinary ones ---- */

__typeof__(os_huge_pages_forbid) WRAP(os_huge_pages_forbid);
void WRAP(os_huge_pages_forbid)(void *address, size_t bytes) { (void)address, (void)bytes; }

__typeof__(os_huge_pages_allow) WRAP(os_huge_pages_allow);
bool WRAP(os_huge_pages_allow)(void *address, size_t bytes) {
    (void)address;
    return machine.has_huge_pages && bytes == machine.os_page_bytes / sizeof(void *) * machine.os_page_bytes;
}

__typeof__(os_huge_pages_split) WRAP(os_huge_pages_split);
void WRAP(os_huge_pages_split)(void *address, size_t bytes) { memory_require(address, bytes); }

__typeof__(os_populate) WRAP(os_populate);
void WRAP(os_populate)(void *address, size_t bytes) {
    memory_require(address, bytes);
    threads_clock_add_us(machine.is_slow_to_clear ? 1000 : 100);
}

__typeof__(os_touch_ns_per_mib) WRAP(os_touch_ns_per_mib);
uint64_t WRAP(os_touch_ns_per_mib)(void) { return machine.is_slow_to_clear ? 1000000 : 100000; }

__typeof__(os_memory_is_short) WRAP(os_memory_is_short);
bool WRAP(os_memory_is_short)(int64_t room_bytes) {
    (void)room_bytes;
    return machine.is_slow_to_clear;
}

__typeof__(os_random_bits) WRAP(os_random_bits);
uint64_t WRAP(os_random_bits)(void) { return 0; }

/* ---- Time ---- */

uint64_t os_calls_start_ms(void) { return machine.is_clock_near_wrap ? ((uint64_t)1 << 32) - 300 : 1000000; }

__typeof__(os_now_ms) WRAP(os_now_ms);
uint64_t WRAP(os_now_ms)(void) { return threads_clock_us() / 1000; }

__typeof__(os_thread_us) WRAP(os_thread_us);
uint64_t WRAP(os_thread_us)(void) { return threads_clock_us(); }

/* ---- Waiting ---- */

static uint64_t deadline_of(uint32_t milliseconds) { return threads_clock_us() / 1000 + milliseconds; }

__typeof__(os_wait) WRAP(os_wait);
void WRAP(os_wait)(_Atomic uint32_t *word, uint32_t expected) { threads_wait(word, expected, UINT64_MAX); }

__typeof__(os_wait_ms) WRAP(os_wait_ms);
void WRAP(os_wait_ms)(_Atomic uint32_t *word, uint32_t expected, uint32_t milliseconds) {
    threads_wait(word, expected, deadline_of(milliseconds));
}

__typeof__(os_sleep_ms) WRAP(os_sleep_ms);
void WRAP(os_sleep_ms)(uint32_t milliseconds) { threads_wait(NULL, 0, deadline_of(milliseconds)); }

__typeof__(os_wake) WRAP(os_wake);
void WRAP(os_wake)(_Atomic uint32_t *word) { threads_wake(word, MACHINE_FIBERS); }

__typeof__(os_wake_one) WRAP(os_wake_one);
void WRAP(os_wake_one)(_Atomic uint32_t *word) { threads_wake(word, 1); }

/* Before each lock that is taken, with internal checks. */
__typeof__(lock_order_enter) REAL(lock_order_enter);
__typeof__(lock_order_enter) WRAP(lock_order_enter);
void WRAP(lock_order_enter)(const Lock *lock) {
    threads_may_switch();
    REAL(lock_order_enter)(lock);
}

/* ---- Threads ---- */

static void (*exit_hook)(void);
static bool is_exit_hook_armed[MACHINE_FIBERS];

__typeof__(os_thread_exit_hook_set) WRAP(os_thread_exit_hook_set);
void WRAP(os_thread_exit_hook_set)(void (*on_exit)(void)) { exit_hook = on_exit; }

__typeof__(os_thread_exit_hook_arm) WRAP(os_thread_exit_hook_arm);
void WRAP(os_thread_exit_hook_arm)(void) { is_exit_hook_armed[threads_current()] = true; }

bool os_calls_take_exit_hook(void) {
    bool *is_armed = &is_exit_hook_armed[threads_current()];
    if (!*is_armed) return false;
    *is_armed = false;
    exit_hook();
    return true;
}

__typeof__(os_thread_id) WRAP(os_thread_id);
uint64_t WRAP(os_thread_id)(void) { return threads_current_id(); }

__typeof__(os_has_one_thread_ever) WRAP(os_has_one_thread_ever);
bool WRAP(os_has_one_thread_ever)(void) { return machine.has_one_thread; }

__typeof__(os_barrier_in_all_threads) WRAP(os_barrier_in_all_threads);
bool WRAP(os_barrier_in_all_threads)(void) {
    threads_may_switch();
    return machine.has_barrier;
}

static _Atomic uint32_t has_helper_ended;
static bool is_inherited; /* this process is a copy, and has not put right what it got of its parent */

static void helper_main(void *run_pointer) {
    (*(void (**)(void))run_pointer)();
    atomic_store(&has_helper_ended, 1);
    threads_wake(&has_helper_ended, MACHINE_FIBERS);
}

__typeof__(os_helper_start) WRAP(os_helper_start);
int WRAP(os_helper_start)(void (*run)(void)) {
    static void (*helper_run)(void);
    if (is_refused(REFUSE_THREAD) || is_inherited) return EAGAIN; /* signals are blocked from here on */
    helper_run = run;
    atomic_store(&has_helper_ended, 0);
    threads_begin(MACHINE_HELPER, 0, helper_main, &helper_run);
    return 0;
}

__typeof__(os_helper_await_gone) WRAP(os_helper_await_gone);
void WRAP(os_helper_await_gone)(void) {
    while (atomic_load(&has_helper_ended) == 0 && !is_inherited) threads_wait(&has_helper_ended, 0, UINT64_MAX);
}

/* ---- Fork ---- */

typedef struct ForkHooks {
    void (*prepare)(void), (*parent)(void), (*child)(void);
} ForkHooks;

static ForkHooks fork_hooks;
static _Atomic uint32_t is_being_claimed;

__typeof__(os_fork_hooks_set) WRAP(os_fork_hooks_set);
void WRAP(os_fork_hooks_set)(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    fork_hooks = (ForkHooks){prepare, parent, child};
}

void os_calls_before_fork(void) { fork_hooks.prepare(); }

void os_calls_after_clone(void) {
    is_inherited = true;
    atomic_store(&is_being_claimed, 0);
    for (unsigned number = 0; number < MACHINE_FIBERS; number++)
        if (number != threads_current()) is_exit_hook_armed[number] = false;
}

void os_calls_after_fork(bool is_child) {
    if (!is_child) {
        fork_hooks.parent();
        return;
    }
    os_calls_after_clone();
    fork_hooks.child();
}

__typeof__(os_process_mark) WRAP(os_process_mark);
void WRAP(os_process_mark)(void) {} /* this kernel tells each copy */

__typeof__(os_process_is_copy) WRAP(os_process_is_copy);
bool WRAP(os_process_is_copy)(void) { return is_inherited; }

__typeof__(os_process_is_guest) WRAP(os_process_is_guest);
bool WRAP(os_process_is_guest)(void) { return machine.is_guest; }

__typeof__(os_process_claim_inherited) WRAP(os_process_claim_inherited);
bool WRAP(os_process_claim_inherited)(void) {
    bool was_inherited = is_inherited;
    is_inherited = false;
    while (!was_inherited && atomic_load(&is_being_claimed) != 0) threads_wait(&is_being_claimed, 1, UINT64_MAX);
    if (was_inherited) atomic_store(&is_being_claimed, 1);
    return was_inherited;
}

__typeof__(os_process_claim_end) WRAP(os_process_claim_end);
void WRAP(os_process_claim_end)(void) {
    atomic_store(&is_being_claimed, 0);
    threads_wake(&is_being_claimed, MACHINE_FIBERS);
}

/* ---- Lines ---- */

static bool are_lines_expected;
static uint64_t line_count;

uint64_t machine_expect_lines(bool are_expected) {
    are_lines_expected = are_expected;
    return line_count;
}

static bool contains(const char *text, size_t bytes, const char *words) {
    return memmem(text, bytes, words, strlen(words)) != NULL;
}

__typeof__(os_write_error) REAL(os_write_error);
__typeof__(os_write_error) WRAP(os_write_error);
void WRAP(os_write_error)(const char *text, size_t bytes) {
    line_count++;
    REQUIRE(bytes > 0 && text[bytes - 1] == '\n');
    if (are_lines_expected && !contains(text, bytes, ": broken: ") && !contains(text, bytes, "invariant")) return;
    REAL(os_write_error)(text, bytes);
    require_failed(__FILE__, __LINE__, "the core has nothing to say", line_count, 0);
}

/* ---- Start ---- */

void os_calls_reset(const MachineStart *start) {
    machine = *start;
    machine_refuse(0, 0, 0);
    refusal_count = 0;
    has_kept_mapped = false;
    line_count = 0;
    memory_reset(machine.is_memory_kernels, machine.misaligned_bytes);
    is_inherited = false;
    atomic_store(&is_being_claimed, 0);
    memset(is_exit_hook_armed, 0, sizeof is_exit_hook_armed);
}
