/*
 * control/attach.c - finds the core that serves this process.
 *
 * Layer: control. Does not know how loaded objects are found (platform/os.h). Thread rule: any thread, without a
 * lock. Two searches at the same time find the same core: one that has started, else the first in the order of
 * loading, which is the same for both.
 */
#include "control/table.h"
#include "platform/message.h"
#include "platform/os.h"

typedef const hak_core_t *(*Publish)(void);

typedef struct Search {
    const hak_core_t *started, *idle; /* the first one, in the order of loading; NULL: none */
    char object_name[256];            /* the file of `started` */
} Search;

static const hak_core_t *_Atomic serving; /* NULL until hak_core has found one */

static void consider(void *context, void *symbol, const char *object) {
    Search *search = context;
    Publish publish = (Publish)(uintptr_t)symbol;
    const hak_core_t *core = publish();
    if (search->started == NULL && core->is_started() != 0) {
        search->started = core;
        message_format(search->object_name, sizeof search->object_name, "%s", object);
    }
    if (search->idle == NULL && core->version == HAK_CORE_VERSION) search->idle = core;
}

static HAK_COLD const hak_core_t *find(char *message, size_t message_bytes) {
    Search search = {NULL, NULL, ""};
    if (core_table.is_started() != 0) return &core_table;
    os_objects_ask(CORE_SYMBOL, consider, &search);
    if (search.started == NULL) return search.idle != NULL ? search.idle : &core_table;
    if (search.started->version == HAK_CORE_VERSION) return search.started;
    message_format(message, message_bytes,
                   "another hakmem serves this process, with interface %u where hakmem %s knows %u: %s; use the same "
                   "release of hakmem in both",
                   (uint64_t)search.started->version, HAK_VERSION_STRING, (uint64_t)HAK_CORE_VERSION,
                   search.object_name);
    return NULL;
}

const hak_core_t *hak_core(char *message, size_t message_bytes) {
    /* acquire; pairs with the release below */
    const hak_core_t *core = atomic_load_explicit(&serving, memory_order_acquire);
    if (HAK_LIKELY(core != NULL)) return core;
    core = find(message, message == NULL ? 0 : message_bytes);
    if (core == NULL) return NULL;
    core->start();
    atomic_store_explicit(&serving, core, memory_order_release);
    return core;
}
