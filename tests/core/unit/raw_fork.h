/*
 * unit/raw_fork.h - a child that is made without the fork hooks.
 */
#ifndef UNIT_RAW_FORK_H
#define UNIT_RAW_FORK_H

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/heap_all.h"
#include "superslab/metadata.h"
#include "superslab/superslab.h"
#include "superslab/supply.h"
#include "support/suite.h"

/* Returns twice, like fork. Holds the locks, which the helper could otherwise hold: the child would wait for it. */
static inline pid_t raw_fork(void) {
    heap_lock_all();
    lock_acquire(&supply_lock);
    lock_acquire(&metadata_lock);
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    lock_release(&metadata_lock);
    lock_release(&supply_lock);
    heap_unlock_all();
    return child;
}

static inline void require_child_succeeds(pid_t child) {
    int status;
    REQUIRE(child > 0);
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
}

#endif
