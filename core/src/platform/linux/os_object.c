/*
 * platform/linux/os_object.c - the loaded objects of this process, and the symbols that they export.
 *
 * Layer: platform. Thread rule: any thread.
 *
 * dl_iterate_phdr holds one lock of the loader and dlopen takes another, so dlopen is not called inside of the
 * former: each object is found by its index, noted, and opened afterwards. An object that is loaded or unloaded
 * meanwhile may be missed.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "platform/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <string.h>

typedef struct LoadedObject {
    size_t objects_before; /* in: its index, counted down to 0 on the way to it */
    bool is_found;
    bool is_name_too_long;
    uintptr_t begin, end; /* of its segments */
    char name[PATH_MAX];  /* "": the program */
} LoadedObject;

static void note_extent(LoadedObject *object, const struct dl_phdr_info *info) {
    object->begin = UINTPTR_MAX;
    for (size_t index = 0; index < info->dlpi_phnum; index++) {
        if (info->dlpi_phdr[index].p_type != PT_LOAD) continue;
        uintptr_t begin = (uintptr_t)info->dlpi_addr + (uintptr_t)info->dlpi_phdr[index].p_vaddr;
        uintptr_t end = begin + (uintptr_t)info->dlpi_phdr[index].p_memsz;
        if (begin < object->begin) object->begin = begin;
        if (end > object->end) object->end = end;
    }
}

static int note_object(struct dl_phdr_info *info, size_t info_bytes, void *context) {
    LoadedObject *object = context;
    (void)info_bytes;
    if (object->objects_before-- > 0) return 0;
    size_t length = strlen(info->dlpi_name);
    object->is_found = true;
    note_extent(object, info);
    object->is_name_too_long = length >= sizeof object->name;
    if (!object->is_name_too_long) memcpy(object->name, info->dlpi_name, length + 1);
    return 1;
}

/* dlsym searches an object's dependencies, too, and for the program all objects that were loaded globally. */
static bool is_inside(const LoadedObject *object, const void *address) {
    return (uintptr_t)address >= object->begin && (uintptr_t)address < object->end;
}

static void visit_symbol(const char *symbol, const LoadedObject *object, OsObjectVisit visit, void *context) {
    bool is_program = object->name[0] == '\0';
    void *handle = dlopen(is_program ? NULL : object->name, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == NULL) return;
    void *address = dlsym(handle, symbol);
    if (is_inside(object, address)) visit(context, address, is_program ? "the program itself" : object->name);
    (void)dlclose(handle);
}

void os_objects_ask(const char *symbol, OsObjectVisit visit, void *context) {
    int saved = errno;
    for (size_t index = 0;; index++) {
        LoadedObject object = {.objects_before = index};
        (void)dl_iterate_phdr(note_object, &object);
        if (!object.is_found) break;
        if (!object.is_name_too_long) visit_symbol(symbol, &object, visit, context);
    }
    (void)dlerror(); /* clears the messages of objects without the symbol */
    errno = saved;
}
