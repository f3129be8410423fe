/*
 * hakmem.h - the public header of hakmem, an allocator for language runtimes.
 *
 * Usage:
 *
 *     #include <hakmem.h>
 *
 *     void *block = hak_malloc(48);            // any thread, at any time
 *     block = hak_realloc(block, 96);
 *     hak_free(block);                         // any thread, not only the one that allocated
 *
 *     hak_stats_t stats = HAK_STATS_INIT;
 *     hak_stats_get(&stats);                   // stats.live_bytes, stats.superslabs_active, ...
 *     size_t given_back_bytes = hak_trim();    // gives all free OS pages back to the OS
 *
 * Build:  cc app.c $(pkg-config --cflags --libs hakmem)      or find_package(hakmem) in CMake.
 *
 * Rules for every function here, unless its comment says otherwise:
 *   - Threads: any thread may call it at any time, also in a forked child; not from a signal handler. It takes locks
 *     in slow paths only, and holds none when it returns or calls back.
 *   - Sizes are bytes. A request is rounded up: to a size class (hak_stats_classes lists them) up to 32 KiB, above
 *     that to whole OS pages. A request of 0 bytes is served like one of 1. One of more than PTRDIFF_MAX fails with
 *     ENOMEM.
 *   - Alignment: 16 bytes, as max_align_t of 64-bit ABIs; 8 for a request of at most 8 bytes, since C23 asks of
 *     malloc no more than an object of that size needs. The option `align=16` makes it 16 throughout.
 *   - Errors: out of memory is NULL and errno ENOMEM, never an exit. A function that succeeds leaves errno as it
 *     was. One that returns an error code does not set errno.
 *   - Misuse (double free, invalid free, corruption): one line on stderr, then abort(). With the option
 *     `on_error=report` the function returns after the line (NULL and ENOMEM where it returns a block); what is not a
 *     live block is left alone. A live block that was written beyond its end (`debug=2`) is reported and freed.
 *
 * See also hakmem_control.h (control for every language, JSON) and hakmem_core.h (several cores in one process).
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

/* "MAJOR.MINOR.PATCH" of the library that the caller is linked with; HAK_VERSION_STRING is that of this header. A
 * constant string. */
HAK_EXPORT const char *hak_version(void);

/* ---- Blocks ------------------------------------------------------------------------------------------------ */

/* Returns a block of at least `size_bytes`, with undefined contents. 0 bytes: a block of its own, for hak_free.
 * Errors: ENOMEM. */
HAK_EXPORT void *hak_malloc(size_t size_bytes) HAK_ATTR(malloc, warn_unused_result);

/* Returns a block of `count * size_bytes` bytes, all zero. Errors: ENOMEM, also when the product overflows. */
HAK_EXPORT void *hak_calloc(size_t count, size_t size_bytes) HAK_ATTR(malloc, warn_unused_result);

/* Resizes `block`, in place or by moving it, and returns it. The contents are kept up to the smaller size. `block`
 * NULL: hak_malloc. `size_bytes` 0: a live block of the smallest size, never a free (implementation-defined in C17,
 * undefined in C23). Errors: ENOMEM; `block` is unchanged then. Shrinking never fails. A block that moves is aligned
 * as by hak_malloc, whatever hak_aligned_alloc gave it; one that stays keeps its alignment. */
HAK_EXPORT void *hak_realloc(void *block, size_t size_bytes) HAK_ATTR(warn_unused_result);

/* Frees a block; NULL is ignored. A double free is reported at the latest when the block leaves the magazine (cache)
 * of the thread that freed it. It is not found if the block was handed out again before that. */
HAK_EXPORT void hak_free(void *block);

/* hak_free for a caller that knows the size, as C23's free_sized: `size_bytes` is the requested size, or any up to
 * hak_usable_size. It is checked only with the option `debug` at 1 or 2: a size above hak_usable_size is reported as
 * corruption, and the block stays live. */
HAK_EXPORT void hak_free_sized(void *block, size_t size_bytes);

/* C17's aligned_alloc: `alignment` is any power of two, `size_bytes` need not be a multiple of it.
 * Free with hak_free. Errors: EINVAL for another alignment, ENOMEM. */
HAK_EXPORT void *hak_aligned_alloc(size_t alignment, size_t size_bytes) HAK_ATTR(malloc, warn_unused_result);

/* Bytes of a live block that the caller may use: at least the requested size. 0 for NULL and for an address that is
 * not hakmem's. For a freed block, or an address inside a block, it may be 0 or a size. */
