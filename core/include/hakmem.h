/*
 * hakmem.h - the public header of hakmem, an allocator hub for language runtimes.
 *
 * Usage:
 *
 *     #include <hakmem.h>
 *
 *     void *block = hak_malloc(48);            // any thread, at any time
 *     block = hak_realloc(block, 96);
 *     hak_free(block);                         // any thread; needs not be the one that allocated
 *
 *     hak_stats_t stats = HAK_STATS_INIT;
 *     hak_stats_get(&stats);                   // stats.live_bytes, stats.superslabs_active, ...
 *     size_t given_back_bytes = hak_trim();    // everything that can go to the OS goes now
 *
 * Build:  cc app.c $(pkg-config --cflags --libs hakmem)      or find_package(hakmem) in CMake.
 *
 * Rules that hold for every function here, unless its comment says otherwise:
 *   - thread-safe; no function keeps a lock when it returns, and none may be called from a signal handler;
 *   - sizes are bytes; a block is aligned as C's malloc aligns (max_align_t, 16 on 64-bit), except that a block
 *     of at most 8 bytes may lie on 8;
 *   - out of memory is NULL with errno ENOMEM, never an exit; errno is otherwise left as it was;
 *   - misuse (double free, invalid free, corruption) is one line on stderr and then abort(); the option
 *     `on_error=report` prints the line and goes on without touching the block.
 *
 * Beside it: hakmem_control.h (control for every language, JSON) and hakmem_core.h (several cores in one process).
 * Compiles as C11 and as C++11.
 */
#ifndef HAKMEM_H
#define HAKMEM_H

#include <stddef.h>
#include <stdint.h>

#define HAK_VERSION_MAJOR 0
#define HAK_VERSION_MINOR 1
#define HAK_VERSION_PATCH 0
#define HAK_VERSION_STRING "0.1.0"

#if defined(__GNUC__) || defined(__clang__)
#define HAK_EXPORT __attribute__((visibility("default")))
#define HAK_ATTR(...) __attribute__((__VA_ARGS__))
#else
#define HAK_EXPORT
#define HAK_ATTR(...)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* "MAJOR.MINOR.PATCH" of the library that serves this process (HAK_VERSION_STRING is that of this header). */
HAK_EXPORT const char *hak_version(void);

/* ---- Blocks ------------------------------------------------------------------------------------------------ */

/* A block of at least `size_bytes`, contents undefined. Zero bytes: a distinct block that can be freed.
 * Sizes above PTRDIFF_MAX: NULL, ENOMEM. */
HAK_EXPORT void *hak_malloc(size_t size_bytes) HAK_ATTR(malloc, warn_unused_result);

/* hak_malloc of `count * size_bytes`, all bytes zero; NULL, ENOMEM when the product overflows. */
HAK_EXPORT void *hak_calloc(size_t count, size_t size_bytes) HAK_ATTR(malloc, warn_unused_result);

/* Resizes `block`, keeping the contents up to the smaller size; may move it. NULL `block`: hak_malloc.
 * `size_bytes` 0: a live block of the smallest size (never a free). On NULL the old block is untouched.
 * Shrinking never fails. */
HAK_EXPORT void *hak_realloc(void *block, size_t size_bytes) HAK_ATTR(warn_unused_result);

/* Ends the life of a block; NULL is ignored. A double free is found at the latest when the block leaves the
 * freeing thread's magazine; one that was handed out again in between cannot be told apart. */
HAK_EXPORT void hak_free(void *block);

/* hak_free for callers that know the size: `size_bytes` is what was asked for (or hak_usable_size). With
 * `debug` 1 or more a size that does not fit the block is reported as corruption. */
HAK_EXPORT void hak_free_sized(void *block, size_t size_bytes);

/* C11's aligned_alloc: `alignment` a power of two up to 1 MiB, else NULL, EINVAL. `size_bytes` may be any size. */
HAK_EXPORT void *hak_aligned_alloc(size_t alignment, size_t size_bytes) HAK_ATTR(malloc, warn_unused_result);

/* Bytes that the caller may use in a live block: its size class. 0 for NULL and for an address that is not ours. */
HAK_EXPORT size_t hak_usable_size(const void *block);

/* 1 when the address lies in memory that hakmem serves blocks from, else 0. Never reads the address itself. */
HAK_EXPORT int hak_owns(const void *address);

