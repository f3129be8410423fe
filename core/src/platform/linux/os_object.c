/*
 * platform/linux/os_object.c - the shared objects of this process, and what they export.
 *
 * Layer: platform. Thread rule: any thread. The loader's lock is not held while anybody is asked: it lists the objects
 * under one lock and opens them under another, so each is looked up by its place and asked afterwards. What is loaded or
 * unloaded meanwhile may be missed.
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

typedef struct Place {
    size_t objects_before;
    bool is_found, is_too_long;
    uintptr_t begin, end; /* where its segments lie */
    char name[PATH_MAX];  /* "" for the program itself */
} Place;

static void note_extent(Place *place, const struct dl_phdr_info *info) {
    place->begin = UINTPTR_MAX;
    for (size_t index = 0; index < info->dlpi_phnum; index++) {
        if (info->dlpi_phdr[index].p_type != PT_LOAD) continue;
        uintptr_t begin = (uintptr_t)info->dlpi_addr + (uintptr_t)info->dlpi_phdr[index].p_vaddr;
        uintptr_t end = begin + (uintptr_t)info->dlpi_phdr[index].p_memsz;
        if (begin < place->begin) place->begin = begin;
        if (end > place->end) place->end = end;
    }
}

static int look_at_place(struct dl_phdr_info *info, size_t info_bytes, void *context) {
    Place *place = context;
    (void)info_bytes;
    if (place->objects_before-- > 0) return 0;
    size_t length = strlen(info->dlpi_name);
    place->is_found = true;
    note_extent(place, info);
    place->is_too_long = length >= sizeof place->name;
    if (!place->is_too_long) memcpy(place->name, info->dlpi_name, length + 1);
    return 1;
}

/* What dlsym finds in what the object depends on, or for the program among all that was loaded globally, is not its own. */
static bool is_of_place(const Place *place, const void *address) {
    return (uintptr_t)address >= place->begin && (uintptr_t)address < place->end;
}

static void ask(const char *symbol, const Place *place, OsObjectVisit visit, void *context) {
    bool is_program = place->name[0] == '\0';
    void *object = dlopen(is_program ? NULL : place->name, RTLD_LAZY | RTLD_NOLOAD);
    if (object == NULL) return;
    void *address = dlsym(object, symbol);
    if (is_of_place(place, address)) visit(context, address, is_program ? "the program itself" : place->name);
    (void)dlclose(object);
}

void os_objects_ask(const char *symbol, OsObjectVisit visit, void *context) {
    int saved = errno;
    for (size_t index = 0;; index++) {
        Place place = {.objects_before = index};
        (void)dl_iterate_phdr(look_at_place, &place);
        if (!place.is_found) break;
        if (!place.is_too_long) ask(symbol, &place, visit, context);
    }
    (void)dlerror(); /* those without the symbol */
    errno = saved;
}