HAK_EXPORT size_t hak_usable_size(const void *block);

/* 1 if `address` lies in memory that hakmem serves blocks from, live or free, else 0. Takes any number: the address
 * is looked up, never read. */
HAK_EXPORT int hak_owns(const void *address);

/* ---- Blocks for runtimes ----------------------------------------------------------------------------------- */
/* For bindings: weaker alignment where the runtime allows it, and routing by address. Resize a block with the
 * function of the same kind: another one moves it only when it does not fit. */

/* hak_malloc with an alignment of 8 for up to 8 and for 17 to 24 bytes. For CPython's obj domain: a type with a
 * member aligned to 16 has a size that is a multiple of 16. */
HAK_EXPORT void *hak_malloc_object(size_t size_bytes) HAK_ATTR(malloc, warn_unused_result);

/* hak_malloc with an alignment of 8 at every size. For Lua, none of whose types needs more where lua_Number is a
 * double. */
HAK_EXPORT void *hak_malloc_align8(size_t size_bytes) HAK_ATTR(malloc, warn_unused_result);

/* hak_malloc and hak_calloc with an alignment of 16 at every size. For the C library's malloc, whose callers store
 * what they like in blocks of 8 bytes and less: on x86-64 and aarch64 glibc's are aligned so. */
HAK_EXPORT void *hak_malloc_align16(size_t size_bytes) HAK_ATTR(malloc, warn_unused_result);
HAK_EXPORT void *hak_calloc_align16(size_t count, size_t size_bytes) HAK_ATTR(malloc, warn_unused_result);

/* hak_realloc, but a block that moves is aligned as by the function of that name. */
HAK_EXPORT void *hak_realloc_object(void *block, size_t size_bytes) HAK_ATTR(warn_unused_result);
HAK_EXPORT void *hak_realloc_align8(void *block, size_t size_bytes) HAK_ATTR(warn_unused_result);
HAK_EXPORT void *hak_realloc_align16(void *block, size_t size_bytes) HAK_ATTR(warn_unused_result);

/* hak_free, but a foreign address is no misuse. Returns 1 if `block` is hakmem's: it was freed, or reported as
 * misuse. Returns 0 for any other address, and for NULL: nothing was done; the allocator that served it must free
 * it. */
HAK_EXPORT int hak_free_if_owned(void *block);

/* If `block` is hakmem's: as hak_free, and returns NULL. Otherwise, also for NULL, returns
 * foreign_free(context, block). An allocator hook can tail-call it. */
typedef void *hak_foreign_free(void *context, void *block);
HAK_EXPORT void *hak_free_or(void *block, hak_foreign_free *foreign_free, void *context);

/* ---- Heaps of their own ------------------------------------------------------------------------------------- */
/* For a host with many tenants (Lua states, plugins, requests): a heap counts and limits the memory of one tenant.
 *
 * Thread rule: any thread may use an account, also several at once. While one thread alone uses it, counting takes no
 * atomic read-modify-write; when a second one comes, it does, until one of them has made thousands of requests in
 * succession. One thread at a time uses a private heap, which a mutex or a queue may hand on; two at once are not
 * noticed, and corrupt it. The last thread to use a heap ends it. Any thread may read its stats and set its limits
 * while it lives. Its blocks are resized and freed by the functions here that take the heap, not by hak_realloc and
 * hak_free. `heap` must not be NULL where nothing else is said. */

typedef struct hak_heap hak_heap_t;

/* Start from HAK_HEAP_OPTIONS_INIT. Members beyond `struct_bytes` take their defaults; bytes that the library does not
 * know must be 0. */
typedef struct hak_heap_options {
    uint32_t struct_bytes;     /* sizeof, as the caller was compiled */
    uint32_t version;          /* HAK_HEAP_VERSION, as the caller was compiled */
    uint32_t is_private;       /* 0: an account; its blocks come from the calling thread's slabs.
                                * 1: its blocks come from slabs of its own; hak_heap_destroy frees all of them */
    uint32_t alignment_bytes;  /* 16 or 0: as hak_malloc; 8: as hak_malloc_align8 */
    uint64_t soft_limit_bytes; /* of used_bytes; 0: none. See hak_heap_set_limit */
    uint64_t hard_limit_bytes;
} hak_heap_options_t;

#define HAK_HEAP_VERSION 1u
#define HAK_HEAP_OPTIONS_INIT {(uint32_t)sizeof(hak_heap_options_t), HAK_HEAP_VERSION, 0, 0, 0, 0}

