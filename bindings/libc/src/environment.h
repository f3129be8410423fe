/*
 * environment.h - what `hakmem exec` tells this library by a variable of the environment.
 *
 * Layer: bindings/libc, bottom. Thread rule: before main, but for environment_value,
 * environment_find and environment_is_switched_off, which any thread may call, also a child made by vfork.
 */
#ifndef HAKMEM_LIBC_ENVIRONMENT_H
#define HAKMEM_LIBC_ENVIRONMENT_H

#include <stdbool.h>

#define LAUNCH_VARIABLE "_HAKMEM_EXEC="
#define PRELOAD_VARIABLE "LD_PRELOAD="

/* The value in an entry of an environment, NULL where it is another variable's. `variable` ends with "=". */
const char *environment_value(const char *entry, const char *variable);

/* The value of a variable in an environment, NULL where it is not set. */
const char *environment_find(const char *variable, char *const *variables);

/* True: the user has switched hakmem off; `with_objects`: that of an interpreter's objects, too. As `hakmem run --all`
 * is by the same variables. */
bool environment_is_switched_off(char *const *variables, bool with_objects);

/* Words of LAUNCH_VARIABLE, separated by commas. */
typedef struct Launch {
    bool is_known;       /* the variable is set: hakmem-exec, or `hakmem exec`, has started this program */
    bool was_unset;      /* "unset": LD_PRELOAD was not set before */
    bool with_children;  /* "children": they get the library, too */
    bool with_stats;     /* "stats": print the figures at the end */
    bool is_required;    /* "require": end with 1 if hakmem does not serve malloc */
    bool is_followed;    /* "follow": a served process has executed this program (follow.c) */
    bool follows_itself; /* "itself": children that execute the program's own file get the library, too */
    bool is_interpreter; /* "program=DEVICE.INODE", beside "children": this is the file that `hakmem run` is in */
} Launch;

Launch environment_launch(void);

/* Makes the environment what it was before the launch: the variable goes, and LD_PRELOAD loses its first entry. In
 * place, so that main's third argument shows it, too. */
void environment_restore(const Launch *launch);

#endif
