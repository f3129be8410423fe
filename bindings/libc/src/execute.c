/*
 * execute.c - the functions that execute a program.
 *
 * Layer: bindings/libc, above follow.h and original.h. Thread rule: any thread, also a child made by vfork.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "follow.h"
#include "interpose.h"
#include "original.h"

extern char **environ;

/* The original was looked up before main, so a child made by vfork looks nothing up. */
INTERPOSE int execve(const char *path, char *const arguments[], char *const variables[]) {
    int (*original)(const char *, char *const[], char *const[]) =
        (int (*)(const char *, char *const[], char *const[]))original_function(ORIGINAL_EXECVE);
    size_t count = follow_count(path, variables, false);
    if (count == 0) return original(path, arguments, variables);
    char *filled[count];
    FollowTexts texts;
    follow_fill(filled, &texts, variables);
    return original(path, arguments, filled);
}

INTERPOSE int execv(const char *path, char *const arguments[]) { return execve(path, arguments, environ); }

/* ---- By name ---- */

/* Puts the file that the search for `name` finds into `path`. False: none, which the original function says then. */
static bool find(const char *name, char path[PATH_MAX]) {
    const char *folders = getenv("PATH");
    size_t name_bytes = strlen(name) + 1;
    struct stat status;
    if (strchr(name, '/') != NULL) folders = "";
    if (folders == NULL) folders = "/bin:/usr/bin";
    for (;; folders++) {
        size_t length = strcspn(folders, ":");
        if (length + 1 + name_bytes <= PATH_MAX) {
            char *end = mempcpy(path, folders, length);
            if (length > 0) *end++ = '/';
            memcpy(end, name, name_bytes);
            if (access(path, X_OK) == 0 && stat(path, &status) == 0 && S_ISREG(status.st_mode)) return true;
        }
        folders += length;
        if (*folders == '\0') return false;
    }
}

INTERPOSE int execvpe(const char *name, char *const arguments[], char *const variables[]) {
    int (*original)(const char *, char *const[], char *const[]) =
        (int (*)(const char *, char *const[], char *const[]))original_function(ORIGINAL_EXECVPE);
    char path[PATH_MAX];
    size_t count = follow_is_on(false) && find(name, path) ? follow_count(path, variables, false) : 0;
    if (count == 0) return original(name, arguments, variables);
    char *filled[count];
    FollowTexts texts;
    follow_fill(filled, &texts, variables);
    return original(name, arguments, filled);
}

INTERPOSE int execvp(const char *name, char *const arguments[]) { return execvpe(name, arguments, environ); }

/* ---- In a child ---- */

typedef int Spawn(pid_t *child, const char *name, const posix_spawn_file_actions_t *actions,
                  const posix_spawnattr_t *attributes, char *const arguments[], char *const variables[]);

static int spawn(Original original_name, pid_t *child, const char *name, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const arguments[], char *const variables[]) {
    Spawn *original = (Spawn *)original_function(original_name);
    char found[PATH_MAX];
    int saved = errno;
    bool is_path = original_name == ORIGINAL_POSIX_SPAWN;
    bool is_found = follow_is_on(true) && (is_path || find(name, found));
    size_t count = is_found ? follow_count(is_path ? name : found, variables, true) : 0;
    errno = saved;
    if (count == 0) return original(child, name, actions, attributes, arguments, variables);
    char *filled[count];
    FollowTexts texts;
    follow_fill(filled, &texts, variables);
    return original(child, name, actions, attributes, arguments, filled);
}

INTERPOSE int posix_spawn(pid_t *child, const char *path, const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attributes, char *const arguments[], char *const variables[]) {
    return spawn(ORIGINAL_POSIX_SPAWN, child, path, actions, attributes, arguments, variables);
}

INTERPOSE int posix_spawnp(pid_t *child, const char *name, const posix_spawn_file_actions_t *actions,
                           const posix_spawnattr_t *attributes, char *const arguments[], char *const variables[]) {
    return spawn(ORIGINAL_POSIX_SPAWNP, child, name, actions, attributes, arguments, variables);
}
