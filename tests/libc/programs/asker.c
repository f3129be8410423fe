/* asker.c - a library that opens another one, which its own RUNPATH alone finds. */
#include <dlfcn.h>
#include <stddef.h>

int ask(void) {
    void *found = dlopen("libfound_by_runpath.so", RTLD_NOW);
    int (*answer)(void) = found == NULL ? NULL : (int (*)(void))dlsym(found, "answer");
    return answer == NULL ? 0 : answer();
}
