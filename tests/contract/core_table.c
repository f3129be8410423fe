/*
 * core_table.c - see core_table.h.
 */
#define _GNU_SOURCE
#include "core_table.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "../require.h"

enum { OBJECTS_MAX = 200, PATH_BYTES = 512 };

typedef struct Objects {
    char path[OBJECTS_MAX][PATH_BYTES];
    size_t count;
} Objects;

/* Notes the names only: the loader's lock is held here. */
static int note(struct dl_phdr_info *info, size_t size, void *context) {
    Objects *objects = context;
    (void)size;
    if (info->dlpi_name[0] == '\0' || objects->count == OBJECTS_MAX) return 0;
    snprintf(objects->path[objects->count++], PATH_BYTES, "%s", info->dlpi_name);
    return 0;
}

const hak_core_t *core_that_serves(void) {
    static Objects objects;
    const hak_core_t *serving = NULL;
    objects.count = 0;
    (void)dl_iterate_phdr(note, &objects);
    for (size_t index = 0; index < objects.count; index++) {
        void *object = dlopen(objects.path[index], RTLD_NOLOAD | RTLD_LAZY);
        if (object == NULL) continue;
        const hak_core_t *(*published)(void);
        *(void **)&published = dlsym(object, "hak_published");
        const hak_core_t *core = published == NULL ? NULL : published();
        if (core != NULL && core->version == HAK_CORE_VERSION && core->is_started()) {
            REQUIRE(serving == NULL || serving == core);
            serving = core;
        }
        dlclose(object);
    }
    return serving;
}

int core_owns(const void *block) {
    static const hak_core_t *_Atomic serving; /* one that serves stays */
    if (serving == NULL) serving = core_that_serves();
    return serving != NULL && serving->owns(block);
}

void core_require_whole(void) {
    const hak_core_t *core = core_that_serves();
    REQUIRE(core == NULL || core->check() == 0);
}

uint64_t core_live_bytes(void) {
    const hak_core_t *core = core_that_serves();
    hak_stats_t stats = HAK_STATS_INIT;
    REQUIRE(core == NULL || core->stats_get(&stats) == 0);
    return stats.live_bytes;
}
