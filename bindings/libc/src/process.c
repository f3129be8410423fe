/*
 * process.c - the beginning and the end of a process that this library was preloaded into.
 *
 * Layer: bindings/libc, above environment.h and figures.h. Does not serve requests: the first malloc may come before
 * this constructor, and the last after the destructor.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "environment.h"
#include "figures.h"
#include "interpose.h"

static Launch launch;

static void write_text(const char *text) { (void)!write(STDERR_FILENO, text, strlen(text)); }

/* One line: another object's malloc comes first in the order in which the program finds functions. */
static void warn_of_other_malloc(const char *object) {
    write_text("hakmem: warning: malloc is not served: ");
    write_text(object);
    write_text(" has its own and comes first; run the program without it, or without hakmem\n");
}

/* Empty, or the file whose malloc the program finds before ours. */
static const char *object_of_other_malloc(void) {
    Dl_info found, own;
    void *in_force = dlsym(RTLD_DEFAULT, "malloc");
    if (in_force == NULL || dladdr(in_force, &found) == 0 || dladdr((void *)&launch, &own) == 0) return "";
    return found.dli_fbase == own.dli_fbase ? "" : found.dli_fname;
}

__attribute__((constructor)) static void begin(void) {
    launch = environment_launch();
    environment_restore(&launch);
    const char *other = object_of_other_malloc();
    if (*other == '\0') return;
    warn_of_other_malloc(other);
    if (launch.is_required) _exit(1);
}

__attribute__((destructor)) static void end(void) {
    if (launch.with_stats) figures_print(stderr);
}
