/*
 * machine/play.c - decodes the start and the schedule, and has the operations run.
 */
#include "machine/play.h"

#include <stdio.h>

#include "machine/machine.h"
#include "machine/memory.h"
#include "machine/other_core.h"
#include "machine/threads.h"
#include "support/operations.h"
#include "support/require.h"
#include "support/stats.h"

static void pass_time(unsigned milliseconds) { threads_clock_add_us((uint64_t)milliseconds * 1000); }

static const Surroundings surroundings = {machine_refuse, machine_refusals,   machine_expect_lines,
                                          pass_time,      machine_end_thread, machine_fork,
                                          machine_clone,  machine_interrupt,  threads_switches};

static Reference reference = {.on_write = memory_touched};
static Actor actor = {&reference, &surroundings};

/* ---- The start ---- */

static MachineStart start_of(const Record *record) {
    static const size_t pages[] = {4096, 4096, 16384, 65536};
    static const unsigned debug[] = {0, 0, 0, 0, 0, 0, 1, 2}, huge_pages[] = {1, 1, 0, 2};
    return (MachineStart){
        .os_page_bytes = pages[record->operation % 4],
        .debug = debug[(record->operation >> 2) % 8],
        .is_align_16 = record->operation >> 5 == 7,
        .huge_pages = huge_pages[record->schedule % 4],
        .environment = (record->schedule >> 2) % 8 < 7 ? 0 : 1 + (record->b >> 8) % 7,
        .has_barrier = record->schedule >> 5 != 7,
        .has_huge_pages = record->a % 4 != 0,
        .is_slow_to_clear = (record->a >> 2) % 4 == 3,
        .is_clock_near_wrap = (record->a >> 4) % 4 == 3,
        .is_memory_kernels = (record->a >> 8) % 32 == 21,
        .has_one_thread = record->a >> 13 == 6,
        .is_guest = record->a >> 13 == 7,
        .misaligned_bytes = (record->a >> 6) % 4 * pages[record->operation % 4],
    };
}

/* ---- Threads ---- */

typedef struct Step {
    const Operation *operation;
    Record record;
    unsigned records_left; /* until the thread goes on, once it is suspended */
} Step;

static Step steps[MACHINE_THREADS]; /* what each is doing */

static void run_step(void *step_pointer) {
    const Step *step = step_pointer;
    step->operation->run(&actor, &step->record);
}

static void resume_due(void) {
    for (unsigned thread = 0; thread < MACHINE_THREADS; thread++)
        if (!threads_is_idle(thread) && steps[thread].records_left-- == 0) threads_resume(thread);
}

static void run_record(Record record, bool is_shown) {
    const Operation *operation = operation_of(&record);
    static const unsigned places[] = {0, 1, 2, 3, 5, 8, 13, 30};
    unsigned thread = record.schedule % 4, suspend_at = places[record.schedule >> 2 & 7],
             records_left = record.schedule >> 5;
    if (is_shown)
        fprintf(stderr, "thread %u: %s %u %u%s\n", thread, operation->name, record.a, record.b,
                suspend_at != 0 ? ", suspended" : "");
    if (operation->is_alone) {
        threads_settle();
        suspend_at = 0;
    }
    threads_finish(thread);
    steps[thread] = (Step){operation, record, records_left};
    threads_begin(thread, suspend_at, run_step, &steps[thread]);
    /* Also if it sleeps: a copy of the process has one thread until it is put right. */
    if (operation->is_alone) threads_finish(thread);
    threads_run_due(suspend_at);
    resume_due();
}

static void begin(void *first_record) {
    const Record *first = first_record;
    MachineStart start = start_of(first);
    if (first->a >> 13 == 5) other_core_check(start.environment == 0 ? OTHER_NONE : (first->a >> 11) % OTHER_CORES);
    operations_begin(&actor, start.os_page_bytes, first->b % 256);
    REQUIRE_EQUAL(machine_expect_lines(false), machine_start_lines(&start));
}

static void end(void *unused) {
    (void)unused;
    operations_end(&actor);
}

static void end_thread(void *unused) {
    (void)unused;
    machine_end_thread(0, NULL, NULL);
}

/* The core has mapped what it counts, and has forgotten nothing of it. */
static void require_mapped_is_counted(void) {
    if (reference.is_inexact || machine_has_kept_mapped()) return;
    hak_stats_t stats = stats_now();
    REQUIRE_EQUAL(memory_mapped_bytes(), stats.mapped_bytes + stats.metadata_bytes);
}

static void require_nothing(void *unused) {
    (void)unused;
    operations_require_nothing(&actor);
    require_mapped_is_counted();
}

static void run_alone(unsigned thread, void (*run)(void *argument), void *argument) {
    threads_settle();
    threads_begin(thread, 0, run, argument);
    threads_finish(thread);
}

void play(const uint8_t *bytes, size_t count, bool is_shown) {
    static const uint8_t none[RECORD_BYTES];
    Record first = record_at(count >= RECORD_BYTES ? bytes : none);
    MachineStart start = start_of(&first);
    machine_start(&start);
    run_alone(0, begin, &first);
    for (size_t offset = RECORD_BYTES; offset + RECORD_BYTES <= count; offset += RECORD_BYTES)
        run_record(record_at(bytes + offset), is_shown);
    run_alone(0, end, NULL);
    for (unsigned thread = 1; thread < MACHINE_THREADS; thread++) run_alone(thread, end_thread, NULL);
    run_alone(0, require_nothing, NULL);
    machine_stop();
}
