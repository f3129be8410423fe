/*
 * api/hook.c - functions for a runtime's table of allocators: the core serves its own blocks, the previous allocator
 * all foreign ones.
 *
 * Layer: api. Pops magazines itself, for speed; does not know the runtime. Thread rule: the functions in the table run
 * on any thread, in CPython with and without its lock.
 */
#include "api/hook.h"

#include <hakmem.h>
#include <string.h>

#include "alloc/malloc.h"
#include "api/block.h"

enum { ENTRY_COUNT = HAK_HOOK_OBJECT + 1 };

/* Written before the runtime's table points here, and constant afterwards, except `hook_mode` and `fast_sizes_end`:
 * relaxed atomics, since a thread that reads an old value, of one or of both, serves its request from the other
 * allocator, which is harmless. */
static hak_hook_t previous[ENTRY_COUNT];
static _Atomic hak_hook_mode_t hook_mode = HAK_HOOK_PASS;

/* HAK_HOOK_SERVE: 1 + SIZE_CLASS_TABLE_BYTES_MAX; else 0. One comparison of a size asks for the mode, too. */
static _Atomic size_t fast_sizes_end;

static _Thread_local uint64_t noticed_mallocs HAK_TLS_MODEL;

static inline hak_hook_mode_t current_mode(void) { return LOAD_RELAXED(hook_mode); }

static inline bool is_plainly_served(void) { return HAK_LIKELY(current_mode() == HAK_HOOK_SERVE); }

/* ---- To the previous allocator ---- */

static HAK_NOINLINE void *pass_malloc(hak_hook_entry_t entry, size_t size_bytes) {
    hak_stats_passed(size_bytes);
    return previous[entry].malloc(previous[entry].context, size_bytes);
}

static HAK_NOINLINE void *pass_calloc(hak_hook_entry_t entry, size_t count, size_t size_bytes) {
    size_t total_bytes;
    if (__builtin_mul_overflow(count, size_bytes, &total_bytes)) total_bytes = SIZE_MAX;
    hak_stats_passed(total_bytes);
    return previous[entry].calloc(previous[entry].context, count, size_bytes);
}

/* A foreign block stays with the previous allocator: its size is unknown, so it cannot be copied into a block of the
 * core. */
static HAK_NOINLINE void *pass_realloc(hak_hook_entry_t entry, void *block, size_t size_bytes) {
    hak_stats_passed(size_bytes);
    return previous[entry].realloc(previous[entry].context, block, size_bytes);
}

static void *pass_free(hak_hook_entry_t entry, void *block) {
    previous[entry].free(previous[entry].context, block);
    return NULL;
}
static void *pass_first_free(void *context, void *block) { return (void)context, pass_free(HAK_HOOK_FIRST, block); }
static void *pass_second_free(void *context, void *block) { return (void)context, pass_free(HAK_HOOK_SECOND, block); }
static void *pass_object_free(void *context, void *block) { return (void)context, pass_free(HAK_HOOK_OBJECT, block); }

/* ---- To the previous allocator, because the core has no memory ---- */

/* The OS gives the core no SuperSlab, but the previous allocator may have free memory of its own. It gets this one
 * request, so that no program fails that would go on without hakmem; the block is foreign from then on. A size above
 * PTRDIFF_MAX fails at once. */
static HAK_COLD void *rescue_malloc(hak_hook_entry_t entry, size_t size_bytes) {
    if (size_bytes > PTRDIFF_MAX) return NULL;
    void *block = previous[entry].malloc(previous[entry].context, size_bytes);
    if (block != NULL) hak_stats_passed(size_bytes);
    return block;
}

static HAK_COLD void *rescue_calloc(hak_hook_entry_t entry, size_t count, size_t size_bytes) {
    size_t total_bytes;
    if (__builtin_mul_overflow(count, size_bytes, &total_bytes) || total_bytes > PTRDIFF_MAX) return NULL;
    void *block = previous[entry].calloc(previous[entry].context, count, size_bytes);
    if (block != NULL) hak_stats_passed(total_bytes);
    return block;
}

/* False: a freed block, as far as a realloc can tell, which reports it. */
static bool is_live(const void *block) { return block_usable_bytes(block) != 0 && !block_was_freed(block); }

/* Moves a block of the core, or NULL, to the previous allocator. NULL: no memory there either, or the block is not
 * live; it is unchanged. */
