/*
 * lifecycle/freeze.c - decides what a fork and a check wait for: the helper's end, all locks, and purges that are on
 * their way.
 *
 * Layer: lifecycle. Thread rule: see freeze.h.
 */
#include "lifecycle/freeze.h"

#include "heap/heap_all.h"
#include "retention/helper.h"
#include "retention/purge.h"
#include "superslab/metadata.h"
#include "superslab/superslab.h"

static void lock_all(void) {
    heap_lock_all();
    lock_acquire(&supply_lock);
    lock_acquire(&metadata_lock);
}

static void unlock_all(void) {
    lock_release(&metadata_lock);
    lock_release(&supply_lock);
    heap_unlock_all();
}

/* Each purge of another thread is brief, but where threads purge all the time one may always be on its way. */
enum { WAITS_MAX = 100, WAIT_MS = 1 };

/* Of a core that is held: a hook of somebody else, between the core's and the fork, may check it. A signal handler that
 * forks before all locks are held freezes by itself. */
static _Thread_local unsigned freezes HAK_TLS_MODEL;

void core_freeze(void) {
    if (lock_holds_all) {
        freezes++;
        return;
    }
    purge_to_idle_bound(); /* before the others have to wait */
    helper_stop();
    lock_all();
    for (unsigned waits = 0; waits < WAITS_MAX && LOAD_RELAXED(detached_count) != 0; waits++) {
        unlock_all();
        os_sleep_ms(WAIT_MS);
        lock_all();
    }
    freezes = 1;
    lock_holds_all = true;
}

void core_release_locks(void) {
    if (--freezes > 0) return;
    lock_holds_all = false;
    unlock_all();
    helper_allow();
}

void core_thaw(void) {
    core_release_locks();
    purge_to_idle_bound(); /* what others freed since the first purge */
}

void core_quiesce_begin(void) {
    purge_to_idle_bound();
    helper_quiesce_begin();
    purge_to_idle_bound(); /* what others freed since the first purge, which the helper would have given back */
}

bool core_quiesce_end(void) { return helper_quiesce_end(); }
