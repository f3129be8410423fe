/*
 * dlerror.c - the message of a dlopen that failed stays until the program asks for it, whatever it calls meanwhile.
 *
 *     dlerror
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "check.h"

extern char **environ;
extern void *__libc_malloc(size_t bytes);

static void fail_to_load(void) { REQUIRE(dlopen("./no-such-library.so", RTLD_NOW) == NULL); }

static void require_message(void) {
    const char *message = dlerror();
    REQUIRE(message != NULL && strstr(message, "no-such-library.so") != NULL);
}

int main(void) {
    void *block = hidden(__libc_malloc(100)), *other = hidden(__libc_malloc(100));
    char *arguments[] = {"true", NULL};
    pid_t child;
    fail_to_load();
    REQUIRE(malloc_usable_size(block) >= 100);
    require_message();
    fail_to_load();
    free(realloc(block, 1000));
    require_message();
    fail_to_load();
    free(other);
    require_message();
    fail_to_load();
    REQUIRE(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ) == 0 && waitpid(child, NULL, 0) == child);
    require_message();
    fail_to_load();
    REQUIRE(posix_spawnp(&child, "true", NULL, NULL, arguments, environ) == 0 && waitpid(child, NULL, 0) == child);
    require_message();
    return 0;
}