static HAK_COLD void *move_out(hak_hook_entry_t entry, void *block, size_t size_bytes) {
    if (block != NULL && !is_live(block)) return NULL; /* misuse, which the core has reported */
    void *moved = rescue_malloc(entry, size_bytes);
    if (moved == NULL || block == NULL) return moved;
    size_t usable_bytes = hak_usable_size(block);
    memcpy(moved, block, usable_bytes < size_bytes ? usable_bytes : size_bytes);
    hak_free(block);
    return moved;
}

/* After a realloc of the core's that returned NULL, which is for want of memory or a misuse that it has reported: a
 * freed block must not be moved. */
static HAK_COLD void *rescue_realloc(hak_hook_entry_t entry, void *block, size_t size_bytes) {
    void *probe = hak_malloc(size_bytes);
    hak_free(probe);
    return probe == NULL || block == NULL ? move_out(entry, block, size_bytes) : NULL;
}

/* ---- Off the fast path: pass, or serve and count ---- */

static void *malloc_for(hak_hook_entry_t entry, size_t size_bytes) {
    return entry == HAK_HOOK_OBJECT ? hak_malloc_object(size_bytes) : hak_malloc(size_bytes);
}

static void *realloc_for(hak_hook_entry_t entry, void *block, size_t size_bytes) {
    return entry == HAK_HOOK_OBJECT ? hak_realloc_object(block, size_bytes) : hak_realloc(block, size_bytes);
}

static void count_served(size_t size_bytes) {
    if (current_mode() == HAK_HOOK_COUNT) hak_stats_served(size_bytes);
}

static HAK_NOINLINE void *detour_malloc(hak_hook_entry_t entry, size_t size_bytes) {
    hak_hook_mode_t mode = current_mode();
    if (mode == HAK_HOOK_PASS) return pass_malloc(entry, size_bytes);
    if (mode == HAK_HOOK_NOTICE) noticed_mallocs++;
    void *block = malloc_for(entry, size_bytes);
    if (block == NULL) return rescue_malloc(entry, size_bytes);
    count_served(size_bytes);
    return block;
}

static HAK_NOINLINE void *detour_calloc(hak_hook_entry_t entry, size_t count, size_t size_bytes) {
    if (current_mode() == HAK_HOOK_PASS) return pass_calloc(entry, count, size_bytes);
    void *block = hak_calloc(count, size_bytes);
    if (block == NULL) return rescue_calloc(entry, count, size_bytes);
    count_served(count * size_bytes); /* no overflow: the core checks it */
    return block;
}

static HAK_NOINLINE void *detour_realloc(hak_hook_entry_t entry, void *block, size_t size_bytes) {
    if (block != NULL && !hak_owns(block)) return pass_realloc(entry, block, size_bytes);
    if (current_mode() == HAK_HOOK_PASS) {
        if (block == NULL) return pass_malloc(entry, size_bytes);
        if (size_bytes > hak_usable_size(block) && is_live(block)) return move_out(entry, block, size_bytes);
        return realloc_for(entry, block, size_bytes);
    }
    void *resized = realloc_for(entry, block, size_bytes);
    if (resized == NULL) return rescue_realloc(entry, block, size_bytes);
    if (resized != block) count_served(size_bytes); /* as served_requests counts a realloc */
    return resized;
}

/* ---- The functions: a set per entry. `context` is the previous allocator's; `previous` has it, too ---- */

typedef void *(*Make)(size_t size_bytes);
typedef void *(*Resize)(void *block, size_t size_bytes);

HAK_INLINE void *route_malloc(hak_hook_entry_t entry, Make make, size_t size_bytes) {
    if (!is_plainly_served()) return detour_malloc(entry, size_bytes);
    void *block = make(size_bytes);
    if (HAK_UNLIKELY(block == NULL)) return rescue_malloc(entry, size_bytes);
    return block;
}

HAK_INLINE void *route_calloc(hak_hook_entry_t entry, size_t count, size_t size_bytes) {
    if (!is_plainly_served()) return detour_calloc(entry, count, size_bytes);
    void *block = hak_calloc(count, size_bytes);
    if (HAK_UNLIKELY(block == NULL)) return rescue_calloc(entry, count, size_bytes);
    return block;
}

