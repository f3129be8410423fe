/*
 * stranger.c - a shared object that publishes a core of another version: all that is known of it are its first members.
 *
 * STRANGER_IS_STARTED says whether it serves.
 */
#include <hakmem_core.h>

static int is_started(void) { return STRANGER_IS_STARTED; }

const hak_core_t *hak_published(void) {
    static const hak_core_t table = {.version = HAK_CORE_VERSION + 7, .is_started = is_started};
    return &table;
}
