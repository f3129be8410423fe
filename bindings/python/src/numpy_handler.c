/*
 * numpy_handler.c - NumPy's data handler (NEP 49): finds that of the process, and serves what it is asked for.
 *
 * Layer: bindings/python, bottom. Thread rule: see numpy_handler.h; NumPy calls a handler with a GIL.
 *
 * Which handler makes an array is a context variable, so one that is set by NumPy's API is not that of other threads,
 * which begin with NumPy's default. So the default itself gets other functions, in its place in NumPy's memory. It goes
 * on to be the default by name, and each array keeps a reference to the handler that made it: data from before the
 * change come here, and go on to NumPy's own functions by their address.
 */
#define _GNU_SOURCE
#include "numpy_handler.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- NumPy's declarations ---- */

typedef struct NumpyAllocator {
    void *context;
    void *(*malloc)(void *context, size_t size_bytes);
    void *(*calloc)(void *context, size_t count, size_t size_bytes);
    void *(*realloc)(void *context, void *data, size_t size_bytes);
    void (*free)(void *context, void *data, size_t size_bytes);
} NumpyAllocator;

typedef struct NumpyHandler {
    char name[127];
    uint8_t version;
    NumpyAllocator allocator;
} NumpyHandler;

#define HANDLER_CAPSULE "mem_handler"
#define DEFAULT_NAME "default_allocator"

/* Places in the table of NumPy's C API, which never change, and a value of its second number. */
enum { API_FEATURE_VERSION = 211, API_GET_HANDLER = 305, API_DEFAULT_HANDLER = 306 };
enum { FEATURES_OF_1_22 = 0x0f };

static NumpyHandler *handler;     /* NULL until it is found */
static const NumpyHandler *taken; /* the one that got our functions; NULL: none yet */
static void **table;

/* ---- The functions ---- */

static const hak_core_t *core;  /* each time the handler is taken, this and the next two get the same values */
static NumpyAllocator previous; /* NumPy's own */
static size_t huge_pages_from_bytes = SIZE_MAX, huge_zeros_from_bytes = SIZE_MAX;
static _Atomic hak_hook_mode_t mode = HAK_HOOK_PASS; /* relaxed: a request that reads an old value is served by it */

enum { ALIGNMENT = 16, HUGE_PAGE_BYTES = 2 << 20, LONG_BYTES = 1 << 20 };

static hak_hook_mode_t current_mode(void) { return atomic_load_explicit(&mode, memory_order_relaxed); }

/* The core's blocks of less lie on 8. */
static size_t at_least_aligned(size_t size_bytes) { return size_bytes < ALIGNMENT ? ALIGNMENT : size_bytes; }

/* As NumPy does it in its own functions, without which large arrays would be slower: the faults of a huge page take a
 * third of the time. The core's large blocks lie on 2 MiB; what is left at their end stays without. */
static void use_huge_pages(void *data, size_t size_bytes, size_t from_bytes) {
    size_t whole_bytes = size_bytes & ~(size_t)(HUGE_PAGE_BYTES - 1);
    if (size_bytes >= from_bytes && (uintptr_t)data % HUGE_PAGE_BYTES == 0)
        (void)madvise(data, whole_bytes, MADV_HUGEPAGE);
}

static void *served(void *data, size_t size_bytes) {
    if (current_mode() == HAK_HOOK_COUNT) core->stats_served(size_bytes);
    return data;
}

static void *pass_malloc(void *context, size_t size_bytes) {
    core->stats_passed(size_bytes);
    return previous.malloc(context, size_bytes);
}

static void *array_malloc(void *context, size_t size_bytes) {
    if (current_mode() == HAK_HOOK_PASS) return pass_malloc(context, size_bytes);
    void *data = core->malloc(at_least_aligned(size_bytes));
    if (data == NULL) return pass_malloc(context, size_bytes); /* the C library may have room left */
    use_huge_pages(data, size_bytes, huge_pages_from_bytes);
    return served(data, size_bytes);
}

/* Other threads run meanwhile, as they do where NumPy fills as much with zeros. */
static void *long_calloc(size_t count, size_t size_bytes) {
    PyThreadState *thread_state = PyEval_SaveThread();
    void *data = core->calloc(count, size_bytes);
    PyEval_RestoreThread(thread_state);
    return data;
}

static void *array_calloc(void *context, size_t count, size_t size_bytes) {
    size_t total_bytes;
    bool is_possible = !__builtin_mul_overflow(count, size_bytes, &total_bytes);
    void *data = NULL;
    if (is_possible && current_mode() != HAK_HOOK_PASS)
        data = total_bytes >= LONG_BYTES ? long_calloc(count, size_bytes)
                                         : core->calloc(1, at_least_aligned(total_bytes));
    if (data == NULL) {
        core->stats_passed(is_possible ? total_bytes : SIZE_MAX);
        return previous.calloc(context, count, size_bytes);
    }
    use_huge_pages(data, total_bytes, huge_zeros_from_bytes);
    return served(data, total_bytes);
}