/* ---- Blocks for runtimes ----------------------------------------------------------------------------------- */
/* What a binding needs beside the above: weaker alignment where the runtime allows it, and routing by address. */

/* hak_malloc whose block may lie on 8 for sizes up to 8 and 17 to 24 (CPython's obj domain; option `align`). */
HAK_EXPORT void *hak_malloc_object(size_t size_bytes) HAK_ATTR(malloc, warn_unused_result);

/* hak_malloc whose block may lie on 8 at every size (Lua; option `align`). */
HAK_EXPORT void *hak_malloc_align8(size_t size_bytes) HAK_ATTR(malloc, warn_unused_result);

/* hak_realloc that moves to a block as hak_malloc_object or hak_malloc_align8 give it. */
HAK_EXPORT void *hak_realloc_object(void *block, size_t size_bytes) HAK_ATTR(warn_unused_result);
HAK_EXPORT void *hak_realloc_align8(void *block, size_t size_bytes) HAK_ATTR(warn_unused_result);

/* hak_free that leaves foreign addresses alone: 1 when the block was ours and is free now, 0 when the address is
 * not ours (nothing was done; hand it to the allocator that served it). */
HAK_EXPORT int hak_free_if_owned(void *block);

/* The same for a caller that knows who served it: what is not ours, and NULL, goes to `foreign_free`, with `context`, whose
 * answer is the caller's; else the answer is NULL, as allocator hooks that resize to nothing have it. */
typedef void *hak_foreign_free(void *context, void *block);
HAK_EXPORT void *hak_free_or(void *block, hak_foreign_free *foreign_free, void *context);

/* ---- Heaps of their own ------------------------------------------------------------------------------------- */
/* For a host that serves many tenants (Lua states, plugins, requests): what each holds is counted and can be limited.
 *
 * Thread rule: a heap is used by one thread at a time; it may move from thread to thread, as a mutex or a queue orders
 * it. Limits and stats may be set and read by any thread at any time. Blocks of a heap are resized and freed through
 * it, by its functions, not by hak_free. */

typedef struct hak_heap hak_heap_t;

typedef struct hak_heap_options {
    uint32_t struct_bytes;
    uint32_t version;          /* HAK_HEAP_VERSION */
    uint32_t is_private;       /* 0: blocks come from the calling thread's heap and are only counted.
                                * 1: from slabs that serve no other heap; hak_heap_destroy gives all of them back */
    uint32_t alignment_bytes;  /* 16 (and 0), or 8 where that suffices (Lua) */
    uint64_t soft_limit_bytes; /* 0: none. As hak_heap_set_limit */
    uint64_t hard_limit_bytes;
} hak_heap_options_t;

#define HAK_HEAP_VERSION 1u
#define HAK_HEAP_OPTIONS_INIT {(uint32_t)sizeof(hak_heap_options_t), HAK_HEAP_VERSION, 0, 0, 0, 0}

/* Bytes are those of whole blocks (hak_usable_size). Set `struct_bytes` before the call (HAK_HEAP_STATS_INIT). */
typedef struct hak_heap_stats {
    uint32_t struct_bytes;
    uint32_t version;
    uint64_t used_bytes;
    uint64_t used_blocks;
    uint64_t peak_bytes;       /* of used_bytes, since the heap was made */
    uint64_t soft_limit_bytes; /* 0: none */
    uint64_t hard_limit_bytes; /* 0: none */
    uint64_t soft_refusals;    /* requests refused at the soft limit */
    uint64_t hard_refusals;    /* ... at the hard limit */
} hak_heap_stats_t;

#define HAK_HEAP_STATS_INIT {(uint32_t)sizeof(hak_heap_stats_t), HAK_HEAP_VERSION, 0, 0, 0, 0, 0, 0, 0}

/* NULL `options`: the defaults. NULL: out of memory (ENOMEM), or an option out of range (EINVAL). */
HAK_EXPORT hak_heap_t *hak_heap_new(const hak_heap_options_t *options);

/* A private heap takes all its blocks with it, live ones too, and its OS pages go to the OS at once. The blocks of
 * another heap live on as the thread's, if any do; hak_free frees them. NULL is ignored. */
HAK_EXPORT void hak_heap_destroy(hak_heap_t *heap);

/* As hak_malloc, hak_realloc and hak_free. Beyond the limit: NULL, ENOMEM, nothing changed; shrinking never fails.
 * For a block that is not a private heap's own, hak_heap_realloc and hak_heap_free report misuse. */
