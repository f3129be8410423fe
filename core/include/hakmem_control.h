/*
 * hakmem_control.h - control of hakmem for every runtime: options, stats, trim, heaps with limits, version.
 *
 *     hak_error_t error;
 *     if (hak_control_option_set("purge_delay_ms", "0", &error) != 0) fprintf(stderr, "%s\n", error.message);
 *
 *     char *text;
 *     if (hak_control_stats_json(&text, &error) == 0) puts(text);
 *     hak_control_text_free(text);
 *
 * swig/hakmem.i wraps these functions for other languages; C hosts can use them for JSON. They act on the core that
 * serves this process, which another binding may have brought (hakmem_core.h).
 *
 * Rules for every function here, unless its comment says otherwise:
 *   - Threads: any thread; not from a signal handler.
 *   - Errors: the result is a hak_error_code, 0 for success. `error`, unless NULL, gets the same code and one line
 *     with the value that was wrong and what to do. After an error nothing has changed, outputs are 0 or NULL, and
 *     no visitor was called. A required pointer that is NULL, in a visitor too, is HAK_ERROR_TYPE. Every function may
 *     return HAK_ERROR_CORE.
 *
 * Compiles as C11 and as C++11.
 */
#ifndef HAKMEM_CONTROL_H
#define HAKMEM_CONTROL_H

#include <hakmem.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum hak_error_code {
    HAK_ERROR_NONE,     /* 0 */
    HAK_ERROR_NAME,     /* no such option, or no such heap */
    HAK_ERROR_VALUE,    /* not a number, not a choice, or out of range */
    HAK_ERROR_TYPE,     /* missing (NULL; in a language nil, None), or of a type that is not accepted */
    HAK_ERROR_AT_START, /* the option is read once, from the environment */
    HAK_ERROR_MEMORY,   /* out of memory */
    HAK_ERROR_CORE      /* a core of another version serves this process (hak_core) */
} hak_error_code;

/* The sizes of the structs of this header are fixed. */

#define HAK_ERROR_MESSAGE_BYTES 512

typedef struct hak_error {
    hak_error_code code;
    char message[HAK_ERROR_MESSAGE_BYTES]; /* "" where code is 0 */
} hak_error_t;

/* Receives an answer item by item, to build a map of a language or a text. `key` is the name of an item of a map;
 * NULL for an item of a list and for the outermost map or list. Strings are valid during the call only. All members
 * are required. No lock is held during a call, so it may call hakmem, or leave by longjmp. */
typedef struct hak_visitor {
    void *context; /* the first argument of each call */
    void (*begin_map)(void *context, const char *key);
    void (*end_map)(void *context, const char *key);
    void (*begin_list)(void *context, const char *key);
    void (*end_list)(void *context, const char *key);
    void (*count)(void *context, const char *key, uint64_t count);
    void (*text)(void *context, const char *key, const char *text);
    void (*flag)(void *context, const char *key, int flag);
    void (*none)(void *context, const char *key);
} hak_visitor_t;

/* "MAJOR.MINOR.PATCH" of the core that serves this process; after HAK_ERROR_CORE that of the core that the caller is
 * linked with. A constant string. */
HAK_EXPORT const char *hak_control_version(void);

/* ---- Options ----------------------------------------------------------------------------------------------- */

typedef struct hak_option_value {
    char text[64];
    int is_number;   /* 1: all values of this option are whole numbers */
    uint64_t number; /* the value then, else 0 */
} hak_option_value_t;

/* Reads option `name`. Errors: HAK_ERROR_NAME. */
HAK_EXPORT int hak_control_option_get(const char *name, hak_option_value_t *value, hak_error_t *error);

/* Sets option `name` for the process to `value`, which is text also for a number.
 * Errors: HAK_ERROR_NAME, HAK_ERROR_VALUE, HAK_ERROR_AT_START. */
HAK_EXPORT int hak_control_option_set(const char *name, const char *value, hak_error_t *error);

/* Visits a list of maps, one per option: name, variable, kind ("integer", "choice", "set"), value, default, minimum,
 * maximum (none unless kind is "integer"), choices (a list), unit, help, at_start_only (a flag). */
HAK_EXPORT int hak_control_options(const hak_visitor_t *visitor, hak_error_t *error);

/* Sets `*text` to {"version": HAK_STATS_VERSION, "options": [...]} in one line; free it with hak_control_text_free.
 * Errors: HAK_ERROR_MEMORY. */
HAK_EXPORT int hak_control_options_json(char **text, hak_error_t *error);

/* ---- Stats and trim ---------------------------------------------------------------------------------------- */

/* Visits a map: the fields of hak_stats_t from `version` on, `classes` (a list of maps, the fields of
 * hak_class_stats_t) and `counters` (a map, empty while the option `counters` is 0). All figures are read before the
 * first call. */
HAK_EXPORT int hak_control_stats(const hak_visitor_t *visitor, hak_error_t *error);

/* Sets `*text` to that map as JSON in one line, with `heaps`, the list of hak_control_heaps, added; free it with
 * hak_control_text_free. Keys are only ever added. Errors: HAK_ERROR_MEMORY. */
HAK_EXPORT int hak_control_stats_json(char **text, hak_error_t *error);

/* hak_trim: sets `*given_back_bytes` to the resident bytes given back to the OS. */
HAK_EXPORT int hak_control_trim(uint64_t *given_back_bytes, hak_error_t *error);

/* Frees the text of a ..._json function; NULL is ignored. */
HAK_EXPORT void hak_control_text_free(char *text);

/* ---- Heaps by number --------------------------------------------------------------------------------------- */
/* Heaps by number, for languages: a stale number is an error, where a stale pointer would be a crash. Numbers begin
 * at 1 and are never used again. All bindings of a process see the same heaps.
 *
 * Thread rule: any thread may set limits and read stats at any time; the rest is as for every hak_heap_t. */

/* Makes a heap and sets `*number`. The limits are in bytes, 0 is none; `is_private` is 0 or 1 (hak_heap_options_t).
 * Errors: HAK_ERROR_VALUE for another `is_private` and for a soft limit above the hard one; HAK_ERROR_MEMORY. */
HAK_EXPORT int hak_control_heap_new(uint64_t soft_limit_bytes, uint64_t hard_limit_bytes, int is_private,
                                    uint64_t *number, hak_error_t *error);

/* hak_heap_destroy. Errors: HAK_ERROR_NAME. */
HAK_EXPORT int hak_control_heap_destroy(uint64_t number, hak_error_t *error);

/* hak_heap_set_limit. Errors: HAK_ERROR_NAME; HAK_ERROR_VALUE for a soft limit above the hard one. */
HAK_EXPORT int hak_control_heap_set_limit(uint64_t number, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes,
                                          hak_error_t *error);

/* Visits a map: `heap` (the number), then the fields of hak_heap_stats_t from used_bytes on.
 * Errors: HAK_ERROR_NAME. */
HAK_EXPORT int hak_control_heap_stats(uint64_t number, const hak_visitor_t *visitor, hak_error_t *error);

/* Visits a list of such maps, by rising number. */
HAK_EXPORT int hak_control_heaps(const hak_visitor_t *visitor, hak_error_t *error);

/* Returns the heap itself, for C code that allocates in it with the functions of the core that serves (hak_core);
 * NULL: no such heap. The pointer is valid until the heap is destroyed. */
HAK_EXPORT hak_heap_t *hak_control_heap(uint64_t number);

#ifdef __cplusplus
}
#endif

#endif /* HAKMEM_CONTROL_H */
