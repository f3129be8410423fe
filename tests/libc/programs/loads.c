/*
 * loads.c - opens a module that is found by the RUNPATH of the library that asks, and one that is bound to the C
 * library's own functions first (RTLD_DEEPBIND).
 *
 *     loads ASKER MODULE
 *
 * ASKER is the library whose RUNPATH names the folder of libfound_by_runpath.so; MODULE frees what the program made.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

#include "check.h"

static void *function(void *handle, const char *name) {
    void *address = dlsym(handle, name);
    REQUIRE(address != NULL);
    return address;
}

int main(int count, char **arguments) {
    REQUIRE(count == 3);
    void *asker = dlopen(arguments[1], RTLD_NOW);
    REQUIRE(asker != NULL);
    int (*ask)(void) = (int (*)(void))function(asker, "ask");
    REQUIRE(ask() == 42);
    void *module = dlopen(arguments[2], RTLD_NOW | RTLD_DEEPBIND);
    REQUIRE(module != NULL);
    void (*take)(void *) = (void (*)(void *))function(module, "take");
    void *(*give)(void) = (void *(*)(void))function(module, "give");
    take(malloc(1000));
    free(give());
    take(strdup("text"));
    REQUIRE(dlclose(module) == 0);
    REQUIRE(dlopen("/no/such/file.so", RTLD_NOW) == NULL && dlerror() != NULL);
    return 0;
}
