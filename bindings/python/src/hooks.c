/*
 * hooks.c - CPython's allocator hooks: the core serves its own blocks, the previous allocator all foreign ones.
 *
 * Layer: bindings/python, above serve.h and detect.h. Does not decide whether a swap is safe (detect.c) and does not
 * know how a block is made (serve.h). Thread rule: the hooks run with and without the GIL, and under several GILs at
 * once (own-GIL sub-interpreters). State is written under install_lock before CPython's table points here, and is
 * constant afterwards, except `mode` and `enabled`: relaxed atomics, since a thread that reads an old value serves
 * its request from the other allocator, which is harmless.
 *
 * The hooks are never uninstalled: blocks of the core live until the interpreter ends, and only the hooks can tell
 * them from foreign ones. Disabling stops new blocks and nothing else.
 */
#include "hooks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "detect.h"
#include "serve.h"

typedef enum Domain { DOMAIN_RAW, DOMAIN_MEM, DOMAIN_OBJ, DOMAIN_COUNT } Domain;

static PyMemAllocatorEx previous[DOMAIN_COUNT];

/* The core that serves this process: our own, which the fast paths call directly, or one that started before it. */
static const hak_core_t *core;

/* The source of a new block. The fast paths test for MODE_SERVE alone. */
typedef enum Mode {
    MODE_PASS,  /* the previous allocator: disabled, or the option tiny_use_superslab is 0 */
    MODE_SERVE, /* our own core, directly */
    MODE_TABLE, /* another core, by its table */
    MODE_COUNT  /* either core, by its table, and the requested bytes are counted (option counters) */
} Mode;

static _Atomic Mode mode = MODE_PASS;

static inline Mode current_mode(void) { return atomic_load_explicit(&mode, memory_order_relaxed); }

static inline bool is_plainly_served(void) { return __builtin_expect(current_mode() == MODE_SERVE, 1); }

/* ---- To the previous allocator ---- */

static __attribute__((noinline)) void *pass_malloc(Domain domain, size_t size_bytes) {
    core->stats_passed(size_bytes);
    return previous[domain].malloc(previous[domain].ctx, size_bytes);
}

static __attribute__((noinline)) void *pass_calloc(Domain domain, size_t count, size_t size_bytes) {
    size_t total_bytes;
    if (__builtin_mul_overflow(count, size_bytes, &total_bytes)) total_bytes = SIZE_MAX;
    core->stats_passed(total_bytes);
    return previous[domain].calloc(previous[domain].ctx, count, size_bytes);
}

/* A foreign block stays with the previous allocator: its size is unknown, so it cannot be copied into a block of the
 * core. */
static __attribute__((noinline)) void *pass_realloc(Domain domain, void *block, size_t size_bytes) {
    core->stats_passed(size_bytes);
    return previous[domain].realloc(previous[domain].ctx, block, size_bytes);
}

/* Frees a block that our own core has refused as foreign (hak_free_or): another core may serve the process and own
 * it. */
static void *pass_free(Domain domain, void *block) {
    bool is_foreign = core == hak_published() || core->free_if_owned(block) == 0;
    if (is_foreign) previous[domain].free(previous[domain].ctx, block);
    return NULL;
}
static void *pass_raw_free(void *ctx, void *block) { return (void)ctx, pass_free(DOMAIN_RAW, block); }
static void *pass_mem_free(void *ctx, void *block) { return (void)ctx, pass_free(DOMAIN_MEM, block); }
static void *pass_obj_free(void *ctx, void *block) { return (void)ctx, pass_free(DOMAIN_OBJ, block); }

/* ---- To the previous allocator, because the core has no memory ---- */

/* The OS gives the core no SuperSlab, but the previous allocator may have free memory of its own. It gets this one
 * request, so that no program fails that would go on without hakmem; the block is foreign from then on. A size above
 * PTRDIFF_MAX fails at once. */