HAK_EXPORT void *hak_heap_malloc(hak_heap_t *heap, size_t size_bytes) HAK_ATTR(warn_unused_result);
HAK_EXPORT void *hak_heap_realloc(hak_heap_t *heap, void *block, size_t size_bytes) HAK_ATTR(warn_unused_result);
HAK_EXPORT void hak_heap_free(hak_heap_t *heap, void *block);

/* hak_heap_malloc for a caller that does something about a refusal: what is refused, and its errno, goes to `refused`, whose
 * answer is the caller's; `word` is the caller's own. */
typedef void *hak_refused(void *context, uintptr_t word, size_t size_bytes);
HAK_EXPORT void *hak_heap_malloc_or(hak_heap_t *heap, size_t size_bytes, hak_refused *refused, void *context,
                                    uintptr_t word) HAK_ATTR(warn_unused_result);

/* hak_heap_free for a caller that has blocks of another allocator, too: what is not hakmem's, and NULL, goes to
 * `foreign_free`, with `context` and `size_bytes`, what the caller knows of the block. Answers as hak_free_or. */
typedef void *hak_foreign_free_sized(void *context, void *block, size_t size_bytes);
HAK_EXPORT void *hak_heap_free_or(hak_heap_t *heap, void *block, size_t size_bytes,
                                  hak_foreign_free_sized *foreign_free, void *context);

/* Changes the limits of used_bytes; 0 is none. What is held already stays. The hard limit is never passed. At the soft
 * one a request is refused once, so that a runtime that collects garbage and asks again is served; it may then go on up
 * to the hard limit until it has been below the soft one again. EINVAL when soft is above hard. */
HAK_EXPORT int hak_heap_set_limit(hak_heap_t *heap, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);

/* 0, or EINVAL when `stats` is NULL or struct_bytes is too small. */
HAK_EXPORT int hak_heap_stats_get(const hak_heap_t *heap, hak_heap_stats_t *stats);

/* ---- Giving memory back ------------------------------------------------------------------------------------ */

/* Gives back to the OS all that holds no live block: flushes this thread's magazines and those of other threads
 * that are safely outside the allocator, purges free OS pages, releases empty SuperSlabs.
 * Returns the bytes of resident OS pages that this call gave back. Moves and frees no live block. */
HAK_EXPORT size_t hak_trim(void);

/* Flushes the calling thread's magazines into their slabs; worth a call before a thread parks for long.
 * Thread exit does it by itself. */
HAK_EXPORT void hak_thread_flush(void);

/* Between the two hakmem has no thread of its own: unshare(CLONE_NEWUSER), setns and some debuggers refuse a process with two
 * threads. They nest. Memory above the idle bound (retain_bytes) is given back at once meanwhile, by the threads that free.
 * hak_quiesce_begin returns when the kernel does not count the thread any more, after some milliseconds at most.
 * hak_quiesce_end returns 0, or EINVAL if there is no begin to it. Any thread. */
HAK_EXPORT void hak_quiesce_begin(void);
HAK_EXPORT int hak_quiesce_end(void);

/* ---- Stats ------------------------------------------------------------------------------------------------- */

/* Set `struct_bytes` before the call (HAK_STATS_INIT does): the library fills no more than that, so that a program
 * built against an older header keeps working. Fields are only ever added at the end.
 *
 *     mapped_bytes = live_bytes + cached_bytes + pinned_bytes + free_resident_bytes + unbacked_bytes      (exact)
 */
typedef struct hak_stats {
    uint32_t struct_bytes;
    uint32_t version;              /* HAK_STATS_VERSION of the library */
    uint64_t live_bytes;           /* blocks that callers hold, each counted as its size class */
    uint64_t live_blocks;
    uint64_t cached_bytes;         /* blocks in magazines */
    uint64_t pinned_bytes;         /* free blocks and slab tails in OS pages that also hold a live or cached block */
    uint64_t free_resident_bytes;  /* OS pages without any live or cached block, not yet given back */
    uint64_t unbacked_bytes;       /* OS pages never touched or given back; no memory behind them */
    uint64_t metadata_bytes;       /* mapped beside the SuperSlabs, for headers, bitmaps and heaps */
    uint64_t mapped_bytes;         /* SuperSlabs and large mappings, spare ones too */
    uint64_t large_bytes;          /* the part of live_bytes above the largest slab class */
    uint64_t superslabs_active;    /* hold a live or cached block */
    uint64_t superslabs_spare;     /* empty, still mapped */
    uint64_t superslabs_born;      /* times a SuperSlab became active, since the start */
    uint64_t superslabs_died;      /* times one became empty: born - died = active */
    uint64_t purged_bytes_total;   /* resident bytes given back to the OS, since the start */
    uint64_t served_requests;      /* allocations served: malloc, calloc, and reallocs that moved */
    uint64_t passed_requests;      /* requests that a binding handed to the previous allocator */
    uint64_t passed_bytes;
    uint64_t served_bytes;         /* as told by hak_stats_served; 0 where no binding counts them */
} hak_stats_t;

