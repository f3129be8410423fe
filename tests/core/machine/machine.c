/*
 * machine/machine.c - start and stop, and what threads of the machine do.
 */
#include "machine/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <hakmem.h>

#include "machine/core_sections.h"
#include "machine/core_state.h"
#include "machine/memory.h"
#include "machine/os_calls.h"
#include "machine/threads.h"
#include "support/require.h"

extern char **environ;

/* ---- The environment of the core ---- */

enum { VARIABLES_MAX = 16 };

typedef struct Environment {
    unsigned lines; /* that the core has to say */
    const char *variables[6];
} Environment;

static const Environment environments[] = {
    {0, {NULL}},
    {0, {NULL}},
    {1, {"HAKMEM_RETAIN_BYTES=0", "HAKMEM_RETAIN_YOUNG_BYTES=65536", "HAKMEM_PURGE_DELAY_MS=0", NULL}},
    {1,
     {"HAKMEM_RETAIN_BURST_PERCENT=10", "HAKMEM_RETAIN_YOUNG_PERCENT=20", "HAKMEM_DOMAINS=raw,obj", "HAKMEM=1", NULL}},
    {4, {"HAKMEM_RETAIN_BYTES=12x", "HAKMEM_PURGE_DELAY_MS=-1", "HAKMEM_DOMAINS=mem,", "HAKMEM_COUNTERS=2", NULL}},
    {3, {"HAKMEM_RETAIN_BITES=1", "HAKMEM_PURGE=1", "HAKMEM_OTHER_THING=1", "HAKMEM_COUNTERS=1", NULL}},
    {1,
     {"HAKMEM_FIRST_THREAD_BYTES=262144", "HAKMEM_RETAIN_BYTES=9223372036854775807", "HAKMEM_RETAIN_YOUNG_PERCENT=7",
      "HAKMEM_SYSTEM_CALLS=plain", NULL}},
    {3,
     {"HAKMEM_A_NAME_OF_MORE_LETTERS_THAN_ANY_OPTION_HAS_OR_WILL_EVER_HAVE=1", "HAKMEM_THREAD_BYTES=", "HAKMEM_BYTES=1",
      "HAKMEM_ON_ERROR=report", NULL}},
};
enum { ENVIRONMENTS = sizeof environments / sizeof *environments };

static char *variables[VARIABLES_MAX];
static char **own_environment; /* of this process */

static void make_environment(const MachineStart *start) {
    static char texts[3][32];
    static const char *const huge_pages[] = {"never", "auto", "always"};
    size_t count = 0;
    snprintf(texts[0], sizeof texts[0], "HAKMEM_DEBUG=%u", start->debug % 3);
    snprintf(texts[1], sizeof texts[1], "HAKMEM_ALIGN=%u", start->is_align_16 ? 16 : 8);
    snprintf(texts[2], sizeof texts[2], "HAKMEM_THP=%s", huge_pages[start->huge_pages % 3]);
    for (; count < 3; count++) variables[count] = texts[count];
    const char *const *more = environments[start->environment % ENVIRONMENTS].variables;
    for (; *more != NULL; more++) variables[count++] = (char *)(uintptr_t)*more;
    variables[count] = NULL;
}

unsigned machine_start_lines(const MachineStart *start) {
    return environments[start->environment % ENVIRONMENTS].lines;
}

/* ---- Start and stop ---- */

enum { WARM_STATES = 3 * 3 * 2 * 3 };

static CoreState *cold;              /* before the first request */
static CoreState *warm[WARM_STATES]; /* has started, and done nothing */

static size_t warm_index(const MachineStart *start) {
    size_t page = start->os_page_bytes == 4096 ? 0 : start->os_page_bytes == 16384 ? 1 : 2;
    return ((page * 3 + start->debug % 3) * 2 + start->is_align_16) * 3 + start->huge_pages % 3;
}

static void start_core(void *unused) {
    (void)unused;
    (void)hak_trim();
}

/* What starts it counts for no stream. In a build without the fuzzer there is nothing to be saved. */
static void start_core_uncounted(void) {
    CoreSection counters = core_section_of_counters();
    char *saved = counters.bytes > 0 ? malloc(counters.bytes) : NULL;
    if (saved != NULL) memcpy(saved, counters.start, counters.bytes);
    threads_begin(0, 0, start_core, NULL);
    threads_finish(0);
    if (saved != NULL) memcpy(counters.start, saved, counters.bytes);
    free(saved);
}

void machine_start(const MachineStart *start) {
    if (cold == NULL) {
        cold = core_state_save();
        (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* where all get huge pages, each touch would clear 2 MiB */
    }
    make_environment(start);
    os_calls_reset(start);
    own_environment = environ;
    environ = variables;
    threads_reset(os_calls_start_ms());
    if (start->environment % ENVIRONMENTS != 0) {
        (void)machine_expect_lines(true); /* the environment may be wrong */
        return;
    }
    CoreState **state = &warm[warm_index(start)];
    if (*state == NULL) {
        start_core_uncounted();
        *state = core_state_save();
    } else {
        core_state_load(*state);
    }
    threads_reset(os_calls_start_ms());
    (void)machine_expect_lines(false);
}

/* Cold again also for the core's last act, at the end of the process. */
void machine_stop(void) {
    memory_unmap_all();
    core_state_load(cold);
    environ = own_environment;
}

/* ---- In a thread ---- */

void machine_end_thread(unsigned rounds, void (*later)(void *context), void *context) {
    for (unsigned round = 0; round <= rounds && os_calls_take_exit_hook(); round++)
        if (round < rounds) later(context);
    threads_renew();
}

bool machine_fork(bool is_child) {
    os_calls_before_fork();
    bool were_inside = is_child && threads_forget_others();
    os_calls_after_fork(is_child);
    return were_inside;
}

static bool is_handler_child, has_handler_run;

/* Where this thread has waited, others may have begun something, and the core promises nothing. */
static void fork_in_handler(void) {
    if (!threads_are_others_at_rest()) return;
    has_handler_run = true;
    (void)machine_fork(is_handler_child);
}

bool machine_interrupt(unsigned place, bool is_child, void (*run)(void *context), void *context) {
    is_handler_child = is_child;
    has_handler_run = false;
    threads_interrupt(place, fork_in_handler);
    run(context);
    threads_interrupt(0, NULL);
    return is_child && has_handler_run;
}

void machine_clone(void) {
    (void)threads_forget_others();
    os_calls_after_clone();
}
