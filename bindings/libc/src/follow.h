/*
 * follow.h - a served process that goes on as another program stays served.
 *
 * Layer: bindings/libc, above environment.h and program_file.h. Thread rule: follow_begin before main; the rest any
 * thread, also a child made by vfork, which has its parent's memory: reads constants, and writes to its stack alone.
 */
#ifndef HAKMEM_LIBC_FOLLOW_H
#define HAKMEM_LIBC_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "environment.h"

void follow_begin(const Launch *launch);

/* False: this process executes no program that is followed. `by_child`: another process than this one executes it. */
bool follow_is_on(bool by_child);

/* What follow_fill writes: pointers, NULL included, and the text of LD_PRELOAD. The caller has both on its stack, which
 * may be a small one. 0 pointers: the program gets its variables as they are. */
typedef struct FollowSize {
    size_t pointers, preload_bytes;
} FollowSize;

/* For the program at `path`. */
FollowSize follow_size(const char *path, char *const *variables, bool by_child);

/* The variables of a program that is followed. The library puts them back to the caller's before main. What another
 * thread has added to them since `size` was found is left out. */
void follow_fill(char **filled, char *preload, FollowSize size, char *const *variables);

#endif