static __attribute__((noinline, cold)) void *rescue_malloc(Domain domain, size_t size_bytes) {
    if (size_bytes > PTRDIFF_MAX) return NULL;
    void *block = previous[domain].malloc(previous[domain].ctx, size_bytes);
    if (block != NULL) core->stats_passed(size_bytes);
    return block;
}

static __attribute__((noinline, cold)) void *rescue_calloc(Domain domain, size_t count, size_t size_bytes) {
    size_t total_bytes;
    if (__builtin_mul_overflow(count, size_bytes, &total_bytes) || total_bytes > PTRDIFF_MAX) return NULL;
    void *block = previous[domain].calloc(previous[domain].ctx, count, size_bytes);
    if (block != NULL) core->stats_passed(total_bytes);
    return block;
}

/* Moves a block of the core, or NULL, to the previous allocator. NULL: no memory there either; the block is
 * unchanged. */
static __attribute__((noinline, cold)) void *move_out(Domain domain, void *block, size_t size_bytes) {
    size_t usable_bytes = block == NULL ? 0 : core->usable_size(block);
    if (block != NULL && usable_bytes == 0) return NULL; /* misuse, which the core has reported */
    void *moved = rescue_malloc(domain, size_bytes);
    if (moved == NULL || block == NULL) return moved;
    memcpy(moved, block, usable_bytes < size_bytes ? usable_bytes : size_bytes);
    core->free(block);
    return moved;
}

/* ---- Off the fast path: pass, or serve through the table, and count ---- */

static void count_served(size_t size_bytes) {
    if (current_mode() == MODE_COUNT) core->stats_served(size_bytes);
}

static __attribute__((noinline)) void *detour_malloc(Domain domain, size_t size_bytes) {
    if (current_mode() == MODE_PASS) return pass_malloc(domain, size_bytes);
    void *block = serve_table_malloc(core, domain == DOMAIN_OBJ, size_bytes);
    if (block == NULL) return rescue_malloc(domain, size_bytes);
    count_served(size_bytes);
    return block;
}

static __attribute__((noinline)) void *detour_calloc(Domain domain, size_t count, size_t size_bytes) {
    if (current_mode() == MODE_PASS) return pass_calloc(domain, count, size_bytes);
    void *block = core->calloc(count, size_bytes);
    if (block == NULL) return rescue_calloc(domain, count, size_bytes);
    count_served(count * size_bytes); /* no overflow: the core checks it */
    return block;
}

static __attribute__((noinline)) void *detour_realloc(Domain domain, void *block, size_t size_bytes) {
    if (block != NULL && !core->owns(block)) return pass_realloc(domain, block, size_bytes);
    if (current_mode() == MODE_PASS) {
        if (block == NULL) return pass_malloc(domain, size_bytes);
        if (size_bytes > core->usable_size(block)) return move_out(domain, block, size_bytes);
        return serve_table_realloc(core, domain == DOMAIN_OBJ, block, size_bytes);
    }
    void *resized = serve_table_realloc(core, domain == DOMAIN_OBJ, block, size_bytes);
    if (resized == NULL) return move_out(domain, block, size_bytes);
    if (resized != block) count_served(size_bytes); /* as served_requests counts a realloc */
    return resized;
}

/* ---- The hooks: one set per domain. `ctx` is the previous allocator's, and unused: `previous` has it, too ---- */

#define ALWAYS_INLINE inline __attribute__((always_inline))

typedef void *(*Make)(size_t size_bytes);
typedef void *(*Resize)(void *block, size_t size_bytes);

static ALWAYS_INLINE void *route_malloc(Domain domain, Make make, size_t size_bytes) {
    if (!is_plainly_served()) return detour_malloc(domain, size_bytes);
    void *block = make(size_bytes);
    if (__builtin_expect(block == NULL, 0)) return rescue_malloc(domain, size_bytes);
    return block;
}

static ALWAYS_INLINE void *route_calloc(Domain domain, size_t count, size_t size_bytes) {
    if (!is_plainly_served()) return detour_calloc(domain, count, size_bytes);
    void *block = serve_calloc(count, size_bytes);
    if (__builtin_expect(block == NULL, 0)) return rescue_calloc(domain, count, size_bytes);
    return block;
}

