/*
 * follow.h - a served process that goes on as another program stays served.
 *
 * Layer: bindings/libc, above environment.h and program_file.h. Thread rule: follow_begin before main; the rest any
 * thread, also a child made by vfork, which has its parent's memory: reads constants, and writes to its stack alone.
 */
#ifndef HAKMEM_LIBC_FOLLOW_H
#define HAKMEM_LIBC_FOLLOW_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "environment.h"

void follow_begin(const Launch *launch);

/* False: this process executes no program that is followed. `by_child`: another process than this one executes it. */
bool follow_is_on(bool by_child);

/* How many pointers follow_fill writes, NULL included. 0: the program at `path` gets `variables` as they are. */
size_t follow_count(const char *path, char *const *variables, bool by_child);

/* The variables of a program that is followed. The library puts them back to the caller's before main. */
typedef struct FollowTexts {
    char preload[PATH_MAX + 4096];
} FollowTexts;
void follow_fill(char **filled, FollowTexts *texts, char *const *variables);

#endif
