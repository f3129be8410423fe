/*
 * support/misuse.h - cases of misuse, each in a child process: one line on stderr with the fault, the address, the size
 * class and the thread, then SIGABRT. With on_error=report the line is printed and the process goes on.
 */
#ifndef SUPPORT_MISUSE_H
#define SUPPORT_MISUSE_H

#include <stddef.h>

#include "support/child.h"

typedef struct MisuseCase {
    const char *name;
    const char *words; /* that the line contains */
    void (*run)(void);
} MisuseCase;

#define MISUSE_CASE(words, name) {#name, words, name}

/* Called by each case before its fault: tells the parent the address that the line has to name. */
void misuse_announce(const void *address);

/* Hides an address from the compiler, which would warn of such a use. */
void *misuse_laundered(const void *address);

/* Fails unless the child's stderr is the announcement, then exactly one line of hakmem's about it. `words` are two that
 * it contains; the address stands there between `before` and `behind`. */
void misuse_require_report(const char *name, const char *const words[2], const char *before, const char *behind,
                           const ChildResult *result);
void misuse_require_line(const MisuseCase *one, const ChildResult *result);

/* Each case in a child: it aborts; and with on_error=report it goes on, and hak_check finds nothing. */
void misuse_cases_abort(const MisuseCase *cases, size_t count);
void misuse_cases_are_reported(const MisuseCase *cases, size_t count);

#endif
