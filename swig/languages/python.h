/*
 * python.h - converts Python's values for values.i.
 *
 * Thread rule: with the GIL held. It keeps no state and does not use SWIG's run-time library, so interpreters with a
 * GIL of their own may call it at the same time.
 */
#ifndef HAKMEM_SWIG_PYTHON_H
#define HAKMEM_SWIG_PYTHON_H

#include "argument.h"

#define INPUT(value) value

/* An integer, or an object with __index__. Written by PyNumber_ToBase, not str(): True is 1. */
static inline void python_read_integer(PyObject *value, Argument *argument) {
    PyObject *number = PyNumber_Index(value);
    PyObject *text = number == NULL ? NULL : PyNumber_ToBase(number, 10);
    Py_ssize_t length = 0;
    const char *digits = text == NULL ? NULL : PyUnicode_AsUTF8AndSize(text, &length);
    if (digits != NULL) {
        argument_copy(argument, ARGUMENT_NUMBER, digits, (size_t)length);
    } else if (number != NULL) { /* more digits than Python converts to text */
        argument_copy(argument, ARGUMENT_NUMBER, "too large", strlen("too large"));
        PyErr_Clear();
    } else { /* its __index__ has raised an exception, which stays set */
        argument_set_kind(argument, ARGUMENT_OTHER);
    }
    Py_XDECREF(text);
    Py_XDECREF(number);
}

/* Uses the object's own UTF-8, which lives as long as the call. A text with a lone surrogate has none: it is copied,
 * with the surrogate escaped. */
