/*
 * route.c - our functions in CPython's allocator table: the core serves its own blocks, the previous allocator all
 * foreign ones.
 *
 * Layer: bindings/python, above serve.h. Does not put itself into the table (hooks.c), and does not know how a block is
 * made (serve.h). Thread rule: these functions run with and without the GIL, and under several GILs at once (own-GIL
 * sub-interpreters).
 */
#include "route.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "serve.h"

/* Written under hooks.c's lock before CPython's table points here, and constant afterwards, except `mode`: a relaxed
 * atomic, since a thread that reads an old value serves its request from the other allocator, which is harmless. */
static PyMemAllocatorEx previous[DOMAIN_COUNT];
static const hak_core_t *core;
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

/* After a realloc of the core's that returned NULL, which is for want of memory or a misuse that it has reported: a
 * freed block must not be moved. */
static __attribute__((noinline, cold)) void *rescue_realloc(Domain domain, void *block, size_t size_bytes) {
    void *probe = core->malloc(size_bytes);
    core->free(probe);
    return probe == NULL || block == NULL ? move_out(domain, block, size_bytes) : NULL;
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
    if (resized == NULL) return rescue_realloc(domain, block, size_bytes);
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
    if (__builtin_expect(resized == NULL, 0)) return rescue_realloc(domain, block, size_bytes);
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

/* ---- A domain that is not served ---- */

/* Extensions free and resize a block of one domain as a block of another: stock CPython takes it where the C library's
 * malloc serves both, as it does above 512 bytes. So blocks of the core are looked for here, too. New blocks are the
 * previous allocator's, whose functions stand in the table themselves, and passed_requests does not count them. */

static ALWAYS_INLINE bool core_owns(const void *block) {
    return core == hak_published() ? hak_owns(block) : core->owns(block);
}

/* Raw functions run without a GIL, in threads that nothing has told of the installation. */
static ALWAYS_INLINE void see_installation(void) {
    atomic_thread_fence(memory_order_acquire); /* pairs with the fence of hooks.c's install */
}

static ALWAYS_INLINE void free_unserved(Domain domain, void *block) {
    see_installation();
    if (__builtin_expect(core_owns(block), 0))
        core->free(block);
    else
        previous[domain].free(previous[domain].ctx, block);
}

static ALWAYS_INLINE void *realloc_unserved(Domain domain, void *block, size_t size_bytes) {
    see_installation();
    if (__builtin_expect(core_owns(block), 0)) return detour_realloc(domain, block, size_bytes);
    return previous[domain].realloc(previous[domain].ctx, block, size_bytes);
}

static HOT void raw_free_unserved(void *ctx, void *block) { (void)ctx, free_unserved(DOMAIN_RAW, block); }
static HOT void mem_free_unserved(void *ctx, void *block) { (void)ctx, free_unserved(DOMAIN_MEM, block); }
static HOT void obj_free_unserved(void *ctx, void *block) { (void)ctx, free_unserved(DOMAIN_OBJ, block); }

static HOT void *raw_realloc_unserved(void *ctx, void *block, size_t size_bytes) {
    return (void)ctx, realloc_unserved(DOMAIN_RAW, block, size_bytes);
}
static HOT void *mem_realloc_unserved(void *ctx, void *block, size_t size_bytes) {
    return (void)ctx, realloc_unserved(DOMAIN_MEM, block, size_bytes);
}
static HOT void *obj_realloc_unserved(void *ctx, void *block, size_t size_bytes) {
    return (void)ctx, realloc_unserved(DOMAIN_OBJ, block, size_bytes);
}

/* ---- The table ---- */

static const PyMemAllocatorEx served[DOMAIN_COUNT] = {
    [DOMAIN_RAW] = {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free},
    [DOMAIN_MEM] = {NULL, mem_malloc, mem_calloc, mem_realloc, mem_free},
    [DOMAIN_OBJ] = {NULL, obj_malloc, obj_calloc, obj_realloc, obj_free},
};

static const PyMemAllocatorEx unserved[DOMAIN_COUNT] = {
    [DOMAIN_RAW] = {.realloc = raw_realloc_unserved, .free = raw_free_unserved},
    [DOMAIN_MEM] = {.realloc = mem_realloc_unserved, .free = mem_free_unserved},
    [DOMAIN_OBJ] = {.realloc = obj_realloc_unserved, .free = obj_free_unserved},
};

PyMemAllocatorEx route_over(Domain domain, PyMemAllocatorEx found, bool is_served) {
    previous[domain] = found;
    PyMemAllocatorEx ours = is_served ? served[domain] : unserved[domain];
    ours.ctx = found.ctx;
    if (is_served) return ours;
    ours.malloc = found.malloc;
    ours.calloc = found.calloc;
    return ours;
}

bool route_is_ours(Domain domain, PyMemAllocatorEx current) {
    return current.free == served[domain].free || current.free == unserved[domain].free;
}

void route_set_core(const hak_core_t *serving) { core = serving; }

void route_set_mode(Mode wanted) { atomic_store_explicit(&mode, wanted, memory_order_relaxed); }

Mode route_mode(void) { return current_mode(); }
