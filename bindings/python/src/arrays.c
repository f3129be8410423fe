/*
 * arrays.c - whether NumPy's array data are served, and by which of the ways that its versions have.
 *
 * Layer: bindings/python, above hooks.h and numpy_handler.h. Thread rule: see arrays.h.
 *
 * NumPy takes array data from malloc up to 2.4, and from CPython's raw domain from 2.5 on. Which of the two is asked of
 * NumPy itself, by a request, since its version does not tell how it was built. Raw is served then, although it holds
 * little else; or NumPy's data handler is taken.
 */
#include "arrays.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "detect.h"
#include "hooks.h"
#include "numpy_handler.h"

static const char *_Atomic way = "awaited";
static char reason[NUMPY_REASON_BYTES];
static bool says_refusal = true; /* once */
static bool has_served;          /* then only the default handler counts, whatever this task has set for itself */

static bool option_is(const hak_core_t *core, const char *name, const char *value) {
    char current[64];
    return core->option_get(name, current, sizeof current) == 0 && strcmp(current, value) == 0;
}

const char *arrays_way(void) { return hooks_are_enabled() ? atomic_load(&way) : "off"; }

const char *arrays_refusal(void) { return strcmp(arrays_way(), "refused") == 0 ? reason : NULL; }

static void follow_hooks(void) {
    numpy_handler_set_mode(strcmp(arrays_way(), "handler") == 0 ? hooks_mode() : HAK_HOOK_PASS);
}

static const char *go(const char *chosen) {
    bool is_raw = strcmp(chosen, "raw") == 0;
    if (!is_raw) (void)hooks_serve_raw(false);
    has_served |= is_raw || strcmp(chosen, "handler") == 0;
    atomic_store(&way, chosen);
    follow_hooks();
    return arrays_refusal();
}

/* The user's choice of domains is not changed: NumPy's data handler is taken then. */
static bool data_come_from_raw(void) {
    if (numpy_handler_is_taken()) return false;
    if (getenv("HAKMEM_DOMAINS") == NULL) (void)hooks_serve_raw(true);
    return hooks_notice(numpy_handler_request, NULL);
}

static const char *settle_in_main(const hak_core_t *core) {
    if (detect_malloc_is_served()) return go("malloc");
    if (!numpy_handler_is_there()) return go("awaited");
    if (!numpy_handler_find(reason)) return go("refused");
    if (!has_served && !numpy_handler_is_in_force(reason)) return go("refused");
    if (data_come_from_raw()) return go("raw");
    return go(numpy_handler_take(core, reason) ? "handler" : "refused");
}

const char *arrays_settle(void) {
    const hak_core_t *core = hooks_are_enabled() ? hak_core(NULL, 0) : NULL;
    if (core != NULL && (option_is(core, "arrays", "off") || hooks_mode() == HAK_HOOK_PASS)) return go("off");
    if (core != NULL && PyInterpreterState_Get() == PyInterpreterState_Main()) return settle_in_main(core);
    follow_hooks();
    return NULL;
}

/* NumPy is being imported: this is nobody's exception. */
static void say_refusal(const char *refusal) {
    const hak_core_t *core = hak_core(NULL, 0);
    if (refusal == NULL || !says_refusal || !option_is(core, "arrays", "on")) return;
    says_refusal = false;
    PySys_FormatStderr("hakmem: warning: NumPy's arrays are not served: %s\n", refusal);
}

PyObject *arrays_find_spec(PyObject *module, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    (void)module, (void)names;
    const char *name = count > 0 && PyUnicode_Check(arguments[0]) ? PyUnicode_AsUTF8(arguments[0]) : "";
    if (name == NULL) PyErr_Clear();
    bool is_of_numpy = name != NULL && strncmp(name, "numpy.", strlen("numpy.")) == 0;
    if (is_of_numpy && strcmp(arrays_way(), "awaited") == 0 && numpy_handler_is_there()) say_refusal(arrays_settle());
    Py_RETURN_NONE;
}