#define HAK_STATS_VERSION 1u
#define HAK_STATS_INIT {(uint32_t)sizeof(hak_stats_t), HAK_STATS_VERSION, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/* Fills `stats`. 0, or EINVAL when `stats` is NULL or struct_bytes is too small. Live and cached are exact when the
 * other threads are quiet. */
HAK_EXPORT int hak_stats_get(hak_stats_t *stats);

/* One row per size class. */
typedef struct hak_class_stats {
    uint64_t block_bytes;
    uint64_t live;    /* blocks */
    uint64_t cached;  /* blocks */
    uint64_t free;    /* blocks in slabs of this class */
    uint64_t slabs;
} hak_class_stats_t;

/* Fills up to `capacity` rows, smallest class first; returns how many classes there are. */
HAK_EXPORT size_t hak_stats_classes(hak_class_stats_t *rows, size_t capacity);

/* Debug counters (option `counters`): the name of counter `index` and its value; NULL past the last one.
 * `value` may be NULL. All 0 while the option is off. */
HAK_EXPORT const char *hak_stats_counter(size_t index, uint64_t *value);

/* For bindings: note that a request of `size_bytes` went to the previous allocator, or was served by hakmem (its bytes
 * as asked for; requests are counted by themselves, bytes would cost the fast path). */
HAK_EXPORT void hak_stats_passed(size_t size_bytes);
HAK_EXPORT void hak_stats_served(size_t size_bytes);

/* ---- Options ----------------------------------------------------------------------------------------------- */

typedef enum hak_option_kind {
    HAK_OPTION_INTEGER, /* decimal, within [minimum, maximum] */
    HAK_OPTION_CHOICE,  /* one of `choices` */
    HAK_OPTION_SET      /* a comma-separated subset of `choices`, at least one */
} hak_option_kind_t;

typedef struct hak_option_info {
    const char *name;         /* "retain_bytes"; the environment variable is HAKMEM_RETAIN_BYTES */
    const char *variable;     /* "HAKMEM_RETAIN_BYTES" */
    hak_option_kind_t kind;
    const char *default_value;
    int64_t minimum, maximum; /* INTEGER only */
    const char *choices;      /* "never,auto,always"; CHOICE and SET only */
    const char *unit;         /* "bytes", "ms", "%", or "" */
    const char *help;         /* one line */
    int at_start_only;        /* 1: read once, from the environment; hak_option_set gives EPERM */
} hak_option_info_t;

/* Row `index` of the option table, or NULL past the last one. */
HAK_EXPORT const hak_option_info_t *hak_option_info(size_t index);

/* Writes the current value of option `name`, NUL-terminated. 0, ENOENT (no such option), ERANGE (buffer too small:
 * 64 bytes always suffice), EINVAL (a NULL). */
HAK_EXPORT int hak_option_get(const char *name, char *value, size_t value_bytes);

/* Sets it. 0, ENOENT, EINVAL (not a number, not a choice, a NULL), ERANGE (outside minimum and maximum), EPERM (at
 * start only). On error nothing changes and `message`, unless NULL, gets one line that says what was wrong and what
 * is allowed. */
HAK_EXPORT int hak_option_set(const char *name, const char *value, char *message, size_t message_bytes);

/* ---- Checks ------------------------------------------------------------------------------------------------ */

/* Verifies every invariant of docs/invariants.md. Returns the number of violations, one line each on stderr.
 * Stops the other threads' slow paths for its duration. */
HAK_EXPORT size_t hak_check(void);

#ifdef __cplusplus
}
#endif

#endif /* HAKMEM_H */
