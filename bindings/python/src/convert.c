/*
 * convert.c - stats and options of the core as Python objects, and back.
 *
 * Layer: bindings/python, bottom. Does not know hooks. Thread rule: with the GIL held; no state of its own.
 */
#include "convert.h"

#include <errno.h>
#include <hakmem.h>
#include <stdbool.h>
#include <string.h>

enum { OPTION_VALUE_BYTES = 64, MESSAGE_BYTES = 512, CLASSES_MAX = 256 };

/* Takes over `value`, which may be NULL with an exception set. */
static int dict_put(PyObject *dict, const char *key, PyObject *value) {
    if (value == NULL) return -1;
    int error = PyDict_SetItemString(dict, key, value);
    Py_DECREF(value);
    return error;
}

static int dict_put_count(PyObject *dict, const char *key, uint64_t count) {
    return dict_put(dict, key, PyLong_FromUnsignedLongLong(count));
}

/* Takes over `item`, which may be NULL with an exception set. */
static int list_put(PyObject *list, PyObject *item) {
    if (item == NULL) return -1;
    int error = PyList_Append(list, item);
    Py_DECREF(item);
    return error;
}

/* ---- Stats ---- */

static PyObject *class_row(const hak_class_stats_t *row) {
    return Py_BuildValue("{sKsKsKsKsK}", "block_bytes", (unsigned long long)row->block_bytes, "live",
                         (unsigned long long)row->live, "cached", (unsigned long long)row->cached, "free",
                         (unsigned long long)row->free, "slabs", (unsigned long long)row->slabs);
}

static PyObject *class_list(const hak_class_stats_t *rows, size_t count) {
    PyObject *list = PyList_New(0);
    for (size_t index = 0; list != NULL && index < count; index++)
        if (list_put(list, class_row(&rows[index])) != 0) Py_CLEAR(list);
    return list;
}

static PyObject *counter_dict(bool counters_on) {
    PyObject *dict = PyDict_New();
    uint64_t value;
    if (!counters_on) return dict;
    const char *name = hak_stats_counter(0, &value);
    for (size_t index = 1; dict != NULL && name != NULL; index++) {
        if (dict_put_count(dict, name, value) != 0) Py_CLEAR(dict);
        name = hak_stats_counter(index, &value);
    }
    return dict;
}

static bool counters_are_on(void) {
    char value[OPTION_VALUE_BYTES];
    return hak_option_get("counters", value, sizeof value) == 0 && strcmp(value, "1") == 0;
}

PyObject *convert_stats(void) {
    /* All figures are taken before the first Python object is made: making one would change them. */
    hak_stats_t stats = HAK_STATS_INIT;
    hak_class_stats_t rows[CLASSES_MAX];
    int error = hak_stats_get(&stats);
    size_t row_count = hak_stats_classes(rows, CLASSES_MAX);
    if (error != 0) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
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
    PyObject *dict = PyDict_New();
    for (size_t index = 0; dict != NULL && index < sizeof figures / sizeof *figures; index++)
        if (dict_put_count(dict, figures[index].name, figures[index].count) != 0) Py_CLEAR(dict);
    if (row_count > CLASSES_MAX) row_count = CLASSES_MAX;
    if (dict != NULL && dict_put(dict, "classes", class_list(rows, row_count)) != 0) Py_CLEAR(dict);
    if (dict != NULL && dict_put(dict, "counters", counter_dict(counters_are_on())) != 0) Py_CLEAR(dict);
    return dict;
}

/* ---- Options to Python ---- */

static const hak_option_info_t *find_option(const char *name) {
    const hak_option_info_t *info = hak_option_info(0);
    for (size_t index = 1; info != NULL && strcmp(info->name, name) != 0; index++) info = hak_option_info(index);
    return info;
}

/* An integer, or a choice whose choices are all numbers (0,1). */
static bool option_is_number(const hak_option_info_t *info) {
    if (info->kind != HAK_OPTION_CHOICE) return info->kind == HAK_OPTION_INTEGER;
    return strspn(info->choices, "0123456789,") == strlen(info->choices);
}

static PyObject *option_value(const hak_option_info_t *info, const char *text) {
    return option_is_number(info) ? PyLong_FromString(text, NULL, 10) : PyUnicode_FromString(text);
}

static PyObject *choice_list(const char *choices) {
    PyObject *list = PyList_New(0);
    while (list != NULL && *choices != '\0') {
        size_t length = strcspn(choices, ",");
        if (list_put(list, PyUnicode_FromStringAndSize(choices, (Py_ssize_t)length)) != 0) Py_CLEAR(list);
        choices += length + (choices[length] == ',');
    }
    return list;
}

