/*
 * unit/group_files.h - /proc/self/cgroup and files of /sys/fs/cgroup with the text that a case gives them; who opens
 * them is counted. For unit/test_memory_pressure.c, whose link wraps os_call.
 */
#ifndef UNIT_GROUP_FILES_H
#define UNIT_GROUP_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/suite.h"
#include "unit/answered_syscalls.h"

enum { CLOSE_RANGE = 436, PIDFD_GETFD = 438 }; /* on every processor; older headers lack the names */

typedef struct File {
    const char *path;
    const char *_Atomic text; /* NULL: there is none */
} File;

static File files[] = {{"/proc/self/cgroup", NULL},
                       {"/sys/fs/cgroup/a/b/memory.high", NULL},
                       {"/sys/fs/cgroup/a/b/memory.current", NULL},
                       {"/sys/fs/cgroup/a/b/memory.pressure", NULL},
                       {"/sys/fs/cgroup/a/b/memory.max", NULL},
                       {"/sys/fs/cgroup/a/b/memory.stat", NULL},
                       {"/sys/fs/cgroup/a/memory.high", NULL},
                       {"/sys/fs/cgroup/a/memory.max", NULL},
                       {"/sys/fs/cgroup/a/memory.current", NULL},
                       {"/sys/fs/cgroup/memory.max", NULL},
                       {"/sys/fs/cgroup/memory.current", NULL}};
enum { GROUP, HIGH, CURRENT, PRESSURE, MAX, STAT, OUTER_HIGH, OUTER_MAX, OUTER_CURRENT, ROOT_MAX, ROOT_CURRENT, FILES };
static _Atomic unsigned opened, opened_in_program, looks;

static void set_files(const char *group, const char *high, const char *current, const char *pressure) {
    files[GROUP].text = group;
    files[HIGH].text = high;
    files[CURRENT].text = current;
    files[PRESSURE].text = pressure;
    for (size_t index = MAX; index < FILES; index++) files[index].text = NULL;
}

/* The first thread's table is the program's. */
static bool is_programs(int descriptor) {
    char name[64], target[64];
    REQUIRE_AT_LEAST(snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor), 1);
    ssize_t length = readlink(name, target, sizeof target - 1);
    if (length > 0) target[length] = '\0';
    return length > 0 && strstr(target, "memfd:file") != NULL;
}

static long open_text(const char *text) {
    size_t length = strlen(text);
    int file = memfd_create("file", MFD_CLOEXEC);
    REQUIRE(file >= 0);
    REQUIRE_EQUAL(write(file, text, length), length);
    REQUIRE_EQUAL(lseek(file, 0, SEEK_SET), 0);
    opened++;
    if (is_programs(file)) opened_in_program++;
    return file;
}

static bool is_answered(long number, const long *argument, long *answer) {
    if (number == CLOSE_RANGE) looks++;
    const char *path = (const char *)argument[1];
    if (number != SYS_openat || strstr(path, "cgroup") == NULL) return false;
    for (size_t index = 0; index < FILES; index++)
        if (strcmp(path, files[index].path) == 0 && files[index].text != NULL) {
            *answer = open_text(files[index].text);
            return true;
        }
    *answer = -ENOENT;
    return true;
}

#endif
