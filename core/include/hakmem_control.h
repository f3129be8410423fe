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
 * It is what swig/hakmem.i gives to other languages, and serves C hosts that want JSON. It acts on the core that serves
 * this process, which another binding may have brought (hakmem_core.h).
 *
 * Rules for every function here: any thread, but not from a signal handler. No argument crashes it: NULL where something is
 * needed is an error. The result is a hak_error_code; `error`, unless NULL, gets the same code and one line that says what
 * was wrong, with the value, and what to do. On error nothing has changed, and outputs are 0 or NULL.
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
    HAK_ERROR_NAME,     /* there is no such option, or no such heap */
    HAK_ERROR_VALUE,    /* not a number, not a choice, out of range */
    HAK_ERROR_TYPE,     /* missing (NULL, nil, None), or not of a kind that can be meant */
    HAK_ERROR_AT_START, /* the option is read once, from the environment */
    HAK_ERROR_MEMORY,   /* out of memory */
    HAK_ERROR_CORE      /* a core of another version serves this process */
} hak_error_code;

#define HAK_ERROR_MESSAGE_BYTES 512

typedef struct hak_error {
    hak_error_code code;
    char message[HAK_ERROR_MESSAGE_BYTES]; /* "" where code is 0 */
} hak_error_t;

/* Who gets an answer item by item: a map of a language, or a text. `key` is NULL for an item of a list, and for the whole.
 * No lock is held while these are called; they may leave by longjmp. */
typedef struct hak_visitor {
    void *context;
    void (*begin_map)(void *context, const char *key);
    void (*end_map)(void *context, const char *key);
    void (*begin_list)(void *context, const char *key);
    void (*end_list)(void *context, const char *key);
    void (*count)(void *context, const char *key, uint64_t count);
    void (*text)(void *context, const char *key, const char *text);
    void (*flag)(void *context, const char *key, int flag);
    void (*none)(void *context, const char *key);
} hak_visitor_t;

/* "MAJOR.MINOR.PATCH" of the core that serves; where it refuses (HAK_ERROR_CORE), of the caller's own. */
HAK_EXPORT const char *hak_control_version(void);

/* ---- Options ----------------------------------------------------------------------------------------------- */

typedef struct hak_option_value {
    char text[64];
    int is_number; /* 1: a decimal number, as every value of this option; `number` is it */
    uint64_t number;
} hak_option_value_t;

HAK_EXPORT int hak_control_option_get(const char *name, hak_option_value_t *value, hak_error_t *error);
HAK_EXPORT int hak_control_option_set(const char *name, const char *value, hak_error_t *error);

/* A list of maps, one per option: name, variable, kind, value, default, minimum, maximum (none unless kind is "integer"),
 * choices, unit, help, at_start_only. */
HAK_EXPORT int hak_control_options(const hak_visitor_t *visitor, hak_error_t *error);

/* {"version": 1, "options": [...]}, for hak_control_text_free. */
HAK_EXPORT int hak_control_options_json(char **text, hak_error_t *error);

/* ---- Stats and trim ---------------------------------------------------------------------------------------- */

/* A map: the fields of hak_stats_t from `version` on, `classes` (a list of hak_class_stats_t) and `counters` (a map, empty
 * while the option is off). */
HAK_EXPORT int hak_control_stats(const hak_visitor_t *visitor, hak_error_t *error);

/* The same and `heaps`, a list as hak_control_heaps gives it. One line, for hak_control_text_free. `version` is
 * HAK_STATS_VERSION; keys are only ever added. */
HAK_EXPORT int hak_control_stats_json(char **text, hak_error_t *error);

/* As hak_trim. */
HAK_EXPORT int hak_control_trim(uint64_t *given_back_bytes, hak_error_t *error);

/* Frees what a function here gave as a text; NULL is ignored. */
HAK_EXPORT void hak_control_text_free(char *text);

/* ---- Heaps by number --------------------------------------------------------------------------------------- */
/* For languages, which a number cannot lead astray: one of a destroyed heap is an error. All bindings of a process see the
 * same heaps. Thread rule: as hak_heap_t says, the heap's blocks and its end belong to one thread at a time. */

/* Limits are bytes, 0 is none; is_private as in hak_heap_options_t. */
HAK_EXPORT int hak_control_heap_new(uint64_t soft_limit_bytes, uint64_t hard_limit_bytes, int is_private,
                                    uint64_t *number, hak_error_t *error);
HAK_EXPORT int hak_control_heap_destroy(uint64_t number, hak_error_t *error);
HAK_EXPORT int hak_control_heap_set_limit(uint64_t number, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes,
                                          hak_error_t *error);

/* A map: heap (the number), then the fields of hak_heap_stats_t from used_bytes on; and a list of such maps. */
HAK_EXPORT int hak_control_heap_stats(uint64_t number, const hak_visitor_t *visitor, hak_error_t *error);
HAK_EXPORT int hak_control_heaps(const hak_visitor_t *visitor, hak_error_t *error);

/* The heap itself, for C code that makes blocks in it with the functions of the core that serves; NULL: there is none. */
HAK_EXPORT hak_heap_t *hak_control_heap(uint64_t number);

#ifdef __cplusplus
}
#endif

#endif /* HAKMEM_CONTROL_H */