static ALWAYS_INLINE void *route_realloc(Domain domain, Resize resize, void *block, size_t size_bytes) {
    if (!is_plainly_served()) return detour_realloc(domain, block, size_bytes);
    if (block != NULL && !hak_owns(block)) return pass_realloc(domain, block, size_bytes);
    void *resized = resize(block, size_bytes);
    if (__builtin_expect(resized == NULL, 0)) return move_out(domain, block, size_bytes);
    return resized;
}

/* Inlines the core's fast path: the test for NULL behind it then costs a branch, and the hook needs no stack
 * frame. */
#define HOT __attribute__((flatten))

static HOT void *obj_malloc(void *ctx, size_t size_bytes) {
    (void)ctx;
    return route_malloc(DOMAIN_OBJ, serve_object_malloc, size_bytes);
}

static void *obj_calloc(void *ctx, size_t count, size_t size_bytes) {
    (void)ctx;
    return route_calloc(DOMAIN_OBJ, count, size_bytes);
}

static void *obj_realloc(void *ctx, void *block, size_t size_bytes) {
    (void)ctx;
    return route_realloc(DOMAIN_OBJ, serve_object_realloc, block, size_bytes);
}

static HOT void obj_free(void *ctx, void *block) {
    (void)ctx;
    serve_free(block, pass_obj_free);
}

static HOT void *mem_malloc(void *ctx, size_t size_bytes) {
    (void)ctx;
    return route_malloc(DOMAIN_MEM, serve_plain_malloc, size_bytes);
}

static void *mem_calloc(void *ctx, size_t count, size_t size_bytes) {
    (void)ctx;
    return route_calloc(DOMAIN_MEM, count, size_bytes);
}

static void *mem_realloc(void *ctx, void *block, size_t size_bytes) {
    (void)ctx;
    return route_realloc(DOMAIN_MEM, serve_plain_realloc, block, size_bytes);
}

static HOT void mem_free(void *ctx, void *block) {
    (void)ctx;
    serve_free(block, pass_mem_free);
}

static void *raw_malloc(void *ctx, size_t size_bytes) {
    (void)ctx;
    return route_malloc(DOMAIN_RAW, serve_plain_malloc, size_bytes);
}

static void *raw_calloc(void *ctx, size_t count, size_t size_bytes) {
    (void)ctx;
    return route_calloc(DOMAIN_RAW, count, size_bytes);
}

static void *raw_realloc(void *ctx, void *block, size_t size_bytes) {
    (void)ctx;
    return route_realloc(DOMAIN_RAW, serve_plain_realloc, block, size_bytes);
}

static HOT void raw_free(void *ctx, void *block) {
    (void)ctx;
    serve_free(block, pass_raw_free);
}

/* ---- The table ---- */

typedef struct DomainRow {
    const char *name; /* as in the option `domains` */
    PyMemAllocatorDomain python_domain;
    PyMemAllocatorEx ours;
} DomainRow;

static const DomainRow domain_rows[DOMAIN_COUNT] = {
    [DOMAIN_RAW] = {"raw", PYMEM_DOMAIN_RAW, {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free}},
    [DOMAIN_MEM] = {"mem", PYMEM_DOMAIN_MEM, {NULL, mem_malloc, mem_calloc, mem_realloc, mem_free}},
    [DOMAIN_OBJ] = {"obj", PYMEM_DOMAIN_OBJ, {NULL, obj_malloc, obj_calloc, obj_realloc, obj_free}},
};

/* Interpreters with a GIL of their own may install at the same time. Code under it neither forks nor releases a
 * GIL. */
static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool enabled;
static bool installed;
static bool domain_is_ours[DOMAIN_COUNT];

static bool option_is(const char *name, const char *value) {
    char current[64];
    return core->option_get(name, current, sizeof current) == 0 && strcmp(current, value) == 0;
}

