/*
 * convert.c - figures and options of the core as Lua values, and back. The keys are those of the Python binding.
 *
 * Layer: bindings/lua. Does not know swaps. Thread rule: the thread that runs the state; no state of its own.
 */
#include "convert.h"

#include <lauxlib.h>
#include <string.h>

enum { OPTION_VALUE_BYTES = 64, MESSAGE_BYTES = 512, CLASSES_MAX = 256 };

void hak_lua_push_count(lua_State *L, uint64_t count) {
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, (lua_Integer)count);
#else
    lua_pushnumber(L, (lua_Number)count); /* exact up to 2^53 */
#endif
}

static void put_count(lua_State *L, const char *key, uint64_t count) {
    hak_lua_push_count(L, count);
    lua_setfield(L, -2, key);
}

static void put_text(lua_State *L, const char *key, const char *text) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static void put_boolean(lua_State *L, const char *key, bool value) {
    lua_pushboolean(L, value);
    lua_setfield(L, -2, key);
}

/* ---- Stats ---- */

static void put_classes(lua_State *L, const hak_class_stats_t *rows, size_t count) {
    lua_createtable(L, (int)count, 0);
    for (size_t index = 0; index < count; index++) {
        lua_createtable(L, 0, 5);
        put_count(L, "block_bytes", rows[index].block_bytes);
        put_count(L, "live", rows[index].live);
        put_count(L, "cached", rows[index].cached);
        put_count(L, "free", rows[index].free);
        put_count(L, "slabs", rows[index].slabs);
        lua_rawseti(L, -2, (int)index + 1);
    }
    lua_setfield(L, -2, "classes");
}

static void put_counters(lua_State *L) {
    bool is_on = hak_lua_option_number("counters") != 0;
    uint64_t value;
    lua_newtable(L);
    const char *name = serve_counter(0, &value);
    for (size_t index = 1; is_on && name != NULL; index++) {
        put_count(L, name, value);
        name = serve_counter(index, &value);
    }
    lua_setfield(L, -2, "counters");
}

static void put_state(lua_State *L, const hak_lua_state_t *state, const hak_heap_stats_t *stats) {
    lua_createtable(L, 0, 8);
    put_count(L, "used_bytes", stats->used_bytes);
    put_count(L, "used_blocks", stats->used_blocks);
    put_count(L, "peak_bytes", stats->peak_bytes);
    put_count(L, "soft_limit_bytes", stats->soft_limit_bytes);
    put_count(L, "hard_limit_bytes", stats->hard_limit_bytes);
    put_count(L, "soft_refusals", stats->soft_refusals);
    put_count(L, "hard_refusals", stats->hard_refusals);
    put_boolean(L, "private_heap", state->is_private);
    lua_setfield(L, -2, "state");
}

void hak_lua_push_stats(lua_State *L, const hak_lua_state_t *state) {
    /* All figures are taken before the first table is made: making one would change them. */
    hak_stats_t stats = HAK_STATS_INIT;
    hak_heap_stats_t state_stats = HAK_HEAP_STATS_INIT;
    hak_class_stats_t rows[CLASSES_MAX];
    if (serve_stats(&stats) != 0) luaL_error(L, "hakmem: the core does not give its figures");
    bool has_account = hak_lua_stats_get(state, &state_stats) == 0;
    size_t row_count = serve_classes(rows, CLASSES_MAX);
    const struct {
        const char *name;
        uint64_t count;
    } figures[] = {
        {"version", stats.version},
        {"live_bytes", stats.live_bytes},
        {"live_blocks", stats.live_blocks},
        {"cached_bytes", stats.cached_bytes},
        {"pinned_bytes", stats.pinned_bytes},
        {"free_resident_bytes", stats.free_resident_bytes},
        {"unbacked_bytes", stats.unbacked_bytes},
        {"metadata_bytes", stats.metadata_bytes},
        {"mapped_bytes", stats.mapped_bytes},
        {"large_bytes", stats.large_bytes},
        {"superslabs_active", stats.superslabs_active},
        {"superslabs_spare", stats.superslabs_spare},
        {"superslabs_born", stats.superslabs_born},
        {"superslabs_died", stats.superslabs_died},
        {"purged_bytes_total", stats.purged_bytes_total},
        {"served_requests", stats.served_requests},
        {"passed_requests", stats.passed_requests},
        {"passed_bytes", stats.passed_bytes},
        {"served_bytes", stats.served_bytes},
    };
    lua_createtable(L, 0, (int)(sizeof figures / sizeof *figures) + 3);
    for (size_t index = 0; index < sizeof figures / sizeof *figures; index++)
        put_count(L, figures[index].name, figures[index].count);
    put_classes(L, rows, row_count < CLASSES_MAX ? row_count : CLASSES_MAX);
    put_counters(L);
    if (has_account) put_state(L, state, &state_stats);
}