/* To NumPy's own functions. NULL: no memory there either, or no block lives there; it is unchanged. */
static void *move_out(void *context, void *data, size_t size_bytes) {
    size_t usable_bytes = core->usable_size(data);
    void *moved = usable_bytes == 0 ? NULL : pass_malloc(context, size_bytes);
    if (moved == NULL) return NULL;
    memcpy(moved, data, usable_bytes < size_bytes ? usable_bytes : size_bytes);
    core->free(data);
    return moved;
}

static void *array_realloc(void *context, void *data, size_t size_bytes) {
    if (data == NULL) return array_malloc(context, size_bytes);
    if (!core->owns(data)) { /* its size is unknown here */
        core->stats_passed(size_bytes);
        return previous.realloc(context, data, size_bytes);
    }
    if (current_mode() == HAK_HOOK_PASS && size_bytes > core->usable_size(data))
        return move_out(context, data, size_bytes);
    void *resized = core->realloc(data, at_least_aligned(size_bytes));
    if (resized != NULL) return resized == data ? data : served(resized, size_bytes);
    void *probe = core->malloc(size_bytes); /* is it for want of memory, or a misuse that the core has reported? */
    core->free(probe);
    return probe == NULL ? move_out(context, data, size_bytes) : NULL;
}

static void array_free(void *context, void *data, size_t size_bytes) {
    if (!core->free_if_owned(data)) previous.free(context, data, size_bytes);
}

void numpy_handler_set_mode(hak_hook_mode_t wanted) { atomic_store_explicit(&mode, wanted, memory_order_relaxed); }

/* ---- Finding it ---- */

/* NumPy's module keeps it. NULL: not imported, or only begun to be. */
static void **numpy_table(void) {
    static const char *const places[] = {"numpy._core._multiarray_umath", "numpy.core._multiarray_umath"};
    PyObject *modules = PyImport_GetModuleDict(), *api = NULL;
    for (size_t index = 0; index < 2 && api == NULL && modules != NULL; index++) {
        PyObject *module = PyDict_GetItemString(modules, places[index]);
        if (module != NULL && PyModule_Check(module))
            api = PyDict_GetItemString(PyModule_GetDict(module), "_ARRAY_API");
    }
    return api != NULL && PyCapsule_IsValid(api, NULL) ? PyCapsule_GetPointer(api, NULL) : NULL;
}

static unsigned features_of(void **numpy) { return ((unsigned (*)(void))(uintptr_t)numpy[API_FEATURE_VERSION])(); }

static PyObject *default_capsule(void **numpy) { return *(PyObject **)numpy[API_DEFAULT_HANDLER]; }

bool numpy_handler_is_there(void) {
    void **found = numpy_table();
    return found != NULL && (features_of(found) < FEATURES_OF_1_22 || default_capsule(found) != NULL);
}

static const void *object_of(uintptr_t address, const char **path) {
    Dl_info found = {.dli_fname = "?"};
    (void)dladdr((void *)address, &found);
    *path = found.dli_fname;
    return found.dli_fbase;
}

/* True: the default is as NumPy has made it. */
static bool has_own_functions(char *reason) {
    const NumpyAllocator *own = &handler->allocator;
    const uintptr_t functions[] = {(uintptr_t)own->malloc, (uintptr_t)own->calloc, (uintptr_t)own->realloc,
                                   (uintptr_t)own->free};
    const char *numpy_path, *path;
    const void *numpy_object = object_of((uintptr_t)table, &numpy_path);
    for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
        if (object_of(functions[index], &path) == numpy_object) continue;
        snprintf(reason, NUMPY_REASON_BYTES, "NumPy's default data handler has functions of %s", path);
        return false;
    }
    return true;
}

bool numpy_handler_is_taken(void) {
    const NumpyAllocator *own = &handler->allocator;
    return own->malloc == array_malloc && own->calloc == array_calloc && own->realloc == array_realloc &&
           own->free == array_free;
}

bool numpy_handler_find(char *reason) {
    table = numpy_table();
    if (features_of(table) < FEATURES_OF_1_22) {
        snprintf(reason, NUMPY_REASON_BYTES, "this NumPy has no data handler; 1.22 and newer ones have");
        return false;
    }
    handler = PyCapsule_GetPointer(default_capsule(table), HANDLER_CAPSULE);
    if (handler == NULL || strncmp(handler->name, DEFAULT_NAME, sizeof handler->name) != 0 || handler->version != 1) {
        PyErr_Clear();
        snprintf(reason, NUMPY_REASON_BYTES, "this NumPy has a default data handler that hakmem does not know");
        return false;
    }
    return numpy_handler_is_taken() || has_own_functions(reason);
}