/* Start from HAK_HEAP_STATS_INIT: the library fills no more than `struct_bytes`. Bytes are those of whole blocks
 * (hak_usable_size). */
typedef struct hak_heap_stats {
    uint32_t struct_bytes;
    uint32_t version;          /* HAK_HEAP_VERSION of the library */
    uint64_t used_bytes;       /* in live blocks of the heap */
    uint64_t used_blocks;      /* number of live blocks */
    uint64_t peak_bytes;       /* the highest used_bytes since the heap was made */
    uint64_t soft_limit_bytes; /* 0: none */
    uint64_t hard_limit_bytes; /* 0: none */
    uint64_t soft_refusals;    /* number of requests refused at the soft limit */
    uint64_t hard_refusals;    /* number of requests refused at the hard limit */
} hak_heap_stats_t;

#define HAK_HEAP_STATS_INIT {(uint32_t)sizeof(hak_heap_stats_t), HAK_HEAP_VERSION, 0, 0, 0, 0, 0, 0, 0}

/* Makes a heap; `options` NULL: the defaults, an account without limits. Errors: ENOMEM; EINVAL where an option is
 * out of range, the soft limit is above the hard one, struct_bytes is below 8 or above 4096, or a byte within it that
 * the library does not know is not 0. */
HAK_EXPORT hak_heap_t *hak_heap_new(const hak_heap_options_t *options);

/* Ends a heap; NULL is ignored. Private: all its blocks are freed, live ones too, and their OS pages go to the OS at
 * once. Not private: its live blocks stay valid, and hak_free frees them. Destroying it again is reported as misuse,
 * unless its memory was used again. */
HAK_EXPORT void hak_heap_destroy(hak_heap_t *heap);

/* hak_malloc, hak_realloc and hak_free for the blocks of `heap`. Errors: ENOMEM, also when a limit refuses the
 * request; nothing has changed then. Misuse: an address that is not hakmem's; for a private heap also a block of any
 * other heap; for an account a block of a private heap, and a block of more bytes than the account holds. A block of
 * hak_malloc or of another account is not told apart while the account holds as much: its figures are wrong then, and
 * never below 0. Use after hak_heap_destroy is misuse, too, reported while the heap's memory was neither used again nor
 * given back to the OS; afterwards anything may happen, as with a block that was freed. */
HAK_EXPORT void *hak_heap_malloc(hak_heap_t *heap, size_t size_bytes) HAK_ATTR(warn_unused_result);
HAK_EXPORT void *hak_heap_realloc(hak_heap_t *heap, void *block, size_t size_bytes) HAK_ATTR(warn_unused_result);
HAK_EXPORT void hak_heap_free(hak_heap_t *heap, void *block);

/* As hak_heap_malloc, but where that returns NULL: returns refused(context, word, size_bytes), with errno ENOMEM.
 * `context` and `word` are the caller's. A lua_Alloc can tail-call it. */
typedef void *hak_refused(void *context, uintptr_t word, size_t size_bytes);
HAK_EXPORT void *hak_heap_malloc_or(hak_heap_t *heap, size_t size_bytes, hak_refused *refused, void *context,
                                    uintptr_t word) HAK_ATTR(warn_unused_result);

/* If `block` is hakmem's: as hak_heap_free, and returns NULL. Otherwise, also for NULL, returns
 * foreign_free(context, block, size_bytes); `size_bytes` serves no other purpose. A lua_Alloc can tail-call it. */
typedef void *hak_foreign_free_sized(void *context, void *block, size_t size_bytes);
HAK_EXPORT void *hak_heap_free_or(hak_heap_t *heap, void *block, size_t size_bytes,
                                  hak_foreign_free_sized *foreign_free, void *context);

/* Sets both limits of used_bytes; 0 is none. Live blocks stay, also above a limit. Any thread.
 *   hard: a request that would take used_bytes above it is refused, also where several threads ask at once. (The first
 *         request of a second thread may miss the block that the first one is about to get where the kernel has no
 *         membarrier, and where the first thread is stopped meanwhile for more than 200 ms.)
 *   soft: the first request that would take used_bytes above it is refused, so that a runtime can collect garbage and
 *         try again. The next ones above it are served, up to the hard limit, whatever was freed in between. Once frees
 *         have taken used_bytes down to the soft limit again, or have made room for the refused request below it, the
 *         next request above it is refused again. Where several threads use an account, the request of another thread
 *         may be the next one: ask until soft_refusals stays as it was.
 * Returns 0, or EINVAL when `heap` is NULL or the soft limit is above the hard one. */
