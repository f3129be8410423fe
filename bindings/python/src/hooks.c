/*
 * hooks.c - puts the functions of the serving core into CPython's allocator table, and turns them on and off.
 *
 * Layer: bindings/python, above detect.h. Does not decide whether a swap is safe (detect.c), nor which allocator serves
 * a request (the core, core/src/api/hook.c). Thread rule: with a GIL held, from any interpreter; state is written under
 * install_lock.
 *
 * The hooks are never uninstalled: blocks of the core live until the interpreter ends, and only the hooks can tell
 * them from foreign ones. Disabling stops new blocks and nothing else.
 */
#include "hooks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <hakmem_core.h>

#include "detect.h"

/* ---- The table ---- */

typedef enum Domain { DOMAIN_RAW, DOMAIN_MEM, DOMAIN_OBJ, DOMAIN_COUNT } Domain;

typedef struct DomainRow {
    const char *name; /* as in the option `domains` */
    PyMemAllocatorDomain python_domain;
    hak_hook_entry_t entry;
    void *(*malloc)(size_t size_bytes);
    void (*free)(void *block);
} DomainRow;

static const DomainRow domain_rows[DOMAIN_COUNT] = {
    [DOMAIN_RAW] = {"raw", PYMEM_DOMAIN_RAW, HAK_HOOK_FIRST, PyMem_RawMalloc, PyMem_RawFree},
    [DOMAIN_MEM] = {"mem", PYMEM_DOMAIN_MEM, HAK_HOOK_SECOND, PyMem_Malloc, PyMem_Free},
    [DOMAIN_OBJ] = {"obj", PYMEM_DOMAIN_OBJ, HAK_HOOK_OBJECT, PyObject_Malloc, PyObject_Free},
};

/* Interpreters with a GIL of their own may install at the same time. Code under it neither forks nor releases a
 * GIL. */
static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;
static const hak_core_t *core; /* NULL until hooks_enable has found it */
static _Atomic bool enabled;   /* a relaxed atomic: read without the lock */
static bool installed;
static hak_hook_mode_t mode;
static bool domain_is_served[DOMAIN_COUNT];
static bool raw_is_wanted;    /* beside the option `domains` */
static hak_hook_t before_raw; /* what the raw hooks were installed over; of none where another one installed them */

static bool option_is(const char *name, const char *value) {
    char current[64];
    return core->option_get(name, current, sizeof current) == 0 && strcmp(current, value) == 0;
}

static void read_domains(void) {
    char chosen[64];
    memset(domain_is_served, 0, sizeof domain_is_served);
    domain_is_served[DOMAIN_RAW] = raw_is_wanted;
    if (core->option_get("domains", chosen, sizeof chosen) != 0) return;
    char *rest = chosen;
    for (const char *word = strtok_r(chosen, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest))
        for (Domain domain = 0; domain < DOMAIN_COUNT; domain++)
            if (strcmp(word, domain_rows[domain].name) == 0) domain_is_served[domain] = true;
}

static hak_hook_t current_entry(Domain domain) {
    PyMemAllocatorEx current;
    PyMem_GetAllocator(domain_rows[domain].python_domain, &current);
    return (hak_hook_t){current.ctx, current.malloc, current.calloc, current.realloc, current.free};
}

static void set_entry(Domain domain, hak_hook_t hook) {
    PyMemAllocatorEx entry = {hook.context, hook.malloc, hook.calloc, hook.realloc, hook.free};
    PyMem_SetAllocator(domain_rows[domain].python_domain, &entry);
}

static bool entry_points_here(Domain domain) {
    hak_hook_t current = current_entry(domain);
    return core->hook_is_ours(domain_rows[domain].entry, &current) != 0;
}

static bool table_points_here(void) {
    for (Domain domain = 0; domain < DOMAIN_COUNT; domain++)
        if (!entry_points_here(domain)) return false;
    return true;
}

/* Once per table. If another tool is on top of the hooks, it still calls them, and a second installation would make
 * them their own previous allocator. If the table is back at CPython's own allocators, a second Py_Initialize has
 * reset it (from 3.12 on), and the hooks are installed again. */
static bool must_install(void) { return !installed || (!table_points_here() && detect_table_is_stock()); }

/* PyMem_SetAllocator copies five words, which other interpreters, and in the raw domain any thread, read without a
 * lock. So the previous allocator is noted first, and ctx stays its own: after a torn read each function gets a ctx
 * that it understands. All domains are hooked, served or not: extensions free a block of one as a block of another. */
static void install(void) {
    read_domains();
    for (Domain domain = 0; domain < DOMAIN_COUNT; domain++) {
        hak_hook_t found = current_entry(domain);
        if (domain == DOMAIN_RAW) before_raw = found;
        set_entry(domain, core->hook_over(domain_rows[domain].entry, &found, domain_is_served[domain]));
    }
    installed = true;
}

/* True: requests of CPython arrive at the hooks; another tool on top may or may not pass them on. Its block does not
 * tell, since malloc may be the core's, too. So one request per domain is made, and a hook asked whether it came. */
