/*
 * ruby.h - converts Ruby's values for values.i.
 *
 * Thread rule: with the GVL held. Ruby's collector scans the C stack, so the objects of an Answer need no
 * registration.
 */
#ifndef HAKMEM_SWIG_RUBY_H
#define HAKMEM_SWIG_RUBY_H

#include "argument.h"

#define INPUT(value) value

static inline void argument_read(VALUE value, Argument *argument) {
    switch (TYPE(value)) {
    case T_NIL: argument_set_kind(argument, ARGUMENT_MISSING); break;
    case T_SYMBOL: value = rb_sym2str(value); /* fall through */
    case T_STRING:
        (void)rb_string_value_ptr(&value);
        argument_set_text(argument, ARGUMENT_TEXT, RSTRING_PTR(value), (size_t)RSTRING_LEN(value));
        break;
    case T_TRUE: argument_copy(argument, ARGUMENT_NUMBER, "1", 1); break;
    case T_FALSE: argument_copy(argument, ARGUMENT_NUMBER, "0", 1); break;
    case T_FIXNUM:
    case T_BIGNUM:
        value = rb_obj_as_string(value);
        argument_copy(argument, ARGUMENT_NUMBER, RSTRING_PTR(value), (size_t)RSTRING_LEN(value));
        break;
    case T_FLOAT: argument_set_float(argument, NUM2DBL(value)); break;
    default: argument_set_kind(argument, ARGUMENT_OTHER); break;
    }
}

static inline VALUE ruby_class_of_error(hak_error_code code) {
    switch (code) {
    case HAK_ERROR_NAME: return rb_eKeyError;
    case HAK_ERROR_TYPE: return rb_eTypeError;
    case HAK_ERROR_MEMORY: return rb_eNoMemError;
    case HAK_ERROR_AT_START:
    case HAK_ERROR_CORE: return rb_eRuntimeError;
    default: return rb_eArgError;
    }
}

/* Makes a String in UTF-8. Bytes from a script that are not UTF-8 become replacement characters. */
static inline VALUE ruby_message(const char *text) {
    VALUE message = rb_utf8_str_new_cstr(text), whole = rb_str_scrub(message, Qnil);
    return NIL_P(whole) ? message : whole;
}

#define RAISE(error)                                                                                            \
    do {                                                                                                        \
        rb_exc_raise(rb_exc_new_str(ruby_class_of_error((error)->code), ruby_message((error)->message))); \
        SWIG_fail;                                                                                              \
    } while (0)

/* ---- Results ---- */

#define RESULT_NONE(result) result = Qnil
#define RESULT_COUNT(result, number) result = ULL2NUM(number)
#define RESULT_TEXT(result, characters) result = rb_utf8_str_new_cstr(characters)
#define RESULT_ANSWER(result, answer) result = (answer)->whole

static inline VALUE ruby_text(VALUE text) { return rb_utf8_str_new_cstr((const char *)text); }

/* Out of memory, Ruby leaves the function by longjmp; rb_protect catches it, so that the text is freed. */
#define RESULT_OWN_TEXT(result, place)                              \
    do {                                                            \
        int failure;                                                \
        result = rb_protect(ruby_text, (VALUE)*(place), &failure); \
        hak_control_text_free(*(place));                            \
        if (failure != 0) rb_jump_tag(failure);                     \
    } while (0)

static inline char **own_text_begin(char **place) { return place; }

enum { ANSWER_DEPTH_MAX = 8 };

typedef struct Answer {
    VALUE open[ANSWER_DEPTH_MAX]; /* the open containers, from outermost to innermost */
    int depth;                    /* number of open containers */
    VALUE whole;                  /* the outermost one */
} Answer;

static inline void answer_begin(Answer *answer) {
    answer->depth = 0;
    answer->whole = Qnil;
}

static inline void ruby_put(Answer *answer, const char *key, VALUE value) {
    if (answer->depth == 0)
        answer->whole = value;
    else if (key == NULL)
        rb_ary_push(answer->open[answer->depth - 1], value);
    else
        rb_hash_aset(answer->open[answer->depth - 1], rb_utf8_str_new_cstr(key), value);
}

static inline void ruby_open(Answer *answer, const char *key, VALUE container) {
    ruby_put(answer, key, container);
    if (answer->depth == ANSWER_DEPTH_MAX) rb_raise(rb_eRuntimeError, "answers are nested deeper than ruby.h allows");
    answer->open[answer->depth++] = container;
}

static inline void ruby_begin_map(void *answer, const char *key) { ruby_open(answer, key, rb_hash_new()); }
static inline void ruby_begin_list(void *answer, const char *key) { ruby_open(answer, key, rb_ary_new()); }
static inline void ruby_end(void *answer, const char *key) { (void)key, ((Answer *)answer)->depth--; }
static inline void ruby_none(void *answer, const char *key) { ruby_put(answer, key, Qnil); }
static inline void ruby_count(void *answer, const char *key, uint64_t count) { ruby_put(answer, key, ULL2NUM(count)); }
static inline void ruby_flag(void *answer, const char *key, int flag) { ruby_put(answer, key, flag ? Qtrue : Qfalse); }
static inline void ruby_put_text(void *answer, const char *key, const char *text) {
    ruby_put(answer, key, rb_utf8_str_new_cstr(text));
}

static inline hak_visitor_t answer_visitor(Answer *answer) {
    return (hak_visitor_t){answer,     ruby_begin_map, ruby_end,  ruby_begin_list, ruby_end,
                           ruby_count, ruby_put_text,  ruby_flag, ruby_none};
}

#endif