bool numpy_handler_is_in_force(char *reason) {
    PyObject *(*get_handler)(void) = (PyObject * (*)(void))(uintptr_t)table[API_GET_HANDLER];
    PyObject *current = get_handler();
    bool is_default = current == default_capsule(table);
    if (current == NULL) {
        PyErr_Clear();
        snprintf(reason, NUMPY_REASON_BYTES, "NumPy does not tell its data handler");
    } else if (!is_default) {
        const NumpyHandler *other = PyCapsule_GetPointer(current, HANDLER_CAPSULE);
        PyErr_Clear();
        snprintf(reason, NUMPY_REASON_BYTES, "NumPy's data handler is '%.*s', which somebody else has set",
                 (int)sizeof other->name, other != NULL ? other->name : "?");
    }
    Py_XDECREF(current);
    return is_default;
}

void numpy_handler_request(void *unused) {
    enum { UNCACHED_BYTES = 2048 }; /* NumPy keeps a few of up to 1 KiB at hand */
    (void)unused;
    void *data = handler->allocator.malloc(handler->allocator.context, UNCACHED_BYTES);
    if (data != NULL) handler->allocator.free(handler->allocator.context, data, UNCACHED_BYTES);
}

/* ---- Taking it ---- */

/* Is `address` in a part of its object that stays writable? */
static int look_at_object(struct dl_phdr_info *object, size_t bytes, void *argument) {
    uintptr_t address = *(uintptr_t *)argument, offset = address - object->dlpi_addr;
    bool is_writable = false, is_protected = false;
    (void)bytes;
    for (size_t index = 0; index < object->dlpi_phnum; index++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[index];
        if (offset - part->p_vaddr >= part->p_memsz) continue;
        if (part->p_type == PT_LOAD && (part->p_flags & PF_W) != 0) is_writable = true;
        if (part->p_type == PT_GNU_RELRO) is_protected = true;
    }
    return is_writable && !is_protected;
}

/* As NumPy decides it when it is imported, and not where the user wants no huge pages at all. */
static bool huge_pages_are_wanted(void) {
    char value[64];
    const char *numpy_s = getenv("NUMPY_MADVISE_HUGEPAGE");
    if (numpy_s != NULL && strtol(numpy_s, NULL, 10) == 0) return false;
    if (core->option_get("thp", value, sizeof value) == 0 && strcmp(value, "never") == 0) return false;
    return core->option_get("system_calls", value, sizeof value) != 0 || strcmp(value, "plain") != 0;
}

/* NumPy asks for huge pages for zeros from 2.2 on. Before, a sparse array of zeros has the OS pages that were written
 * to. False: this NumPy is older, or does not say so. */
static bool zeros_get_huge_pages(void) {
    PyObject *version = PyDict_GetItemString(PyImport_GetModuleDict(), "numpy.version");
    PyObject *text = version != NULL ? PyObject_GetAttrString(version, "version") : NULL;
    const char *numbers = text != NULL && PyUnicode_Check(text) ? PyUnicode_AsUTF8(text) : NULL;
    unsigned major = 0, minor = 0;
    bool is_known = numbers != NULL && sscanf(numbers, "%u.%u", &major, &minor) == 2;
    Py_XDECREF(text);
    PyErr_Clear();
    return is_known && (major > 2 || (major == 2 && minor >= 2));
}

static bool can_be_changed(void) {
    uintptr_t place = (uintptr_t)handler;
    const char *path;
    return object_of(place, &path) == object_of((uintptr_t)table, &path) &&
           dl_iterate_phdr(look_at_object, &place) != 0;
}

/* The context stays. A request that another thread makes meanwhile finds functions that know the data of both. */
bool numpy_handler_take(const hak_core_t *serving_core, char *reason) {
    if (numpy_handler_is_taken()) return true;
    if (taken != NULL && taken != handler) { /* its arrays go back by `previous` */
        snprintf(reason, NUMPY_REASON_BYTES, "another copy of NumPy in this process is served");
        return false;
    }
    if (!can_be_changed()) {
        snprintf(reason, NUMPY_REASON_BYTES, "this NumPy's default data handler cannot be changed");
        return false;
    }
    core = serving_core;
    taken = handler;
    previous = handler->allocator;
    if (huge_pages_are_wanted()) {
        huge_pages_from_bytes = 2 * HUGE_PAGE_BYTES;
        if (zeros_get_huge_pages()) huge_zeros_from_bytes = huge_pages_from_bytes;
    }
    atomic_thread_fence(memory_order_seq_cst);
    handler->allocator.free = array_free;
    handler->allocator.realloc = array_realloc;
    handler->allocator.malloc = array_malloc;
    handler->allocator.calloc = array_calloc;
    return true;
}
