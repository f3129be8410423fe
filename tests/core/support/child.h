/*
 * support/child.h - runs a piece of a test in a child process and captures what it writes to stderr.
 */
#ifndef SUPPORT_CHILD_H
#define SUPPORT_CHILD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ChildResult {
    int exit_code;      /* or -1 when a signal ended it */
    int signal;         /* 0 when it exited */
    char errors[16384]; /* its stderr, NUL-terminated */
} ChildResult;

/* Forks; the child calls `run(context)` and exits 0 when that returns. */
ChildResult child_run(void (*run)(void *context), void *context);

/* Starts this program anew with one argument and these "NAME=value" strings added to an environment without any
 * HAKMEM variable. `environment` ends with NULL. In an emulator HAK_TEST_EMULATOR names it, because the kernel knows no
 * other way to start a program for another machine. */
ChildResult child_run_self(const char *argument, const char *const *environment);

/* Fails with the child's stderr shown. */
void child_require_success(const ChildResult *result);

/* Both, where nothing else is asked of the child. */
void child_must_succeed(void (*run)(void *context), void *context);

/* It aborted, and its stderr is exactly one line of hakmem's that contains all of these words; ends with NULL. */
void child_require_abort(const ChildResult *result, const char *const *words);

#endif
