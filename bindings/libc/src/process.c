/*
 * process.c - the beginning and the end of a process that this library was preloaded into.
 *
 * Layer: bindings/libc, above environment.h and figures.h. Does not serve requests: the first malloc may come before
 * this constructor, and the last after the destructor.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <hakmem.h>
#include <stdlib.h>
#include <unistd.h>

#include "environment.h"
#include "figures.h"
#include "follow.h"
#include "interpose.h"
#include "interpreter.h"
#include "message.h"

extern char **environ;

static Launch launch;

/* True: the program's malloc is this library's. Found by a request, because the address of malloc may be that of a jump
 * within the program. */
static bool is_served(void *(*malloc_of_program)(size_t), void (*free_of_program)(void *)) {
    void *block = malloc_of_program(1);
    bool is_ours = block == NULL || hak_owns(block);
    free_of_program(block);
    return is_ours;
}

/* NULL, or the file whose malloc the program finds before this one. */
static const char *other_allocator(void) {
    void *malloc_address = dlsym(RTLD_DEFAULT, "malloc"), *free_address = dlsym(RTLD_DEFAULT, "free");
    Dl_info found;
    if (malloc_address == NULL || free_address == NULL) return NULL;
    if (is_served((void *(*)(size_t))(uintptr_t)malloc_address, (void (*)(void *))(uintptr_t)free_address)) return NULL;
    return dladdr(malloc_address, &found) != 0 ? found.dli_fname : "another library";
}

/* Many programs have one thread and are the faster for it: glibc's getc takes 1.7 times as long once there was another.
 * So a little free memory is not worth the helper. */
static void spare_first_thread(void) {
    if (getenv("HAKMEM_FIRST_THREAD_BYTES") == NULL) (void)hak_option_set("first_thread_bytes", "4194304", NULL, 0);
}

/* The variable has the number of the process in which `hakmem run` goes on. That enables hakmem itself. */
static bool is_of_hakmem_run(void) {
    const char *number = getenv("_HAKMEM_SECOND");
    return number != NULL && strtol(number, NULL, 10) == getpid();
}

/* True: this is an interpreter that was executed by a served one, and nobody else will serve its objects. */
static bool is_interpreter_of_its_own(void) {
    if (launch.is_followed) return launch.follows_itself;
    return launch.is_interpreter && !is_of_hakmem_run() && !environment_is_switched_off(environ, true);
}

__attribute__((constructor)) static void begin(void) {
    spare_first_thread();
    launch = environment_launch();
    follow_begin(&launch);
    environment_restore(&launch);
    const char *other = other_allocator();
    if (other == NULL) {
        if (is_interpreter_of_its_own()) interpreter_serve();
        return;
    }
    message_print(launch.is_required ? "hakmem: error: malloc is not served: "
                                     : "hakmem: warning: malloc is not served: ",
                  other, " has its own and comes first; run the program without it, or without hakmem\n");
    if (launch.is_required) _exit(1);
}

__attribute__((destructor)) static void end(void) {
    if (launch.with_stats) figures_print(stderr);
}
