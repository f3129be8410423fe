/*
 * control/json.c - a visitor that writes its items as JSON, in one line.
 *
 * Layer: control. Does not allocate. Thread rule: one thread at a time uses a Json.
 */
#include "control/json.h"

static void put(Json *json, char letter) {
    if (json->needed + 1 < json->capacity) {
        json->text[json->needed] = letter;
        json->text[json->needed + 1] = '\0';
    }
    json->needed++;
}

static void put_plain(Json *json, const char *text) {
    while (*text != '\0') put(json, *text++);
}

static void put_quoted(Json *json, const char *text) {
    put(json, '"');
    for (; *text != '\0'; text++) {
        unsigned char letter = (unsigned char)*text;
        if (letter == '"' || letter == '\\') put(json, '\\');
        if (letter >= ' ') {
            put(json, (char)letter);
        } else {
            put_plain(json, "\\u00");
            put(json, "01"[letter >> 4]);
            put(json, "0123456789abcdef"[letter & 15]);
        }
    }
    put(json, '"');
}

static void put_key(Json *json, const char *key) {
    if (!json->is_first) put_plain(json, ", ");
    json->is_first = false;
    if (key == NULL) return;
    put_quoted(json, key);
    put_plain(json, ": ");
}

static void begin(Json *json, const char *key, char bracket) {
    put_key(json, key);
    put(json, bracket);
    json->is_first = true;
}

static void end(Json *json, char bracket) {
    put(json, bracket);
    json->is_first = false;
}

/* ---- The visitor ---- */

static void begin_map(void *json, const char *key) { begin(json, key, '{'); }
static void begin_list(void *json, const char *key) { begin(json, key, '['); }

static void end_map(void *json, const char *key) {
    (void)key;
    end(json, '}');
}

static void end_list(void *json, const char *key) {
    (void)key;
    end(json, ']');
}

static void visit_count(void *json, const char *key, uint64_t count) {
    char digits[21];
    size_t first = sizeof digits - 1;
    digits[first] = '\0';
    do digits[--first] = (char)('0' + count % 10);
    while ((count /= 10) != 0);
    put_key(json, key);
    put_plain(json, &digits[first]);
}

static void visit_text(void *json, const char *key, const char *text) {
    put_key(json, key);
    put_quoted(json, text);
}

static void visit_flag(void *json, const char *key, int flag) {
    put_key(json, key);
    put_plain(json, flag != 0 ? "true" : "false");
}

static void visit_none(void *json, const char *key) {
    put_key(json, key);
    put_plain(json, "null");
}

void json_begin(Json *json, char *text, size_t capacity) {
    *json = (Json){.text = text, .capacity = capacity, .needed = 0, .is_first = true};
    if (capacity > 0) text[0] = '\0';
}

hak_visitor_t json_visitor(Json *json) {
    return (hak_visitor_t){
        .context = json,
        .begin_map = begin_map,
        .end_map = end_map,
        .begin_list = begin_list,
        .end_list = end_list,
        .count = visit_count,
        .text = visit_text,
        .flag = visit_flag,
        .none = visit_none,
    };
}
