/*
 * execute.c - the functions that execute a program.
 *
 * Layer: bindings/libc, above follow.h and original.h. Thread rule: any thread, also a child made by vfork.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "follow.h"
#include "interpose.h"
#include "original.h"

extern char **environ;

/* ---- By path ---- */

typedef int Execute(const char *name, char *const arguments[], char *const variables[]);

/* The original was looked up before main, so a child made by vfork looks nothing up. */
static int execute(Original original_name, const char *name, char *const arguments[], char *const variables[],
                   FollowSize size) {
    Execute *original = (Execute *)original_function(original_name);
    if (size.pointers == 0) return original(name, arguments, variables);
    char *filled[size.pointers], preload[size.preload_bytes];
    follow_fill(filled, preload, size, variables);
    return original(name, arguments, filled);
}

INTERPOSE int execve(const char *path, char *const arguments[], char *const variables[]) {
    return execute(ORIGINAL_EXECVE, path, arguments, variables, follow_size(path, variables, false));
}

INTERPOSE int execv(const char *path, char *const arguments[]) { return execve(path, arguments, environ); }

/* ---- By descriptor ---- */

enum { DESCRIPTOR_PATH_BYTES = sizeof "/proc/self/fd/" + 10 };

/* Not by snprintf, which may allocate. */
static void path_of_descriptor(char path[DESCRIPTOR_PATH_BYTES], int descriptor) {
    char *end = stpcpy(path, "/proc/self/fd/");
    unsigned divisor = 1, number = (unsigned)descriptor;
    while (number / divisor >= 10) divisor *= 10;
    for (; divisor > 0; divisor /= 10) *end++ = (char)('0' + number / divisor % 10);
    *end = '\0';
}

INTERPOSE int fexecve(int descriptor, char *const arguments[], char *const variables[]) {
    int (*original)(int, char *const[], char *const[]) =
        (int (*)(int, char *const[], char *const[]))original_function(ORIGINAL_FEXECVE);
    char path[DESCRIPTOR_PATH_BYTES];
    if (descriptor < 0) return original(descriptor, arguments, variables);
    path_of_descriptor(path, descriptor);
    FollowSize size = follow_size(path, variables, false);
    if (size.pointers == 0) return original(descriptor, arguments, variables);
    char *filled[size.pointers], preload[size.preload_bytes];
    follow_fill(filled, preload, size, variables);
    return original(descriptor, arguments, filled);
}

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

/* Its stack is free again before the original function, which needs as much, is called. */
static __attribute__((noinline)) FollowSize size_by_name(const char *name, char *const variables[], bool by_child) {
    char path[PATH_MAX];
    bool is_found = follow_is_on(by_child) && find(name, path);
    return is_found ? follow_size(path, variables, by_child) : (FollowSize){0};
}

INTERPOSE int execvpe(const char *name, char *const arguments[], char *const variables[]) {
    return execute(ORIGINAL_EXECVPE, name, arguments, variables, size_by_name(name, variables, false));
}

INTERPOSE int execvp(const char *name, char *const arguments[]) { return execvpe(name, arguments, environ); }

/* ---- By a list of arguments ---- */

static size_t count_arguments(const char *first, va_list list) {
    size_t count = 1;
    for (const char *argument = first; argument != NULL; argument = va_arg(list, const char *)) count++;
    return count; /* with the NULL */
}

/* What comes behind the NULL is left. */
static void take_arguments(char **arguments, const char *first, va_list *list) {
    const char *argument = first;
    for (; argument != NULL; argument = va_arg(*list, const char *)) *arguments++ = (char *)argument;
    *arguments = NULL;
}

/* Declares `arguments`, and `list` behind them. */
#define TAKE_LIST(first)                                   \
    va_list list;                                          \
    va_start(list, first);                                 \
    size_t arguments_count = count_arguments(first, list); \
    va_end(list);                                          \
    char *arguments[arguments_count];                      \
    va_start(list, first);                                 \
    take_arguments(arguments, first, &list)

INTERPOSE int execl(const char *path, const char *first, ...) {
    TAKE_LIST(first);
    va_end(list);
    return execve(path, arguments, environ);
}

INTERPOSE int execlp(const char *name, const char *first, ...) {
    TAKE_LIST(first);
    va_end(list);
    return execvpe(name, arguments, environ);
}

INTERPOSE int execle(const char *path, const char *first, ...) {
    TAKE_LIST(first);
    char *const *variables = va_arg(list, char *const *);
    va_end(list);
    return execve(path, arguments, variables);
}

/* ---- In a child ---- */

typedef int Spawn(pid_t *child, const char *name, const posix_spawn_file_actions_t *actions,
                  const posix_spawnattr_t *attributes, char *const arguments[], char *const variables[]);

static int spawn(Original original_name, pid_t *child, const char *name, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const arguments[], char *const variables[]) {
    Spawn *original = (Spawn *)original_function(original_name);
    int saved = errno;
    bool is_path = original_name == ORIGINAL_POSIX_SPAWN;
    FollowSize size = is_path ? follow_size(name, variables, true) : size_by_name(name, variables, true);
    errno = saved;
    if (size.pointers == 0) return original(child, name, actions, attributes, arguments, variables);
    char *filled[size.pointers], preload[size.preload_bytes];
    follow_fill(filled, preload, size, variables);
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