HAK_EXPORT int hak_heap_set_limit(hak_heap_t *heap, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);

/* Fills `stats`. Any thread; the figures belong to one moment while no other thread uses the heap. Returns 0, or
 * EINVAL when `heap` or `stats` is NULL or struct_bytes is below 8. */
HAK_EXPORT int hak_heap_stats_get(const hak_heap_t *heap, hak_heap_stats_t *stats);

/* ---- Giving memory back ------------------------------------------------------------------------------------ */

/* Gives all OS pages without a live block back to the OS: flushes the magazines of this thread, and of other threads
 * that are outside the allocator; purges free OS pages; releases SuperSlabs without blocks. Live blocks stay where
 * they are. Magazines of others are left alone where the kernel has no membarrier.
 * Returns the resident bytes given back. It is an upper limit: an OS page counts as resident once it was handed out,
 * and OS pages that other threads give back meanwhile are included. */
HAK_EXPORT size_t hak_trim(void);

/* Returns the cached blocks of the calling thread to their slabs. For a thread that is about to wait for long; the
 * end of a thread does it too. Not for private heaps. */
HAK_EXPORT void hak_thread_flush(void);

/* Between the two hakmem has no thread of its own: unshare(CLONE_NEWUSER), setns and some debuggers refuse a process
 * with two threads. They nest. Memory above the idle bound (retain_bytes) is given back at once meanwhile, by the
 * threads that free. hak_quiesce_begin waits for the purge that the thread has begun, and until the kernel does not
 * count the thread any more, 100 ms at most. hak_quiesce_end returns 0, or EINVAL if there is no begin to it. Any
 * thread. */
HAK_EXPORT void hak_quiesce_begin(void);
HAK_EXPORT int hak_quiesce_end(void);

/* ---- Stats ------------------------------------------------------------------------------------------------- */

/* Start from HAK_STATS_INIT: the library fills no more than `struct_bytes`, so that a program built against an older
 * header keeps working. Fields are only ever added at the end. A live block is one that a caller holds, a cached one
 * lies in a magazine; each counts with its whole size class, or its whole OS pages. Always:
 *
 *     mapped_bytes = live_bytes + cached_bytes + pinned_bytes + free_resident_bytes + unbacked_bytes
 *     superslabs_active = superslabs_born - superslabs_died
 */
typedef struct hak_stats {
    uint32_t struct_bytes;
    uint32_t version;             /* HAK_STATS_VERSION of the library */
    uint64_t live_bytes;          /* in live blocks */
    uint64_t live_blocks;         /* number of live blocks */
    uint64_t cached_bytes;        /* in cached blocks */
    uint64_t pinned_bytes;        /* free blocks and slab tails in OS pages that also hold a live or cached block */
    uint64_t free_resident_bytes; /* OS pages without a live or cached block, still resident */
    uint64_t unbacked_bytes;      /* OS pages without memory behind them: never handed out, or given back */
    uint64_t metadata_bytes;      /* mapped for headers, bitmaps and heaps; not in mapped_bytes */
    uint64_t mapped_bytes;        /* SuperSlabs (2 MiB each), spare ones too, and mappings of large blocks */
    uint64_t large_bytes;         /* the part of live_bytes in blocks above 32 KiB */
    uint64_t superslabs_active;   /* SuperSlabs with a live or cached block */
    uint64_t superslabs_spare;    /* SuperSlabs without one that are still mapped */
    uint64_t superslabs_born;     /* times that a SuperSlab became active, since the start */
    uint64_t superslabs_died;     /* times that one became spare, since the start */
    uint64_t purged_bytes_total;  /* resident bytes given back to the OS, since the start */
    uint64_t served_requests;     /* blocks handed out: by malloc, by calloc, and by realloc into another block */
    uint64_t passed_requests;     /* requests that a binding passed to the previous allocator (hak_stats_passed) */
    uint64_t passed_bytes;        /* the bytes requested by these */
    uint64_t served_bytes;        /* the bytes reported by hak_stats_served; 0 where no binding counts them */
    uint64_t burst_bound_bytes;   /* the burst bound now, learned or set */
    uint64_t regret_bytes_total;  /* purged for the burst bound, and missed within purge_delay_ms; 0 if not learned */
    uint64_t learn_tried;         /* times that a larger burst bound was tried, */
    uint64_t learn_kept;          /* was kept because it paid, */
    uint64_t learn_taken_back;    /* and was taken back because it did not, or did no longer */
} hak_stats_t;

