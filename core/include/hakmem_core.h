/*
 * hakmem_core.h - several cores in one process: how a binding finds the one that serves.
 *
 * A core that is linked into two shared objects is two allocators, and neither knows the other's blocks. So every
 * shared object with a core exports the function hak_published, which returns a table of its core's functions. A
 * binding calls hak_core(), which finds the core that serves the process and returns that core's table:
 *
 *     char message[HAK_CORE_MESSAGE_BYTES];
 *     const hak_core_t *core = hak_core(message, sizeof message);
 *     if (core == NULL) ...                       // refused; `message` says why, in one line
 *     if (core == hak_published()) ...            // its own: it may call the functions of hakmem.h directly
 *     void *block = core->malloc(48);
 *
 * The functions of hakmem.h are those of the core that the caller is linked with: right for a program that links
 * libhakmem, wrong for a binding that may be the second one in a process. A module links with hakmem::module, so that
 * the loader does not bind its hak_published to that of another object. docs/rendezvous.md has the rules.
 *
 * Compiles as C11 and as C++11. Thread rule: any thread, not from a signal handler.
 */
#ifndef HAKMEM_CORE_H
#define HAKMEM_CORE_H

#include <hakmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes with every change of hak_core_t and of the structs that its functions take. */
#define HAK_CORE_VERSION 3u

/* Bytes that hold any message of hak_core(). */
#define HAK_CORE_MESSAGE_BYTES 512

/* Functions for the table of a runtime that lets its allocators be replaced, as CPython's does: the serving core
 * inlines its fast path into them. A block of the core is resized and freed by the core, any other one by the previous
 * allocator, which also gets what the core has no memory for. */
typedef struct hak_hook {
    void *context;
    void *(*malloc)(void *context, size_t size_bytes);
    void *(*calloc)(void *context, size_t count, size_t size_bytes);
    void *(*realloc)(void *context, void *block, size_t size_bytes);
    void (*free)(void *context, void *block);
} hak_hook_t;

/* Which functions of hakmem.h serve an entry of the table. Each entry is hooked once in a process. */
typedef enum hak_hook_entry {
    HAK_HOOK_FIRST,  /* hak_malloc, hak_realloc */
    HAK_HOOK_SECOND, /* the same */
    HAK_HOOK_OBJECT  /* hak_malloc_object, hak_realloc_object */
} hak_hook_entry_t;

/* Where a new block comes from, at all entries. */
typedef enum hak_hook_mode {
    HAK_HOOK_PASS,  /* the previous allocator, which is so at first */
    HAK_HOOK_SERVE, /* the core */
    HAK_HOOK_COUNT, /* the core, and the requested bytes are counted (option counters) */
    HAK_HOOK_NOTICE /* the core, and a thread can tell that its request came to a hook (hook_noticed) */
} hak_hook_mode_t;

/* The functions of one core: those of hakmem.h with the same name, hak_ in front. Constant, valid as long as the
 * object that contains it is loaded. The first two members are the same in all versions; the rest may be read only
 * where `version` is HAK_CORE_VERSION.
 *
 * This is the one list of a core's functions: a new one is a line here. tests/lint/core_functions.py makes from it the
 * rows that fill the table of a core. */