static inline void python_read_text(PyObject *value, Argument *argument) {
    Py_ssize_t length = 0;
    const char *text = PyUnicode_AsUTF8AndSize(value, &length);
    if (text != NULL) {
        argument_set_text(argument, ARGUMENT_TEXT, text, (size_t)length);
        return;
    }
    PyErr_Clear();
    PyObject *bytes = PyUnicode_AsEncodedString(value, "utf-8", "backslashreplace");
    if (bytes != NULL)
        argument_copy(argument, ARGUMENT_TEXT, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    else
        argument_set_kind(argument, ARGUMENT_OTHER);
    PyErr_Clear();
    Py_XDECREF(bytes);
}

static inline void argument_read(PyObject *value, Argument *argument) {
    if (value == Py_None)
        argument_set_kind(argument, ARGUMENT_MISSING);
    else if (PyUnicode_Check(value))
        python_read_text(value, argument);
    else if (PyFloat_Check(value))
        argument_set_float(argument, PyFloat_AS_DOUBLE(value));
    else if (PyIndex_Check(value))
        python_read_integer(value, argument);
    else
        argument_set_kind(argument, ARGUMENT_OTHER);
}

static inline PyObject *python_class_of_error(hak_error_code code) {
    switch (code) {
    case HAK_ERROR_NAME: return PyExc_LookupError; /* KeyError prints its text in quotes */
    case HAK_ERROR_TYPE: return PyExc_TypeError;
    case HAK_ERROR_MEMORY: return PyExc_MemoryError;
    case HAK_ERROR_AT_START:
    case HAK_ERROR_CORE: return PyExc_RuntimeError;
    default: return PyExc_ValueError;
    }
}

/* An exception that is already set stays. Bytes that are not UTF-8 are replaced: they must not raise a decoding
 * error. */
static inline void python_raise(const hak_error_t *error) {
    if (PyErr_Occurred() != NULL) return;
    PyObject *text = PyUnicode_DecodeUTF8(error->message, (Py_ssize_t)strlen(error->message), "replace");
    if (text == NULL) return;
    PyErr_SetObject(python_class_of_error(error->code), text);
    Py_DECREF(text);
}

#define RAISE(error)           \
    do {                       \
        Py_CLEAR(resultobj);   \
        python_raise(error);   \
        SWIG_fail;             \
    } while (0)

/* ---- Results ---- */

#define RESULT_NONE(result) result = Py_NewRef(Py_None)
#define RESULT_OBJECT(result, object) \
    do {                              \
        Py_XDECREF(result);           \
        result = object;              \
        if (result == NULL) SWIG_fail; \
    } while (0)
#define RESULT_COUNT(result, number) RESULT_OBJECT(result, PyLong_FromUnsignedLongLong(number))
#define RESULT_TEXT(result, characters) RESULT_OBJECT(result, PyUnicode_FromString(characters))
#define RESULT_OWN_TEXT(result, place)                        \
    do {                                                      \
        PyObject *object = PyUnicode_FromString(*(place));    \
        hak_control_text_free(*(place));                      \
        RESULT_OBJECT(result, object);                        \
    } while (0)
#define RESULT_ANSWER(result, answer) RESULT_OBJECT(result, answer_finish(answer))

static inline char **own_text_begin(char **place) { return place; }

enum { ANSWER_DEPTH_MAX = 8 };

typedef struct Answer {
    PyObject *open[ANSWER_DEPTH_MAX]; /* the open containers from outermost to innermost: borrowed references */
    int depth;                        /* number of open containers */
    PyObject *whole;                  /* the outermost one: an owned reference */
    bool has_failed;                  /* an exception is set, and further items are ignored */
} Answer;

static inline void answer_begin(Answer *answer) {
    answer->depth = 0;
    answer->whole = NULL;
    answer->has_failed = false;
}

static inline PyObject *answer_finish(Answer *answer) {
    if (answer->has_failed) Py_CLEAR(answer->whole);
    return answer->whole;
}

/* Steals the reference `value`, which may be NULL with an exception set. */
static inline void python_put(Answer *answer, const char *key, PyObject *value) {
    if (value == NULL) answer->has_failed = true;
    if (answer->depth == 0 && !answer->has_failed) {
        answer->whole = value;
        return;
    }
    if (!answer->has_failed) {
        PyObject *container = answer->open[answer->depth - 1];
        int error = key == NULL ? PyList_Append(container, value) : PyDict_SetItemString(container, key, value);
        answer->has_failed = error != 0;
    }
    Py_XDECREF(value);
}

static inline void python_open(Answer *answer, const char *key, PyObject *container) {
    if (container != NULL && answer->depth == ANSWER_DEPTH_MAX) {
        PyErr_SetString(PyExc_SystemError, "answers are nested deeper than python.h allows");
        Py_CLEAR(container);
    }
    python_put(answer, key, container);
    if (!answer->has_failed) answer->open[answer->depth++] = container;
}

static inline void python_begin_map(void *context, const char *key) {
    Answer *answer = context;
    if (!answer->has_failed) python_open(answer, key, PyDict_New());
}

static inline void python_begin_list(void *context, const char *key) {
    Answer *answer = context;
    if (!answer->has_failed) python_open(answer, key, PyList_New(0));
}

static inline void python_end(void *context, const char *key) {
    Answer *answer = context;
    (void)key;
    if (!answer->has_failed) answer->depth--;
}

static inline void python_count(void *context, const char *key, uint64_t count) {
    Answer *answer = context;
    if (!answer->has_failed) python_put(answer, key, PyLong_FromUnsignedLongLong(count));
}

static inline void python_text(void *context, const char *key, const char *text) {
    Answer *answer = context;
    if (!answer->has_failed) python_put(answer, key, PyUnicode_FromString(text));
}

static inline void python_flag(void *context, const char *key, int flag) {
    Answer *answer = context;
    if (!answer->has_failed) python_put(answer, key, PyBool_FromLong(flag));
}

static inline void python_none(void *context, const char *key) {
    Answer *answer = context;
    if (!answer->has_failed) python_put(answer, key, Py_NewRef(Py_None));
}

static inline hak_visitor_t answer_visitor(Answer *answer) {
    return (hak_visitor_t){answer,       python_begin_map, python_end,  python_begin_list, python_end,
                           python_count, python_text,      python_flag, python_none};
}

#endif