#define HAK_STATS_VERSION 1u
#define HAK_STATS_INIT                                                                                              \
    {(uint32_t)sizeof(hak_stats_t), HAK_STATS_VERSION, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
     0, 0}

/* Fills `stats`; slow paths of other threads wait meanwhile. Live and cached figures are exact while the other
 * threads make no request. Returns 0, or EINVAL when `stats` is NULL or struct_bytes is below 8. */
HAK_EXPORT int hak_stats_get(hak_stats_t *stats);

/* A row of one size class. Its size is fixed. */
typedef struct hak_class_stats {
    uint64_t block_bytes; /* of each block of the class */
    uint64_t live;        /* number of live blocks */
    uint64_t cached;      /* number of cached blocks */
    uint64_t free;        /* number of blocks in the class's slabs that are neither */
    uint64_t slabs;       /* number of slabs (64 KiB each) of the class */
} hak_class_stats_t;

/* Fills up to `capacity` rows, smallest class first. Returns the number of classes, whatever `capacity` is. */
HAK_EXPORT size_t hak_stats_classes(hak_class_stats_t *rows, size_t capacity);

/* Returns the name of the debug counter `index`, a constant string, and sets `*value` unless `value` is NULL. NULL
 * past the last one. While the option `counters` is 0 all values are 0. */
HAK_EXPORT const char *hak_stats_counter(size_t index, uint64_t *value);

/* For bindings. hak_stats_passed adds a request to passed_requests and passed_bytes. hak_stats_served adds to
 * served_bytes: the core counts the requests that it serves, not their bytes, which would slow its fast path. */
HAK_EXPORT void hak_stats_passed(size_t size_bytes);
HAK_EXPORT void hak_stats_served(size_t size_bytes);

/* ---- Options ----------------------------------------------------------------------------------------------- */

typedef enum hak_option_kind {
    HAK_OPTION_INTEGER, /* a decimal number from `minimum` to `maximum` */
    HAK_OPTION_CHOICE,  /* one of `choices` */
    HAK_OPTION_SET      /* at least one of `choices`, separated by commas */
} hak_option_kind_t;

/* A row of the option table. All strings are constant, and "" where they do not apply. */
typedef struct hak_option_info {
    const char *name;     /* such as "retain_bytes" */
    const char *variable; /* of the environment, such as "HAKMEM_RETAIN_BYTES" */
    hak_option_kind_t kind;
    const char *default_value; /* as text */
    int64_t minimum, maximum;  /* INTEGER only */
    const char *choices;       /* such as "never,auto,always"; CHOICE and SET only */
    const char *unit;          /* "bytes", "ms", "%", or "" */
    const char *help;          /* one line */
    int at_start_only;         /* 1: read once, from the environment; hak_option_set returns EPERM */
} hak_option_info_t;

/* Returns row `index` of the option table, NULL past the last one. */
HAK_EXPORT const hak_option_info_t *hak_option_info(size_t index);

/* Writes the value of option `name` to `value`, NUL-terminated; 64 bytes always suffice. Returns 0, ENOENT (no such
 * option), ERANGE (`value_bytes` is too small) or EINVAL (NULL). On error `value` is unchanged. */
HAK_EXPORT int hak_option_get(const char *name, char *value, size_t value_bytes);

/* Sets option `name` for the process, and acts on it at once. Returns 0, ENOENT (no such option), EINVAL (not a
 * number, not a choice, NULL), ERANGE (outside minimum and maximum) or EPERM (at_start_only). On error the option is
 * unchanged and `message`, unless NULL, gets one line with the value and what is allowed, cut at `message_bytes`. */
HAK_EXPORT int hak_option_set(const char *name, const char *value, char *message, size_t message_bytes);

/* ---- Checks ------------------------------------------------------------------------------------------------ */

/* Recomputes the invariants of docs/invariants.md from the state: all but I10 and I12, which a state cannot show,
 * and of I9, I15 and I16 the parts that the page names. Returns the number of violations, and prints each as one
 * line on stderr; never aborts. As a fork does, stops hakmem's own thread, gives back what exceeds the idle bound, and
 * takes all locks: slow paths of other threads wait, fast paths go on. */
HAK_EXPORT size_t hak_check(void);

#ifdef __cplusplus
}
#endif

#endif /* HAKMEM_H */