HAK_INLINE void *route_realloc(hak_hook_entry_t entry, Resize resize, void *block, size_t size_bytes) {
    if (!is_plainly_served()) return detour_realloc(entry, block, size_bytes);
    if (block != NULL && !hak_owns(block)) return pass_realloc(entry, block, size_bytes);
    void *resized = resize(block, size_bytes);
    if (HAK_UNLIKELY(resized == NULL)) return rescue_realloc(entry, block, size_bytes);
    return resized;
}

/* Pops a magazine, or ends in a call: `refill` where it is empty or closed, with the request announced
 * (alloc/malloc.h); `other` for a larger size, and for each size in another mode than HAK_HOOK_SERVE. So it needs no
 * stack frame, which took a twentieth of the time of a malloc and a free. Not used for HAK_HOOK_FIRST: CPython makes
 * few requests to it. */
HAK_INLINE void *pop_or(SizeClassAlignment alignment, size_t size_bytes, Make refill, Make other) {
    void *block;
    if (HAK_UNLIKELY(!IS_ABOVE_RELAXED(fast_sizes_end, size_bytes))) return other(size_bytes);
    size_t class_index = size_class_of_small(size_bytes, alignment);
    return HAK_LIKELY(heap_malloc(heap_of_thread, class_index, &block)) ? block : refill(size_bytes);
}

HAK_INLINE void *refill_malloc(hak_hook_entry_t entry, SizeClassAlignment alignment, size_t size_bytes) {
    void *block = malloc_slow(size_bytes, alignment);
    return HAK_LIKELY(block != NULL) ? block : rescue_malloc(entry, size_bytes);
}

/* Inlines the core's functions: the test for NULL behind them then costs a branch. */
#define HOT __attribute__((flatten))

static HAK_NOINLINE void *object_malloc_refill(size_t size_bytes) {
    return refill_malloc(HAK_HOOK_OBJECT, ALIGN_OBJECT, size_bytes);
}

static HAK_NOINLINE HOT void *object_malloc_other(size_t size_bytes) {
    return route_malloc(HAK_HOOK_OBJECT, hak_malloc_object, size_bytes);
}

static void *object_malloc(void *context, size_t size_bytes) {
    (void)context;
    return pop_or(ALIGN_OBJECT, size_bytes, object_malloc_refill, object_malloc_other);
}

static void *object_calloc(void *context, size_t count, size_t size_bytes) {
    (void)context;
    return route_calloc(HAK_HOOK_OBJECT, count, size_bytes);
}

static void *object_realloc(void *context, void *block, size_t size_bytes) {
    (void)context;
    return route_realloc(HAK_HOOK_OBJECT, hak_realloc_object, block, size_bytes);
}

static HOT void object_free(void *context, void *block) {
    (void)context;
    (void)hak_free_or(block, pass_object_free, NULL);
}

static HAK_NOINLINE void *second_malloc_refill(size_t size_bytes) {
    return refill_malloc(HAK_HOOK_SECOND, ALIGN_C, size_bytes);
}

static HAK_NOINLINE HOT void *second_malloc_other(size_t size_bytes) {
    return route_malloc(HAK_HOOK_SECOND, hak_malloc, size_bytes);
}

static void *second_malloc(void *context, size_t size_bytes) {
    (void)context;
    return pop_or(ALIGN_C, size_bytes, second_malloc_refill, second_malloc_other);
}

static void *second_calloc(void *context, size_t count, size_t size_bytes) {
    (void)context;
    return route_calloc(HAK_HOOK_SECOND, count, size_bytes);
}

static void *second_realloc(void *context, void *block, size_t size_bytes) {
    (void)context;
    return route_realloc(HAK_HOOK_SECOND, hak_realloc, block, size_bytes);
}

static HOT void second_free(void *context, void *block) {
    (void)context;
    (void)hak_free_or(block, pass_second_free, NULL);
}

static void *first_malloc(void *context, size_t size_bytes) {
    (void)context;
    return route_malloc(HAK_HOOK_FIRST, hak_malloc, size_bytes);
}

static void *first_calloc(void *context, size_t count, size_t size_bytes) {
    (void)context;
    return route_calloc(HAK_HOOK_FIRST, count, size_bytes);
}

