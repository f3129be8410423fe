/*
 * support/operations_process.c - memory given back, time, refusals, the ends of threads, forks.
 */
#include <hakmem_control.h>

#include "support/operations_table.h"
#include "support/require.h"

/* ---- Memory given back ---- */

void do_trim(Actor *actor, const Record *record) {
    uint64_t bytes = 1;
    (void)actor;
    if (record->a % 4 == 0)
        REQUIRE_EQUAL(hak_control_trim(&bytes, NULL), 0);
    else
        (void)hak_trim();
}

void do_flush(Actor *actor, const Record *record) {
    (void)actor, (void)record;
    hak_thread_flush();
}

void do_quiesce(Actor *actor, const Record *record) {
    (void)actor;
    if (record->a % 2 == 0)
        hak_quiesce_begin();
    else
        (void)hak_quiesce_end(); /* EINVAL without a begin */
}

/* ---- Time, refusals, ends ---- */

void do_pass_time(Actor *actor, const Record *record) {
    static const unsigned milliseconds[] = {1, 5, 12, 20, 63, 70, 250, 400, 1001, 31000};
    if (actor->surroundings == NULL) return;
    actor->surroundings->pass_time(milliseconds[record->a % (sizeof milliseconds / sizeof *milliseconds)]);
}

void do_refuse(Actor *actor, const Record *record) {
    if (actor->surroundings == NULL) return;
    actor->surroundings->refuse(record->a % 256, record->b % 16, 1 + (record->b >> 4) % 32);
}

static void allocate_in_the_end(void *actor) {
    Record record = {0, 0, 77, 100};
    do_malloc(actor, &record);
    do_free(actor, &record);
}

void do_end_thread(Actor *actor, const Record *record) {
    if (actor->surroundings == NULL) return;
    actor->surroundings->end_thread(record->a % 4, allocate_in_the_end, actor);
}

/* Either process goes on with the stream. */
void do_fork(Actor *actor, const Record *record) {
    if (actor->surroundings == NULL) return;
    if (actor->surroundings->fork(record->a % 2 != 0)) reference_lose_held(actor->reference);
    REQUIRE_EQUAL(hak_check(), 0);
}

/* The child of a clone begins anew at its first slow path, which is to come before it has a second thread. */
void do_clone(Actor *actor, const Record *record) {
    (void)record;
    if (actor->surroundings == NULL) return;
    actor->surroundings->clone();
    REQUIRE_EQUAL(hak_check(), 0);
    actor->reference->may_keep_caches = true;
}

typedef struct Interrupted {
    Actor *actor;
    Record record;
} Interrupted;

static void run_interrupted(void *context) {
    static RunOperation *const runs[] = {do_many,    do_free_many, do_trim, do_flush,
                                         do_realloc, do_free,      do_fork, do_malloc};
    Interrupted *interrupted = context;
    Record record = interrupted->record;
    record.a &= 0x7FF;
    runs[interrupted->record.a >> 13](interrupted->actor, &record);
}

/* A signal handler forks in the middle of another operation, also where that holds locks. Either process goes on. */
void do_interrupt(Actor *actor, const Record *record) {
    static const unsigned places[] = {1, 2, 3, 4, 6, 9, 15, 40};
    Interrupted interrupted = {actor, *record};
    if (actor->surroundings == NULL) return;
    unsigned place = places[record->schedule >> 2 & 7];
    bool is_child = actor->surroundings->interrupt(place, record->schedule >> 7 != 0, run_interrupted, &interrupted);
    REQUIRE_EQUAL(hak_check(), 0);
    if (is_child) actor->reference->may_keep_caches = true;
}