static PyObject *option_bound(const hak_option_info_t *info, int64_t bound) {
    if (info->kind != HAK_OPTION_INTEGER) Py_RETURN_NONE;
    return PyLong_FromLongLong(bound);
}

static int option_row_fill(PyObject *row, const hak_option_info_t *info, const char *text) {
    static const char *const kind_names[] = {
        [HAK_OPTION_INTEGER] = "integer", [HAK_OPTION_CHOICE] = "choice", [HAK_OPTION_SET] = "set"};
    if (dict_put(row, "name", PyUnicode_FromString(info->name)) != 0) return -1;
    if (dict_put(row, "variable", PyUnicode_FromString(info->variable)) != 0) return -1;
    if (dict_put(row, "kind", PyUnicode_FromString(kind_names[info->kind])) != 0) return -1;
    if (dict_put(row, "value", option_value(info, text)) != 0) return -1;
    if (dict_put(row, "default", option_value(info, info->default_value)) != 0) return -1;
    if (dict_put(row, "minimum", option_bound(info, info->minimum)) != 0) return -1;
    if (dict_put(row, "maximum", option_bound(info, info->maximum)) != 0) return -1;
    if (dict_put(row, "choices", choice_list(info->choices)) != 0) return -1;
    if (dict_put(row, "unit", PyUnicode_FromString(info->unit)) != 0) return -1;
    if (dict_put(row, "help", PyUnicode_FromString(info->help)) != 0) return -1;
    return dict_put(row, "at_start_only", PyBool_FromLong(info->at_start_only));
}

static PyObject *option_row(const hak_option_info_t *info) {
    char text[OPTION_VALUE_BYTES];
    if (hak_option_get(info->name, text, sizeof text) != 0) {
        PyErr_Format(PyExc_SystemError, "the core does not know its own option '%s'", info->name);
        return NULL;
    }
    PyObject *row = PyDict_New();
    if (row != NULL && option_row_fill(row, info, text) != 0) Py_CLEAR(row);
    return row;
}

PyObject *convert_options(void) {
    PyObject *list = PyList_New(0);
    const hak_option_info_t *info = hak_option_info(0);
    for (size_t index = 1; list != NULL && info != NULL; index++) {
        if (list_put(list, option_row(info)) != 0) Py_CLEAR(list);
        info = hak_option_info(index);
    }
    return list;
}

/* ---- One option ---- */

static int raise_option_error(int error, const char *message) {
    PyObject *type = error == ENOENT ? PyExc_KeyError : error == EPERM ? PyExc_RuntimeError : PyExc_ValueError;
    /* A cut or hostile text must not turn into a decoding error. */
    PyObject *text = PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "replace");
    if (text == NULL) return -1;
    PyErr_SetObject(type, text);
    Py_DECREF(text);
    return -1;
}

/* Setting is the one call that answers with a text; a name that does not exist is refused before anything is set. */
static int set_text(const char *name, const char *text) {
    char message[MESSAGE_BYTES] = "";
    int error = hak_option_set(name, text, message, sizeof message);
    return error == 0 ? 0 : raise_option_error(error, message);
}

PyObject *convert_option_get(const char *name) {
    char text[OPTION_VALUE_BYTES];
    const hak_option_info_t *info = find_option(name);
    if (info != NULL && hak_option_get(name, text, sizeof text) == 0) return option_value(info, text);
    (void)set_text(name, "");
    return NULL;
}

int convert_option_set(const char *name, PyObject *value) {
    PyObject *text = NULL;
    if (PyUnicode_Check(value))
        text = Py_NewRef(value);
    else if (PyLong_Check(value)) {
        PyObject *number = PyNumber_Long(value); /* True is 1, not "True" */
        if (number != NULL) text = PyObject_Str(number);
        Py_XDECREF(number);
    } else
        PyErr_Format(PyExc_TypeError, "the value of option '%s' must be int or str, not %.100s", name,
                     Py_TYPE(value)->tp_name);
    if (text == NULL) return -1;
    Py_ssize_t length;
    const char *characters = PyUnicode_AsUTF8AndSize(text, &length);
    int error = -1;
    if (characters != NULL && strlen(characters) != (size_t)length)
        PyErr_Format(PyExc_ValueError, "option '%s' is not set: the value contains a NUL character", name);
    else if (characters != NULL)
        error = set_text(name, characters);
    Py_DECREF(text);
    return error;
}
