/*
 * lifecycle/start.c - the start of everything, the hooks around fork, and the end of the process.
 *
 * Layer: lifecycle. Thread rule: any thread.
 */
#include "lifecycle/start.h"

#include "cache/flush.h"
#include "cache/magazine.h"
#include "heap/heap.h"
#include "heap/heap_all.h"
#include "lifecycle/fork.h"
#include "lifecycle/freeze.h"
#include "lifecycle/thread.h"
#include "platform/lock.h"
#include "platform/option.h"
#include "platform/os.h"
#include "platform/os_memory_tool.h"
#include "slab/slab_guard.h"
#include "superslab/registry.h"
#include "superslab/size_class.h"

/* ---- Start ---- */

static Lock start_lock = {.rank = LOCK_RANK_START};
static _Atomic bool is_started;

void core_start(void) {
    /* acquire; pairs with the release below */
    if (HAK_LIKELY(atomic_load_explicit(&is_started, memory_order_acquire))) return;
    lock_acquire(&start_lock);
    if (!LOAD_RELAXED(is_started)) {
        option_initialize();
        os_initialize(option_value(OPTION_SYSTEM_CALLS) == OPTION_SYSTEM_CALLS_PLAIN);
        os_process_mark();
        registry_initialize();
        if (os_memory_tool_is_present()) STORE_RELAXED(option_values[OPTION_DEBUG], OPTION_DEBUG_GUARD);
        size_class_initialize(option_value(OPTION_ALIGN) == OPTION_ALIGN_16, slab_is_guarded());
        heap_list_add(&heap_shared);
        magazines_initialize(&heap_none);
        magazines_initialize(&heap_shared);
        os_thread_exit_hook_set(thread_heap_detach_own);
        atomic_store_explicit(&is_started, true, memory_order_release);
    }
    lock_release(&start_lock);
}

/* ---- The end of the process ---- */

/* Flushes the magazines: a block that was freed twice shows when it goes to its slab. Not where a signal handler ends
 * the process and has interrupted its thread with something in hand. */
__attribute__((destructor)) static void flush_at_end(void) {
    if (lock_is_hand_empty() && heap_of_thread->kind == HEAP_THREAD) flush_own(heap_of_thread);
}

/* ---- Fork ---- */

/* How many signal handlers are in a fork for which this thread did not wait, since it has something in hand and would
 * wait for itself. The C library's malloc does not mind in a process of one thread. The child is like one of _Fork: it
 * goes on where its thread was, and puts right what it has inherited in its first slow path. */
static _Thread_local unsigned forks_let_through HAK_TLS_MODEL;

/* This thread is in a fork, between core_freeze and what ends it. The child of a fork that was let through meanwhile
 * ends it at once: it may allocate, and may never come back there. */
static _Thread_local bool has_frozen HAK_TLS_MODEL;

static bool is_let_through(void) {
    if (forks_let_through == 0) return false;
    forks_let_through--;
    return true;
}

/* With the start lock held, a child finds the start either done or not begun. The hooks stand here and not in fork.c
 * because a linker takes from an archive only what something refers to, and nothing refers to a constructor. */
static void before_fork(void) {
    if (!lock_is_hand_empty()) {
        forks_let_through++;
        return;
    }
    lock_acquire(&start_lock);
    core_freeze();
    has_frozen = true;
}

static void after_fork_in_parent(void) {
    if (is_let_through() || !has_frozen) return;
    has_frozen = false;
    core_thaw();
    lock_release(&start_lock);
}

static void after_fork_in_child(void) {
    (void)is_let_through(); /* counted down, also where the core is released below */
    if (!has_frozen) return;
    has_frozen = false;
    fork_child();
    lock_release(&start_lock);
}

/* Before any request: another thread may fork in the middle of the first. Before other constructors of this module:
 * hooks that are set first are called last. */
__attribute__((constructor(101))) static void set_fork_hooks(void) {
    os_fork_hooks_set(before_fork, after_fork_in_parent, after_fork_in_child);
}
