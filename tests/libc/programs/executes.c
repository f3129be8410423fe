/*
 * executes.c - goes on as cat, which prints its own mappings.
 *
 *     executes FUNCTION STACK_BYTES     in the main thread, or, where the number is not 0, in one with such a stack
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *function;

static int spawned(int error, pid_t child) {
    int status = 1;
    if (error == 0) waitpid(child, &status, 0);
    _exit(status != 0);
}

static void *execute(void *unused) {
    static const char path[] = "/bin/cat", name[] = "cat", file[] = "/proc/self/maps";
    char *arguments[] = {(char *)name, (char *)file, NULL};
    pid_t child = 0;
    if (strcmp(function, "execve") == 0) execve(path, arguments, environ);
    if (strcmp(function, "execv") == 0) execv(path, arguments);
    if (strcmp(function, "execvp") == 0) execvp(name, arguments);
    if (strcmp(function, "execvpe") == 0) execvpe(name, arguments, environ);
    if (strcmp(function, "execl") == 0) execl(path, name, file, (char *)NULL);
    if (strcmp(function, "execlp") == 0) execlp(name, name, file, (char *)NULL);
    if (strcmp(function, "execle") == 0) execle(path, name, file, (char *)NULL, environ);
    if (strcmp(function, "fexecve") == 0) fexecve(open(path, O_RDONLY | O_CLOEXEC), arguments, environ);
    if (strcmp(function, "posix_spawn") == 0) spawned(posix_spawn(&child, path, NULL, NULL, arguments, environ), child);
    if (strcmp(function, "posix_spawnp") == 0)
        spawned(posix_spawnp(&child, name, NULL, NULL, arguments, environ), child);
    perror(function);
    _exit(1);
    return unused;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    function = arguments[1];
    size_t stack_bytes = (size_t)atol(arguments[2]);
    if (stack_bytes == 0) execute(NULL);
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, stack_bytes) != 0) return 3;
    if (pthread_create(&thread, &attributes, execute, NULL) != 0) return 4;
    pthread_join(thread, NULL);
    return 5;
}