static bool requests_arrive(void) {
    bool do_arrive = true;
    for (Domain domain = 0; domain < DOMAIN_COUNT; domain++) {
        if (!domain_is_served[domain] || entry_points_here(domain)) continue;
        core->hook_set_mode(HAK_HOOK_NOTICE);
        uint64_t before = core->hook_noticed();
        domain_rows[domain].free(domain_rows[domain].malloc(1));
        do_arrive = do_arrive && core->hook_noticed() != before;
    }
    core->hook_set_mode(mode);
    return do_arrive;
}

static void switch_to(bool enable) {
    mode = HAK_HOOK_PASS;
    if (enable && option_is("tiny_use_superslab", "1"))
        mode = option_is("counters", "1") ? HAK_HOOK_COUNT : HAK_HOOK_SERVE;
    if (core != NULL) core->hook_set_mode(mode); /* NULL: nothing was enabled, and nothing is to be disabled */
    atomic_store_explicit(&enabled, enable, memory_order_relaxed);
}

/* NULL, or the reason why this interpreter's allocators stay as they are. Sets `core`. */
static const char *obstacle_locked(void) {
    static char core_reason[HAK_CORE_MESSAGE_BYTES];
    const char *reason = detect_obstacle();
    if (reason != NULL || core != NULL) return reason;
    core = hak_core(core_reason, sizeof core_reason);
    return core == NULL ? core_reason : NULL;
}

/* The preloaded library installs them before an interpreter begins that `hakmem run --all` serves in a worker. */
static void adopt_installed(void) {
    if (installed || detect_table_is_stock()) return;
    if (core == NULL) core = hak_core(NULL, 0);
    if (core == NULL || !table_points_here()) return;
    read_domains();
    installed = true;
    switch_to(true);
}

static const char *enable_locked(void) {
    adopt_installed();
    if (must_install()) {
        const char *reason = obstacle_locked();
        if (reason != NULL) return reason;
        install();
    } else if (!requests_arrive()) {
        return "another tool has replaced CPython's allocators since hakmem was enabled; stop it and try again";
    }
    switch_to(true);
    return NULL;
}

const char *hooks_enable(void) {
    pthread_mutex_lock(&install_lock);
    const char *reason = enable_locked();
    pthread_mutex_unlock(&install_lock);
    return reason;
}

void hooks_disable(void) {
    pthread_mutex_lock(&install_lock);
    switch_to(false);
    pthread_mutex_unlock(&install_lock);
}

/* A thread without a GIL may read half of the change: the hooks of both kinds have the same context, and know the
 * blocks of the core. */
bool hooks_serve_raw(bool is_wanted) {
    pthread_mutex_lock(&install_lock);
    bool was_served = domain_is_served[DOMAIN_RAW];
    raw_is_wanted = is_wanted;
    if (installed) read_domains();
    bool is_served = domain_is_served[DOMAIN_RAW];
    bool can_change = before_raw.malloc != NULL && entry_points_here(DOMAIN_RAW);
    if (is_served != was_served && can_change) {
        set_entry(DOMAIN_RAW, core->hook_over(HAK_HOOK_FIRST, &before_raw, is_served));
    } else if (is_served != was_served) {
        raw_is_wanted = !is_wanted;
        domain_is_served[DOMAIN_RAW] = was_served;
    }
    bool is_done = domain_is_served[DOMAIN_RAW] == is_served;
    pthread_mutex_unlock(&install_lock);
    return is_done;
}

bool hooks_notice(void (*request)(void *argument), void *argument) {
    pthread_mutex_lock(&install_lock);
    bool is_noticed = false;
    if (installed) {
        core->hook_set_mode(HAK_HOOK_NOTICE);
        uint64_t before = core->hook_noticed();
        request(argument);
        is_noticed = core->hook_noticed() != before;
        core->hook_set_mode(mode);
    }
    pthread_mutex_unlock(&install_lock);
    return is_noticed;
}

hak_hook_mode_t hooks_mode(void) {
    pthread_mutex_lock(&install_lock);
    hak_hook_mode_t current = mode;
    pthread_mutex_unlock(&install_lock);
    return current;
}

bool hooks_are_enabled(void) { return atomic_load_explicit(&enabled, memory_order_relaxed); }

bool hooks_are_in_place(void) {
    pthread_mutex_lock(&install_lock);
    bool in_place = installed && table_points_here();
    pthread_mutex_unlock(&install_lock);
    return in_place;
}

void hooks_notice_options(void) {
    pthread_mutex_lock(&install_lock);
    switch_to(hooks_are_enabled());
    pthread_mutex_unlock(&install_lock);
}

void hooks_notice_new_interpreter(void) {
    pthread_mutex_lock(&install_lock);
    adopt_installed();
    if (installed && must_install()) switch_to(false);
    pthread_mutex_unlock(&install_lock);
}

const char *hooks_obstacle(void) {
    pthread_mutex_lock(&install_lock);
    adopt_installed();
    const char *reason = must_install() ? obstacle_locked() : NULL;
    pthread_mutex_unlock(&install_lock);
    return reason;
}

void hooks_before_fork(void) { pthread_mutex_lock(&install_lock); }
void hooks_after_fork(void) { pthread_mutex_unlock(&install_lock); }