static void *first_realloc(void *context, void *block, size_t size_bytes) {
    (void)context;
    return route_realloc(HAK_HOOK_FIRST, hak_realloc, block, size_bytes);
}

static HOT void first_free(void *context, void *block) {
    (void)context;
    (void)hak_free_or(block, pass_first_free, NULL);
}

/* ---- An entry that is not served ---- */

/* Extensions of CPython free and resize a block of one domain as a block of another: stock CPython takes it where the C
 * library's malloc serves both, as it does above 512 bytes. So blocks of the core are looked for here, too. New blocks
 * are the previous allocator's, whose functions stand in the table themselves, and passed_requests does not count
 * them. */

/* CPython's raw functions run without its lock, in threads that nothing has told of the installation. */
HAK_INLINE void see_installation(void) {
    atomic_thread_fence(memory_order_acquire); /* pairs with the fence of hook_over */
}

HAK_INLINE void free_unserved(hak_hook_entry_t entry, void *block) {
    see_installation();
    if (HAK_UNLIKELY(hak_owns(block)))
        hak_free(block);
    else
        previous[entry].free(previous[entry].context, block);
}

HAK_INLINE void *realloc_unserved(hak_hook_entry_t entry, void *block, size_t size_bytes) {
    see_installation();
    if (HAK_UNLIKELY(hak_owns(block))) return detour_realloc(entry, block, size_bytes);
    return previous[entry].realloc(previous[entry].context, block, size_bytes);
}

static HOT void first_free_unserved(void *context, void *block) { (void)context, free_unserved(HAK_HOOK_FIRST, block); }
static HOT void second_free_unserved(void *context, void *block) {
    (void)context, free_unserved(HAK_HOOK_SECOND, block);
}
static HOT void object_free_unserved(void *context, void *block) {
    (void)context, free_unserved(HAK_HOOK_OBJECT, block);
}

static HOT void *first_realloc_unserved(void *context, void *block, size_t size_bytes) {
    return (void)context, realloc_unserved(HAK_HOOK_FIRST, block, size_bytes);
}
static HOT void *second_realloc_unserved(void *context, void *block, size_t size_bytes) {
    return (void)context, realloc_unserved(HAK_HOOK_SECOND, block, size_bytes);
}
static HOT void *object_realloc_unserved(void *context, void *block, size_t size_bytes) {
    return (void)context, realloc_unserved(HAK_HOOK_OBJECT, block, size_bytes);
}

/* ---- For the runtime's table ---- */

static const hak_hook_t served[ENTRY_COUNT] = {
    [HAK_HOOK_FIRST] = {NULL, first_malloc, first_calloc, first_realloc, first_free},
    [HAK_HOOK_SECOND] = {NULL, second_malloc, second_calloc, second_realloc, second_free},
    [HAK_HOOK_OBJECT] = {NULL, object_malloc, object_calloc, object_realloc, object_free},
};

static const hak_hook_t unserved[ENTRY_COUNT] = {
    [HAK_HOOK_FIRST] = {.realloc = first_realloc_unserved, .free = first_free_unserved},
    [HAK_HOOK_SECOND] = {.realloc = second_realloc_unserved, .free = second_free_unserved},
    [HAK_HOOK_OBJECT] = {.realloc = object_realloc_unserved, .free = object_free_unserved},
};

int hook_is_ours(hak_hook_entry_t entry, const hak_hook_t *current) {
    return current->free == served[entry].free || current->free == unserved[entry].free;
}

hak_hook_t hook_over(hak_hook_entry_t entry, const hak_hook_t *found, int is_served) {
    if (hook_is_ours(entry, found)) return *found; /* else they would be their own previous allocator */
    previous[entry] = *found;
    hak_hook_t ours = is_served ? served[entry] : unserved[entry];
    ours.context = found->context;
    if (!is_served) {
        ours.malloc = found->malloc;
        ours.calloc = found->calloc;
    }
    atomic_thread_fence(memory_order_seq_cst); /* pairs with that of see_installation */
    return ours;
}

void hook_set_mode(hak_hook_mode_t mode) {
    STORE_RELAXED(hook_mode, mode);
    STORE_RELAXED(fast_sizes_end, mode == HAK_HOOK_SERVE ? SIZE_CLASS_TABLE_BYTES_MAX + 1 : 0);
}

uint64_t hook_noticed(void) { return noticed_mallocs; }
