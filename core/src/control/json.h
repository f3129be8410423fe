/*
 * control/json.h - a visitor that writes its items as JSON, in one line.
 *
 * Layer: control. Does not allocate. Thread rule: one thread at a time uses a Json.
 */
#ifndef HAK_CONTROL_JSON_H
#define HAK_CONTROL_JSON_H

#include <hakmem_control.h>

#include "base/base.h"

typedef struct Json {
    char *text;      /* NUL-terminated, cut at `capacity` */
    size_t capacity; /* bytes */
    size_t needed;   /* length of the whole text, without the NUL */
    bool is_first;   /* the next item is the first one of its list or map */
} Json;

/* `text` may be NULL where `capacity` is 0: the visitor then measures. */
void json_begin(Json *json, char *text, size_t capacity);
hak_visitor_t json_visitor(Json *json);

#endif
