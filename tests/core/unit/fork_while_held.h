/*
 * unit/fork_while_held.h - a fork while another thread is held between two steps of a story, by the test's own hold.
 */
#ifndef UNIT_FORK_WHILE_HELD_H
#define UNIT_FORK_WHILE_HELD_H

#include <sys/wait.h>
#include <unistd.h>

#include "support/suite.h"
#include "support/threads.h"

enum { STEP_HELD = 1, STEP_FORKED = 2 };

/* The thread goes on when the child has ended. A child that hangs ends by itself. */
static inline void fork_while_held(Story *story, void *(*thread_function)(void *), void (*child_function)(void)) {
    enum { CHILD_SECONDS_MAX = 60 };
    story->step = 0;
    pthread_t thread = threads_start(thread_function, NULL);
    story_await(story, STEP_HELD);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        alarm(CHILD_SECONDS_MAX);
        child_function();
        REQUIRE_EQUAL(hak_check(), 0);
        _exit(0);
    }
    int status;
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    story_reach(story, STEP_FORKED);
    threads_join(thread);
    REQUIRE_EQUAL(status, 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

#endif
