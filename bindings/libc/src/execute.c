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
#include <sys/syscall.h>
#include <unistd.h>

#include "follow.h"
#include "interpose.h"
#include "original.h"

extern char **environ;

/* A system call and no more in every C library, which a child made by vfork may make without looking anything up. */
INTERPOSE int execve(const char *path, char *const arguments[], char *const variables[]) {
    size_t count = follow_count(path, variables, false);
    if (count == 0) return (int)syscall(SYS_execve, path, arguments, variables);
    char *filled[count];
    FollowTexts texts;
    follow_fill(filled, &texts, variables);
    return (int)syscall(SYS_execve, path, arguments, filled);
}

INTERPOSE int execv(const char *path, char *const arguments[]) { return execve(path, arguments, environ); }

/* ---- By name ---- */

/* Puts the file that the search for `name` finds into `path`. False: none, which the original function says then. */
static bool find(const char *name, char path[PATH_MAX]) {
    const char *folders = getenv("PATH");
    size_t name_bytes = strlen(name) + 1;
    if (strchr(name, '/') != NULL) folders = "";
    if (folders == NULL) folders = "/bin:/usr/bin";
    for (;; folders++) {
        size_t length = strcspn(folders, ":");
        if (length + 1 + name_bytes <= PATH_MAX) {
            char *end = mempcpy(path, folders, length);
            if (length > 0) *end++ = '/';
            memcpy(end, name, name_bytes);
            if (access(path, X_OK) == 0) return true;
        }
        folders += length;
        if (*folders == '\0') return false;
    }
}

static _Atomic(OriginalFunction) found_execvpe;

/* Looked up here, not in a child made by vfork: the lookup may allocate. */
__attribute__((constructor)) static void look_up(void) { (void)original_function(&found_execvpe, "execvpe"); }

INTERPOSE int execvpe(const char *name, char *const arguments[], char *const variables[]) {
    int (*original)(const char *, char *const[], char *const[]) =
        (int (*)(const char *, char *const[], char *const[]))original_function(&found_execvpe, "execvpe");
    char path[PATH_MAX];
    size_t count = find(name, path) ? follow_count(path, variables, false) : 0;
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

/* `path`: the file that `name` stands for, NULL where there is none. */
static int spawn(Spawn *original, pid_t *child, const char *name, const char *path,
                 const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                 char *const arguments[], char *const variables[]) {
    int saved = errno;
    size_t count = path == NULL ? 0 : follow_count(path, variables, true);
    errno = saved;
    if (count == 0) return original(child, name, actions, attributes, arguments, variables);
    char *filled[count];
    FollowTexts texts;
    follow_fill(filled, &texts, variables);
    return original(child, name, actions, attributes, arguments, filled);
}

INTERPOSE int posix_spawn(pid_t *child, const char *path, const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attributes, char *const arguments[], char *const variables[]) {
    static _Atomic(OriginalFunction) found;
    Spawn *original = (Spawn *)original_function(&found, "posix_spawn");
    return spawn(original, child, path, path, actions, attributes, arguments, variables);
}

INTERPOSE int posix_spawnp(pid_t *child, const char *name, const posix_spawn_file_actions_t *actions,
                           const posix_spawnattr_t *attributes, char *const arguments[], char *const variables[]) {
    static _Atomic(OriginalFunction) found;
    Spawn *original = (Spawn *)original_function(&found, "posix_spawnp");
    char path[PATH_MAX];
    bool is_found = find(name, path);
    return spawn(original, child, name, is_found ? path : NULL, actions, attributes, arguments, variables);
}