/* ---- Options to Lua ---- */

static const hak_option_info_t *find_option(const char *name) {
    const hak_option_info_t *info = serve_option_info(0);
    for (size_t index = 1; info != NULL && strcmp(info->name, name) != 0; index++) info = serve_option_info(index);
    return info;
}

/* An integer, or a choice whose choices are all numbers (0,1). */
static bool option_is_number(const hak_option_info_t *info) {
    if (info->kind != HAK_OPTION_CHOICE) return info->kind == HAK_OPTION_INTEGER;
    return strspn(info->choices, "0123456789,") == strlen(info->choices);
}

static void push_option_value(lua_State *L, const hak_option_info_t *info, const char *text) {
    uint64_t number = 0;
    if (!option_is_number(info)) {
        lua_pushstring(L, text);
        return;
    }
    for (const char *digit = text; *digit != '\0'; digit++) number = number * 10 + (uint64_t)(*digit - '0');
    hak_lua_push_count(L, number);
}

static void put_choices(lua_State *L, const char *choices) {
    lua_newtable(L);
    for (int number = 1; *choices != '\0'; number++) {
        size_t length = strcspn(choices, ",");
        lua_pushlstring(L, choices, length);
        lua_rawseti(L, -2, number);
        choices += length + (choices[length] == ',');
    }
    lua_setfield(L, -2, "choices");
}

static void push_option_row(lua_State *L, const hak_option_info_t *info) {
    static const char *const kind_names[] = {
        [HAK_OPTION_INTEGER] = "integer", [HAK_OPTION_CHOICE] = "choice", [HAK_OPTION_SET] = "set"};
    char text[OPTION_VALUE_BYTES];
    if (serve_option_get(info->name, text, sizeof text) != 0)
        luaL_error(L, "hakmem: the core does not know its own option '%s'", info->name);
    lua_createtable(L, 0, 11);
    put_text(L, "name", info->name);
    put_text(L, "variable", info->variable);
    put_text(L, "kind", kind_names[info->kind]);
    push_option_value(L, info, text);
    lua_setfield(L, -2, "value");
    push_option_value(L, info, info->default_value);
    lua_setfield(L, -2, "default");
    if (info->kind == HAK_OPTION_INTEGER) {
        put_count(L, "minimum", (uint64_t)info->minimum);
        put_count(L, "maximum", (uint64_t)info->maximum);
    } else {
        put_choices(L, info->choices);
    }
    put_text(L, "unit", info->unit);
    put_text(L, "help", info->help);
    put_boolean(L, "at_start_only", info->at_start_only != 0);
}

void hak_lua_push_options(lua_State *L) {
    lua_newtable(L);
    const hak_option_info_t *info = serve_option_info(0);
    for (int number = 1; info != NULL; number++) {
        push_option_row(L, info);
        lua_rawseti(L, -2, number);
        info = serve_option_info((size_t)number);
    }
}

/* ---- From Lua ---- */

/* A text of the value at `index`, for messages; stays on the stack. */
static const char *describe(lua_State *L, int index) {
    int type = lua_type(L, index);
    if (type != LUA_TNUMBER && type != LUA_TSTRING) return luaL_typename(L, index);
    lua_pushvalue(L, index); /* lua_tostring would change a number in its place */
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
    char message[MESSAGE_BYTES] = "";
    if (serve_option_set(name, value, message, sizeof message) != 0) luaL_error(L, "hakmem: %s", message);
}

void hak_lua_push_option(lua_State *L, int index) {
    const char *name = check_text(L, index, "the name of an option");
    char text[OPTION_VALUE_BYTES];
    const hak_option_info_t *info = find_option(name);
    if (info == NULL || serve_option_get(name, text, sizeof text) != 0)
        raise_for_option(L, name, ""); /* the core's message names the nearest option */
    else
        push_option_value(L, info, text);
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
    if (lua_type(L, index) != LUA_TNUMBER || !read_whole_number(L, index, &bytes))
        luaL_error(L, "hakmem: %s must be a whole number of bytes, 0 for none, not %s", what, describe(L, index));
    return bytes;
}

void hak_lua_set_option(lua_State *L, int index) {
    const char *name = check_text(L, index, "the name of an option");
    uint64_t number;
    switch (lua_type(L, index + 1)) {
    case LUA_TBOOLEAN:
        raise_for_option(L, name, lua_toboolean(L, index + 1) ? "1" : "0");
        break;
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
    case LUA_TSTRING:
        raise_for_option(L, name, check_text(L, index + 1, "the value of an option"));
        break;
    default:
        luaL_error(L, "hakmem: the value of option '%s' must be a number or a string, not %s", name,
                   luaL_typename(L, index + 1));
    }
}
