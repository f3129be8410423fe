/*
 * hooks.c - CPython's allocator hooks: our own blocks by address, everything foreign to the previous allocator.
 *
 * Layer: bindings/python, above serve.h and detect.h. Does not decide whether swapping is safe (detect.c) and does not
 * know how a block is made (serve.h).
 * Thread rule: the hooks run with and without the GIL, and under several GILs at once (own-GIL sub-interpreters): all
 * state is static, written under install_lock before the table points here, and read-only afterwards, but for two
 * flags that are relaxed atomics: a thread that reads an old value merely serves from the other side.
 *
 * Why nothing is ever un-installed: blocks of ours live until the interpreter ends, and only these hooks can tell them
 * from foreign ones. "Disabled" therefore stops new blocks and nothing else.
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

/* The core that serves this process: our own, whose functions the fast paths call directly, or one that was here first. */
static const hak_core_t *core;

/* Where a new block comes from. SERVE is what the fast paths test for. */
typedef enum Mode {
    MODE_PASS,  /* the previous allocator: disabled, or the option tiny_use_superslab is 0 */
    MODE_SERVE, /* our own core */
    MODE_TABLE, /* the core that was here first, through its table */
    MODE_COUNT  /* either, through the table, and the bytes asked for are added up (option counters) */
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

/* A foreign block stays foreign: its size is unknown here, so it cannot be copied into one of ours. */
static __attribute__((noinline)) void *pass_realloc(Domain domain, void *block, size_t size_bytes) {
    core->stats_passed(size_bytes);
    return previous[domain].realloc(previous[domain].ctx, block, size_bytes);
}

/* Not our own core's. */
static void *pass_free(Domain domain, void *block) {
    if (core == hak_published() || core->free_if_owned(block) == 0) previous[domain].free(previous[domain].ctx, block);
    return NULL;
}
static void *pass_raw_free(void *ctx, void *block) { return (void)ctx, pass_free(DOMAIN_RAW, block); }
static void *pass_mem_free(void *ctx, void *block) { return (void)ctx, pass_free(DOMAIN_MEM, block); }
static void *pass_obj_free(void *ctx, void *block) { return (void)ctx, pass_free(DOMAIN_OBJ, block); }

/* ---- To the previous allocator, because the core has no memory ---- */

/* The OS gives the core no further SuperSlab, but the previous allocator may have room in what it holds already: it is
 * asked for this one request, so that no program fails here that would go on without us. The block is a foreign one
 * from then on. A size that no allocator has fails at once. Off the fast paths: only a NULL of the core's leads here. */
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

/* A block of ours that must grow and cannot grow here moves out; on failure it stays as it was. */
static __attribute__((noinline, cold)) void *move_out(Domain domain, void *block, size_t size_bytes) {
    size_t usable_bytes = block == NULL ? 0 : core->usable_size(block);
    if (block != NULL && usable_bytes == 0) return NULL; /* misuse that was reported */
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
    count_served(count * size_bytes); /* did not overflow: the core looked */
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
    /* Like the core, which counts a realloc as a request when it moved. */
    if (resized != block) count_served(size_bytes);
    return resized;
}

/* ---- The hooks: one set per domain. ctx is the previous allocator's and is found in `previous` ---- */

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


/* Inlines the core's fast path, so that what comes after the call costs a branch and no frame of its own. */
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

/* Serialises interpreters with GILs of their own. Not held across anything that could fork or give a GIL away. */
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

/* Once per table: another tool that was started later lies on top and still calls us, so a second installation would
 * make us our own previous allocator. But when the table is back at an allocator of CPython's own, a second
 * Py_Initialize has reset it (3.12+). */
static bool must_install(void) { return !installed || (!table_points_here() && detect_table_is_stock()); }

/* The setter copies five words that other interpreters read without a lock: `previous` comes first, and ctx stays the
 * previous one's, so that a torn read calls a function with a ctx that it understands. */
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

/* Then requests that arrive here are passed on, and blocks tell nothing about the table. */
static bool core_is_out_of_memory(void) {
    void *block = core->malloc(1);
    bool is_out = block == NULL;
    core->free(block);
    return is_out;
}

/* Does a request of CPython's arrive here? Asked after the fact, because a foreign hook's intentions cannot be read. */
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

/* Why no core serves here, or NULL; decides which one does. */
static const char *find_core(void) {
    static char reason[HAK_CORE_MESSAGE_BYTES];
    if (core == NULL) core = hak_core(reason, sizeof reason);
    return core == NULL ? reason : NULL;
}

static const char *obstacle_locked(void) {
    const char *reason = detect_obstacle();
    return reason != NULL ? reason : find_core();
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
