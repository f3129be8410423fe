/*
 * hakmem_core.h - several cores in one process: how a binding finds the one that serves.
 *
 * A core that is linked into two shared objects is two allocators that do not know each other's blocks. So every shared
 * object with a core exports one symbol, hak_published, that leads to a table of its core's functions, and a binding asks
 * hak_core() for the table of the core that serves the process:
 *
 *     char message[HAK_CORE_MESSAGE_BYTES];
 *     const hak_core_t *core = hak_core(message, sizeof message);
 *     if (core == NULL) ...                       // refused; `message` says why, in one line
 *     if (core == hak_published()) ...            // our own: the functions of hakmem.h may be called directly
 *     void *block = core->malloc(48);
 *
 * A module is linked with hakmem::module (docs/rendezvous.md), so that its hak_published is not taken for another's.
 * Who calls the functions of hakmem.h without asking uses the core that it is linked with: right for a program that links
 * libhakmem, wrong for a binding that may be the second one in a process. docs/rendezvous.md has the rules.
 *
 * Compiles as C11 and as C++11. Thread rule: any thread, but not from a signal handler.
 */
#ifndef HAKMEM_CORE_H
#define HAKMEM_CORE_H

#include <hakmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes with every change of hak_core_t or of what it leads to. */
#define HAK_CORE_VERSION 2u

/* A buffer of this size takes every message of hak_core(). */
#define HAK_CORE_MESSAGE_BYTES 512

/* The functions of one core. The first two members are the same in all versions; the rest may be read only where `version`
 * is HAK_CORE_VERSION. Functions do what those of hakmem.h with the same name do. */
typedef struct hak_core {
    uint32_t version;            /* HAK_CORE_VERSION of the core */
    int (*is_started)(void);     /* 1: the core has served a request, or was asked to */
    const char *library_version; /* as hak_version() */
    void (*start)(void);         /* makes is_started true; maps nothing */

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

    /* Heaps that have a number (hakmem_control.h); numbers begin at 1 and are never used again. 0 or ENOENT, or as above. */
    int (*heap_id_new)(const hak_heap_options_t *options, uint64_t *number);
    int (*heap_id_destroy)(uint64_t number);
    int (*heap_id_set_limit)(uint64_t number, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);
    int (*heap_id_stats_get)(uint64_t number, hak_heap_stats_t *stats);
    hak_heap_t *(*heap_id_heap)(uint64_t number); /* NULL: none */
    uint64_t (*heap_id_next)(uint64_t number);    /* the lowest number above `number`, 0: none */

    void (*quiesce_begin)(void);
    int (*quiesce_end)(void);
} hak_core_t;

/* The table of the core that this shared object or program contains, whichever core serves. */
HAK_EXPORT const hak_core_t *hak_published(void);

/* The table of the core that serves this process. The first call decides, for the caller's shared object, and starts that
 * core: its own where that has started, else one that has started elsewhere, else, of those loaded, the first.
 * NULL: a core of another version has started; `message`, unless NULL, gets one line, of at most `message_bytes`, and nothing
 * has changed. */
HAK_EXPORT const hak_core_t *hak_core(char *message, size_t message_bytes);

#ifdef __cplusplus
}
#endif

#endif /* HAKMEM_CORE_H */
