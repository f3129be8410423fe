/*
 * lua.h - converts Lua's values for values.i: Lua 5.1 to 5.5 and LuaJIT.
 *
 * Whole numbers are integers from 5.3 on; before, all numbers are floats, exact up to 2^53. Errors are texts without
 * a position (file and line) in front. Thread rule: the thread that runs the state.
 */
#ifndef HAKMEM_SWIG_LUA_H
#define HAKMEM_SWIG_LUA_H

#include "argument.h"

/* SWIG passes the index of a value on the stack. */
#define INPUT(value) L, value

static inline void argument_read_number(lua_State *L, int index, Argument *argument) {
#if LUA_VERSION_NUM >= 503
    if (lua_isinteger(L, index)) {
        char digits[24];
        int length = snprintf(digits, sizeof digits, "%lld", (long long)lua_tointeger(L, index));
        argument_copy(argument, ARGUMENT_NUMBER, digits, (size_t)length);
        return;
    }
#endif
    argument_set_float(argument, (double)lua_tonumber(L, index));
}

static inline void argument_read(lua_State *L, int index, Argument *argument) {
    size_t length;
    const char *text;
    switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL: argument_set_kind(argument, ARGUMENT_MISSING); break;
    case LUA_TBOOLEAN: argument_copy(argument, ARGUMENT_NUMBER, lua_toboolean(L, index) ? "1" : "0", 1); break;
    case LUA_TNUMBER: argument_read_number(L, index, argument); break;
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &length);
        argument_set_text(argument, ARGUMENT_TEXT, text, length);
        break;
    default: argument_set_kind(argument, ARGUMENT_OTHER); break;
    }
}

#define RAISE(error)                         \
    do {                                     \
        lua_pushstring(L, (error)->message); \
        SWIG_fail;                           \
    } while (0)

/* ---- Results: pushed on the stack, and counted in SWIG_arg ---- */

/* Lua's integers end at 2^63 - 1. A larger count, which only a limit can be, becomes that. */
static inline void answer_push_count(lua_State *L, uint64_t count) {
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, count > (uint64_t)LUA_MAXINTEGER ? LUA_MAXINTEGER : (lua_Integer)count);
#else
    lua_pushnumber(L, (lua_Number)count);
#endif
}

#define RESULT_NONE(result) ((void)0)
#define RESULT_COUNT(result, number) (answer_push_count(L, number), SWIG_arg++)
#define RESULT_TEXT(result, characters) (lua_pushstring(L, characters), SWIG_arg++)
#define RESULT_OWN_TEXT(result, place) (RESULT_TEXT(result, *(place)), lua_free_text(place))
#define RESULT_ANSWER(result, answer) SWIG_arg++ /* it is on top of the stack */

/* Out of memory, Lua leaves the function by longjmp. So a userdata owns the text, and its __gc frees it. */
static inline void lua_free_text(char **place) {
    hak_control_text_free(*place);
    *place = NULL;
}

static inline int lua_collect_text(lua_State *L) {
    lua_free_text(lua_touserdata(L, 1));
    return 0;
}

static inline char **own_text_begin(lua_State *L, char **unused) {
    (void)unused;
    char **place = lua_newuserdata(L, sizeof *place);
    *place = NULL;
    if (luaL_newmetatable(L, "hakmem.text")) {
        lua_pushcfunction(L, lua_collect_text);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return place;
}

/* The open tables lie on the stack, the innermost on top. */
typedef struct Answer {
    lua_State *L;
    int depth; /* number of open tables */
} Answer;

static inline void answer_begin(lua_State *L, Answer *answer) {
    enum { STACK_SLOTS = 16 };
    answer->L = L;
    answer->depth = 0;
    luaL_checkstack(L, STACK_SLOTS, "for an answer of hakmem");
}

/* Moves the value on top of the stack into the table below it. The outermost value stays on the stack. */
static inline void answer_put(const Answer *answer, const char *key) {
    lua_State *L = answer->L;
    if (answer->depth == 0) return;
    if (key != NULL)
        lua_setfield(L, -2, key);
    else
#if LUA_VERSION_NUM >= 502
        lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
#else
        lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
#endif
}

static inline void answer_table_begin(void *context, const char *key) {
    Answer *answer = context;
    (void)key;
    lua_newtable(answer->L);
    answer->depth++;
}

static inline void answer_table_end(void *context, const char *key) {
    Answer *answer = context;
    answer->depth--;
    answer_put(answer, key);
}

static inline void answer_count(void *context, const char *key, uint64_t count) {
    const Answer *answer = context;
    answer_push_count(answer->L, count);
    answer_put(answer, key);
}

static inline void answer_text(void *context, const char *key, const char *text) {
    const Answer *answer = context;
    lua_pushstring(answer->L, text);
    answer_put(answer, key);
}

static inline void answer_flag(void *context, const char *key, int flag) {
    const Answer *answer = context;
    lua_pushboolean(answer->L, flag);
    answer_put(answer, key);
}

/* Lua has no field whose value is nil. */
static inline void answer_none(void *context, const char *key) { (void)context, (void)key; }

static inline hak_visitor_t answer_visitor(Answer *answer) {
    return (hak_visitor_t){answer,       answer_table_begin, answer_table_end, answer_table_begin, answer_table_end,
                           answer_count, answer_text,        answer_flag,      answer_none};
}

#endif
