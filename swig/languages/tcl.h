/*
 * tcl.h - converts Tcl's values for values.i: a map is a dict, a number is its digits, an empty argument is a
 * missing one.
 *
 * Thread rule: the thread of the interpreter.
 */
#ifndef HAKMEM_SWIG_TCL_H
#define HAKMEM_SWIG_TCL_H

#include "argument.h"

#define INPUT(value) value

/* True: the value has the type double, as results of `expr` do, and is whole. Other values are read as text. */
static inline bool tcl_read_float(Tcl_Obj *value, Argument *argument) {
    double number;
    if (value->typePtr == NULL || value->typePtr != Tcl_GetObjType("double")) return false;
    if (Tcl_GetDoubleFromObj(NULL, value, &number) != TCL_OK) return false;
    argument_set_float(argument, number);
    return argument->kind == ARGUMENT_NUMBER;
}

static inline void argument_read(Tcl_Obj *value, Argument *argument) {
    int length;
    if (tcl_read_float(value, argument)) return;
    const char *text = Tcl_GetStringFromObj(value, &length);
    argument_set_text(argument, length == 0 ? ARGUMENT_MISSING : ARGUMENT_TEXT, text, (size_t)length);
    argument->has_nul = strstr(text, "\xC0\x80") != NULL; /* Tcl's UTF-8 for NUL */
}

/* Tcl's errorCode is the list {HAKMEM NAME}, with this name of the hak_error_code. */
static inline const char *tcl_name_of_error(hak_error_code code) {
    switch (code) {
    case HAK_ERROR_NAME: return "NAME";
    case HAK_ERROR_TYPE: return "TYPE";
    case HAK_ERROR_AT_START: return "AT_START";
    case HAK_ERROR_MEMORY: return "MEMORY";
    case HAK_ERROR_CORE: return "CORE";
    default: return "VALUE";
    }
}

static inline void tcl_raise(Tcl_Interp *interp, const hak_error_t *error) {
    Tcl_SetObjResult(interp, Tcl_NewStringObj(error->message, -1));
    Tcl_SetErrorCode(interp, "HAKMEM", tcl_name_of_error(error->code), (char *)NULL);
}

#define RAISE(error)              \
    do {                          \
        tcl_raise(interp, error); \
        SWIG_fail;                \
    } while (0)

/* ---- Results ---- */

/* A count above Tcl's signed wide integers becomes a text of its digits, which Tcl takes for the same number. */
static inline Tcl_Obj *tcl_count(uint64_t count) {
    char digits[21];
    if (count <= INT64_MAX) return Tcl_NewWideIntObj((Tcl_WideInt)count);
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    return Tcl_NewStringObj(digits, -1);
}

#define RESULT_NONE(result) ((void)0)
#define RESULT_COUNT(result, number) Tcl_SetObjResult(interp, tcl_count(number))
#define RESULT_TEXT(result, characters) Tcl_SetObjResult(interp, Tcl_NewStringObj(characters, -1))
#define RESULT_OWN_TEXT(result, place)       \
    do {                                     \
        RESULT_TEXT(result, *(place));       \
        hak_control_text_free(*(place));     \
    } while (0)
#define RESULT_ANSWER(result, answer) Tcl_SetObjResult(interp, (answer)->whole)

static inline char **own_text_begin(char **place) { return place; }

enum { ANSWER_DEPTH_MAX = 8 };

typedef struct Answer {
    Tcl_Obj *open[ANSWER_DEPTH_MAX]; /* the open containers, from outermost to innermost; one that ends is put into
                                      * the one before it */
    int depth;                       /* number of open containers */
    Tcl_Obj *whole;                  /* the outermost one, once it has ended */
} Answer;

static inline void answer_begin(Answer *answer) {
    answer->depth = 0;
    answer->whole = NULL;
}

static inline void tcl_put(Answer *answer, const char *key, Tcl_Obj *value) {
    if (answer->depth == 0)
        answer->whole = value;
    else if (key == NULL)
        (void)Tcl_ListObjAppendElement(NULL, answer->open[answer->depth - 1], value);
    else
        (void)Tcl_DictObjPut(NULL, answer->open[answer->depth - 1], Tcl_NewStringObj(key, -1), value);
}

static inline void tcl_open(Answer *answer, Tcl_Obj *container) {
    if (answer->depth == ANSWER_DEPTH_MAX) Tcl_Panic("hakmem: answers are nested deeper than tcl.h allows");
    answer->open[answer->depth++] = container;
}

static inline void tcl_end(void *context, const char *key) {
    Answer *answer = context;
    Tcl_Obj *container = answer->open[--answer->depth];
    tcl_put(answer, key, container);
}

static inline void tcl_begin_map(void *answer, const char *key) { (void)key, tcl_open(answer, Tcl_NewDictObj()); }
static inline void tcl_begin_list(void *answer, const char *key) {
    (void)key, tcl_open(answer, Tcl_NewListObj(0, NULL));
}
static inline void tcl_put_count(void *answer, const char *key, uint64_t count) {
    tcl_put(answer, key, tcl_count(count));
}
static inline void tcl_flag(void *answer, const char *key, int flag) { tcl_put(answer, key, Tcl_NewBooleanObj(flag)); }
static inline void tcl_none(void *answer, const char *key) { tcl_put(answer, key, Tcl_NewObj()); }
static inline void tcl_text(void *answer, const char *key, const char *text) {
    tcl_put(answer, key, Tcl_NewStringObj(text, -1));
}

static inline hak_visitor_t answer_visitor(Answer *answer) {
    return (hak_visitor_t){answer,        tcl_begin_map, tcl_end,  tcl_begin_list, tcl_end,
                           tcl_put_count, tcl_text,      tcl_flag, tcl_none};
}

#endif
