/*
 * convert.c - figures and options of the core as Lua values, and back, by the functions of hakmem_control.h.
 *
 * Layer: bindings/lua, above state.h. Does not know swaps. Thread rule: the thread that runs the state.
 */
#include "convert.h"

#include <lauxlib.h>
#include <string.h>

#include "languages/lua.h"

enum { OPTION_VALUE_BYTES = 64 };

void hak_lua_push_count(lua_State *L, uint64_t count) { answer_push_count(L, count); }

static void put_count(lua_State *L, const char *key, uint64_t count) {
    hak_lua_push_count(L, count);
    lua_setfield(L, -2, key);
}

static void put_boolean(lua_State *L, const char *key, bool value) {
    lua_pushboolean(L, value);
    lua_setfield(L, -2, key);
}

/* ---- Stats ---- */

static void put_state(lua_State *L, const hak_heap_stats_t *stats, bool is_private) {
    lua_createtable(L, 0, 8);
    put_count(L, "used_bytes", stats->used_bytes);
    put_count(L, "used_blocks", stats->used_blocks);
    put_count(L, "peak_bytes", stats->peak_bytes);
    put_count(L, "soft_limit_bytes", stats->soft_limit_bytes);
    put_count(L, "hard_limit_bytes", stats->hard_limit_bytes);
    put_count(L, "soft_refusals", stats->soft_refusals);
    put_count(L, "hard_refusals", stats->hard_refusals);
    put_boolean(L, "private_heap", is_private);
    lua_setfield(L, -2, "state");
}

static void raise(lua_State *L, const hak_error_t *error) { luaL_error(L, "hakmem: %s", error->message); }

static void push_answer(lua_State *L, int (*control)(const hak_visitor_t *visitor, hak_error_t *error)) {
    Answer answer;
    hak_error_t error;
    answer_begin(L, &answer);
    hak_visitor_t visitor = answer_visitor(&answer);
    if (control(&visitor, &error) != 0) raise(L, &error);
}

void hak_lua_push_stats(lua_State *L, const hak_heap_stats_t *state_stats, bool is_private) {
    push_answer(L, hak_control_stats);
    if (state_stats != NULL) put_state(L, state_stats, is_private);
}

void hak_lua_push_options(lua_State *L) { push_answer(L, hak_control_options); }

/* ---- From Lua ---- */

/* The value at `index` as a text for messages, short and on one line, which stays on the stack. */
static const char *describe(lua_State *L, int index) {
    int type = lua_type(L, index);
    if (type != LUA_TNUMBER && type != LUA_TSTRING) return luaL_typename(L, index);
    lua_pushvalue(L, index); /* a copy, since lua_tostring changes a number into a string in its place */
    PrintableText printable = argument_printable(lua_tostring(L, -1));
    lua_pushstring(L, printable.text);
    return lua_tostring(L, -1);
}

static const char *check_text(lua_State *L, int index, const char *what) {
    if (lua_type(L, index) != LUA_TSTRING)
        luaL_error(L, "hakmem: %s must be a string, not %s", what, describe(L, index));
    size_t length;
    const char *text = lua_tolstring(L, index, &length);
    if (strlen(text) != length) luaL_error(L, "hakmem: %s contains a NUL character", what);
    return text;
}

static void raise_for_option(lua_State *L, const char *name, const char *value) {
    hak_error_t error;
    if (hak_control_option_set(name, value, &error) != 0) raise(L, &error);
}

void hak_lua_push_option(lua_State *L, int index) {
    hak_error_t error;
    hak_option_value_t value;
    if (hak_control_option_get(check_text(L, index, "the name of an option"), &value, &error) != 0) raise(L, &error);
    if (value.is_number)
        hak_lua_push_count(L, value.number);
    else
        lua_pushstring(L, value.text);
}

static bool read_whole_number(lua_State *L, int index, uint64_t *number) {
#if LUA_VERSION_NUM >= 503
    int is_integer;
    lua_Integer integer = lua_tointegerx(L, index, &is_integer);
    *number = (uint64_t)integer;
    return is_integer && integer >= 0;
#else
    lua_Number value = lua_tonumber(L, index);
    if (!(value >= 0 && value < 9223372036854775808.0)) return false; /* also NaN */
    *number = (uint64_t)value;
    return (lua_Number)*number == value;
#endif
}

uint64_t hak_lua_check_bytes(lua_State *L, int index, const char *what) {
    uint64_t bytes = 0;
    if (lua_type(L, index) == LUA_TSTRING)
        luaL_error(L, "hakmem: %s must be a whole number of bytes, 0 for none, not the string \"%s\"", what,
                   describe(L, index));
    if (lua_type(L, index) != LUA_TNUMBER || !read_whole_number(L, index, &bytes))
        luaL_error(L, "hakmem: %s must be a whole number of bytes, 0 for none, not %s", what, describe(L, index));
    return bytes;
}

bool hak_lua_check_word(lua_State *L, const char *name, const char *word) {
    int type = lua_type(L, 1);
    if (type == LUA_TNONE) return false;
    if (type == LUA_TSTRING && strcmp(lua_tostring(L, 1), word) == 0) return true;
    const char *quote = type == LUA_TSTRING ? "\"" : "";
    luaL_error(L, "hakmem: %s takes no argument or \"%s\", not %s%s%s", name, word, quote, describe(L, 1), quote);
    return false;
}

void hak_lua_set_option(lua_State *L, int index) {
    const char *name = check_text(L, index, "the name of an option");
    uint64_t number;
    switch (lua_type(L, index + 1)) {
    case LUA_TBOOLEAN: raise_for_option(L, name, lua_toboolean(L, index + 1) ? "1" : "0"); break;
    case LUA_TNUMBER:
        if (read_whole_number(L, index + 1, &number)) {
            char text[OPTION_VALUE_BYTES];
            size_t place = sizeof text - 1;
            text[place] = '\0';
            do text[--place] = (char)('0' + number % 10);
            while ((number /= 10) != 0);
            raise_for_option(L, name, &text[place]);
        } else {
            raise_for_option(L, name, describe(L, index + 1)); /* the core says what is allowed */
        }
        break;
    case LUA_TSTRING: raise_for_option(L, name, check_text(L, index + 1, "the value of an option")); break;
    default:
        luaL_error(L, "hakmem: the value of option '%s' must be a number, a string or a boolean, not %s",
                   argument_printable(name).text, luaL_typename(L, index + 1));
    }
}
