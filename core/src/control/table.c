/*
 * control/table.c - the table of this core's functions, for other shared objects.
 *
 * Layer: control. Does not choose among cores (control/attach.c). Thread rule: any thread; the table is constant.
 */
#include "control/table.h"

#include <stddef.h>

#include "api/hook.h"
#include "control/functions.h"
#include "control/heap_id.h"
#include "heap/heap_all.h"
#include "lifecycle/start.h"

/* core_start adds the shared heap to the list. */
static int is_started(void) { return LOAD_RELAXED(heap_list) != NULL; }

#define NEXT_ENTRY(name, function) , .name = function
const hak_core_t core_table = {
    .version = HAK_CORE_VERSION,
    .is_started = is_started,
    .library_version = HAK_VERSION_STRING,
    .start = core_start CORE_FUNCTIONS(NEXT_ENTRY),
};

/* The rows are made from the struct: after a member was added, moved or taken away, stale ones do not compile. */
#define POSITION(name, function) POSITION_##name,
enum { CORE_FUNCTIONS(POSITION) POSITION_COUNT };
#define STALE "run: python tests/lint/core_functions.py --write"
#define END_OF(member) (offsetof(hak_core_t, member) + sizeof(((hak_core_t *)NULL)->member))
#define STARTS_AT(name) (END_OF(start) + POSITION_##name * sizeof(void (*)(void)))
_Static_assert(sizeof(hak_core_t) == STARTS_AT(COUNT), STALE);
#define NEXT_CHECK(name, function) _Static_assert(offsetof(hak_core_t, name) == STARTS_AT(name), STALE);
CORE_FUNCTIONS(NEXT_CHECK)

const hak_core_t *hak_published(void) { return &core_table; }