static void read_domains(void) {
    char chosen[64];
    memset(domain_is_ours, 0, sizeof domain_is_ours);
    if (core->option_get("domains", chosen, sizeof chosen) != 0) return;
    char *rest = chosen;
    for (const char *word = strtok_r(chosen, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest))
        for (Domain domain = 0; domain < DOMAIN_COUNT; domain++)
            if (strcmp(word, domain_rows[domain].name) == 0) domain_is_ours[domain] = true;
}

static bool table_points_here(void) {
    for (Domain domain = 0; domain < DOMAIN_COUNT; domain++) {
        PyMemAllocatorEx current;
        PyMem_GetAllocator(domain_rows[domain].python_domain, &current);
        if (domain_is_ours[domain] && current.malloc != domain_rows[domain].ours.malloc) return false;
    }
    return true;
}

/* Once per table. If another tool is on top of the hooks, it still calls them, and a second installation would make
 * them their own previous allocator. If the table is back at CPython's own allocators, a second Py_Initialize has
 * reset it (from 3.12 on), and the hooks are installed again. */
static bool must_install(void) { return !installed || (!table_points_here() && detect_table_is_stock()); }

/* PyMem_SetAllocator copies five words, which other interpreters read without a lock. So `previous` is set first,
 * and ctx stays the previous allocator's: after a torn read each function gets a ctx that it understands. */
static void install(void) {
    read_domains();
    for (Domain domain = 0; domain < DOMAIN_COUNT; domain++) {
        if (!domain_is_ours[domain]) continue;
        PyMem_GetAllocator(domain_rows[domain].python_domain, &previous[domain]);
        PyMemAllocatorEx ours = domain_rows[domain].ours;
        ours.ctx = previous[domain].ctx;
        atomic_thread_fence(memory_order_seq_cst);
        PyMem_SetAllocator(domain_rows[domain].python_domain, &ours);
    }
    installed = true;
}

/* The hooks then pass requests on, so that request_arrives learns nothing from a foreign block. */
static bool core_is_out_of_memory(void) {
    void *block = core->malloc(1);
    bool is_out = block == NULL;
    core->free(block);
    return is_out;
}

/* True: a request of CPython arrives at the hooks. Found by making one: another tool on top may or may not pass it
 * on. */
static bool request_arrives(void) {
    void *block = domain_is_ours[DOMAIN_OBJ]   ? PyObject_Malloc(1)
                  : domain_is_ours[DOMAIN_MEM] ? PyMem_Malloc(1)
                                               : PyMem_RawMalloc(1);
    bool arrives = block == NULL || core->owns(block) || core_is_out_of_memory();
    if (domain_is_ours[DOMAIN_OBJ])
        PyObject_Free(block);
    else if (domain_is_ours[DOMAIN_MEM])
        PyMem_Free(block);
    else
        PyMem_RawFree(block);
    return arrives;
}

static void switch_to(bool enable) {
    Mode wanted = MODE_PASS;
    if (enable && option_is("tiny_use_superslab", "1")) {
        Mode plain = core == hak_published() ? MODE_SERVE : MODE_TABLE;
        wanted = option_is("counters", "1") ? MODE_COUNT : plain;
    }
    atomic_store_explicit(&mode, wanted, memory_order_relaxed);
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

static const char *enable_locked(void) {
    if (must_install()) {
        const char *reason = obstacle_locked();
        if (reason != NULL) return reason;
        install();
    }
    bool was_enabled = hooks_are_enabled();
    switch_to(true);
    if (current_mode() == MODE_PASS || request_arrives()) return NULL;
    switch_to(was_enabled);
    return "another tool has replaced CPython's allocators since hakmem was enabled; stop it and try again";
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
    if (installed && must_install()) switch_to(false);
    pthread_mutex_unlock(&install_lock);
}

const char *hooks_obstacle(void) {
    pthread_mutex_lock(&install_lock);
    const char *reason = must_install() ? obstacle_locked() : NULL;
    pthread_mutex_unlock(&install_lock);
    return reason;
}

void hooks_before_fork(void) { pthread_mutex_lock(&install_lock); }
void hooks_after_fork(void) { pthread_mutex_unlock(&install_lock); }
