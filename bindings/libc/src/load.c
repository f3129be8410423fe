/*
 * load.c - dlopen without RTLD_DEEPBIND.
 *
 * Layer: bindings/libc, above original.h. Thread rule: any thread.
 *
 * A library that is loaded with RTLD_DEEPBIND looks for malloc and free in its own dependencies first, so in the C
 * library. Memory that goes from it to the rest of the program, or back, is then freed by another allocator than made
 * it; PHP loads its modules so. The option `deepbind` keeps the flag.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <hakmem.h>
#include <string.h>

#include "interpose.h"
#include "original.h"

#ifdef RTLD_DEEPBIND

static int masked_flags(void) {
    char value[64];
    bool is_kept = hak_option_get("deepbind", value, sizeof value) == 0 && strcmp(value, "keep") == 0;
    return is_kept ? 0 : RTLD_DEEPBIND;
}

/* The C library takes the object that calls dlopen from the return address: where it looks for the file (RUNPATH), and
 * in which namespace, depends on it. So the call is a jump: CMakeLists.txt optimises this file in every build. */
INTERPOSE void *dlopen(const char *file, int mode) {
    void *(*original)(const char *, int) = (void *(*)(const char *, int))original_function(ORIGINAL_DLOPEN);
    if ((mode & RTLD_DEEPBIND) != 0) mode &= ~masked_flags();
    return original(file, mode);
}

#endif