typedef struct hak_core {
    uint32_t version;            /* HAK_CORE_VERSION of the core */
    int (*is_started)(void);     /* 1: start() was called, directly or by the first request */
    const char *library_version; /* hak_version() of the core */
    void (*start)(void);         /* reads the options of the environment; maps no memory */

    void *(*malloc)(size_t size_bytes);
    void *(*calloc)(size_t count, size_t size_bytes);
    void *(*realloc)(void *block, size_t size_bytes);
    void (*free)(void *block);
    void (*free_sized)(void *block, size_t size_bytes);
    void *(*aligned_alloc)(size_t alignment, size_t size_bytes);
    size_t (*usable_size)(const void *block);
    int (*owns)(const void *address);
    void *(*malloc_object)(size_t size_bytes);
    void *(*malloc_align8)(size_t size_bytes);
    void *(*realloc_object)(void *block, size_t size_bytes);
    void *(*realloc_align8)(void *block, size_t size_bytes);
    int (*free_if_owned)(void *block);

    hak_heap_t *(*heap_new)(const hak_heap_options_t *options);
    void (*heap_destroy)(hak_heap_t *heap);
    void *(*heap_malloc)(hak_heap_t *heap, size_t size_bytes);
    void *(*heap_realloc)(hak_heap_t *heap, void *block, size_t size_bytes);
    void (*heap_free)(hak_heap_t *heap, void *block);
    int (*heap_set_limit)(hak_heap_t *heap, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);
    int (*heap_stats_get)(const hak_heap_t *heap, hak_heap_stats_t *stats);

    size_t (*trim)(void);
    void (*thread_flush)(void);
    int (*stats_get)(hak_stats_t *stats);
    size_t (*stats_classes)(hak_class_stats_t *rows, size_t capacity);
    const char *(*stats_counter)(size_t index, uint64_t *value);
    void (*stats_passed)(size_t size_bytes);
    void (*stats_served)(size_t size_bytes);
    const hak_option_info_t *(*option_info)(size_t index);
    int (*option_get)(const char *name, char *value, size_t value_bytes);
    int (*option_set)(const char *name, const char *value, char *message, size_t message_bytes);
    size_t (*check)(void);

    /* Heaps by number (hakmem_control.h); numbers begin at 1 and are never used again. Return 0; ENOENT: no such
     * heap; or an error as the function of hakmem.h does, heap_id_new ENOMEM or EINVAL. */
    int (*heap_id_new)(const hak_heap_options_t *options, uint64_t *number);
    int (*heap_id_destroy)(uint64_t number);
    int (*heap_id_set_limit)(uint64_t number, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);
    int (*heap_id_stats_get)(uint64_t number, hak_heap_stats_t *stats);
    hak_heap_t *(*heap_id_heap)(uint64_t number); /* NULL: no such heap */
    uint64_t (*heap_id_next)(uint64_t number);    /* the lowest number in use above `number`; 0: none */

    void (*quiesce_begin)(void);
    int (*quiesce_end)(void);

    /* Hooks. One thread at a time calls the first three. hook_over returns what to put into the runtime's table over
     * `previous`, and notes that one. The context is that of `previous`: a thread may read it before the change and the
     * function after it. Not `is_served`: new blocks are the previous allocator's, blocks of the core are resized and
     * freed all the same. hook_is_ours: 1 if `current` came from hook_over of this core. */
    hak_hook_t (*hook_over)(hak_hook_entry_t entry, const hak_hook_t *previous, int is_served);
    int (*hook_is_ours)(hak_hook_entry_t entry, const hak_hook_t *current);
    void (*hook_set_mode)(hak_hook_mode_t mode);
    uint64_t (*hook_noticed)(void); /* mallocs of the calling thread that came to a hook in HAK_HOOK_NOTICE */
} hak_core_t;

/* Returns the table of the core that this shared object or program contains, whether or not that core serves. */
HAK_EXPORT const hak_core_t *hak_published(void);

/* Returns the table of the core that serves this process, and starts that core. The first call of a shared object
 * decides for it:
 *   1. its own core, if that has started;
 *   2. else the first core that has started, in the order of loading;
 *   3. else the first core of this version, in the order of loading.
 * NULL: the core of step 2 is of another version; `message`, unless NULL, gets one line, cut at `message_bytes`.
 * Nothing has changed then, and a later call tries again. */
HAK_EXPORT const hak_core_t *hak_core(char *message, size_t message_bytes);

#ifdef __cplusplus
}
#endif

#endif /* HAKMEM_CORE_H */
