/*
 * control/json.h - a visitor that writes what it sees as JSON, in one line.
 *
 * Layer: control. Does not allocate. Thread rule: one writer, one thread.
 */
#ifndef HAK_CONTROL_JSON_H
#define HAK_CONTROL_JSON_H

#include <hakmem_control.h>

#include "base/base.h"

/* `needed` is the length of the whole text, also where it did not fit; what fits is NUL-terminated. */
typedef struct Json {
    char *text;
    size_t capacity, needed;
    bool is_first; /* of its list or map */
} Json;

void json_begin(Json *json, char *text, size_t capacity);
hak_visitor_t json_visitor(Json *json);

#endif
