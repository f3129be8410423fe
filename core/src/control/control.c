/*
 * control/control.c - the functions of hakmem_control.h.
 *
 * Layer: control. Checks arguments, words errors, and calls the core that serves, through its table. Thread rule: any
 * thread.
 */
#include <hakmem_control.h>

#include <errno.h>
#include <string.h>

#include "control/figures.h"
#include "control/json.h"
#include "platform/message.h"
#include "platform/option.h"

/* ---- Errors ---- */

static int set_error(hak_error_t *error, hak_error_code code, const char *format, ...) {
    if (error == NULL) return (int)code;
    va_list arguments;
    va_start(arguments, format);
    error->code = code;
    (void)message_format_list(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return (int)code;
}

static int no_error(hak_error_t *error) { return set_error(error, HAK_ERROR_NONE, ""); }

static int missing(hak_error_t *error, const char *what) {
    return set_error(error, HAK_ERROR_TYPE, "%s is missing", what);
}

static int missing_in(const hak_visitor_t *visitor, hak_error_t *error) {
    if (visitor == NULL) return missing(error, "the visitor");
    const char *what = visitor->begin_map == NULL    ? "begin_map of the visitor"
                       : visitor->end_map == NULL    ? "end_map of the visitor"
                       : visitor->begin_list == NULL ? "begin_list of the visitor"
                       : visitor->end_list == NULL   ? "end_list of the visitor"
                       : visitor->count == NULL      ? "count of the visitor"
                       : visitor->text == NULL       ? "text of the visitor"
                       : visitor->flag == NULL       ? "flag of the visitor"
                       : visitor->none == NULL       ? "none of the visitor"
                                                     : NULL;
    return what == NULL ? 0 : missing(error, what);
}

static int missing_name(hak_error_t *error) {
    return set_error(error, HAK_ERROR_TYPE, "the name of an option is missing; give text");
}

/* The core that serves this process. NULL: HAK_ERROR_CORE, and `error` is set. */
static const hak_core_t *serving(hak_error_t *error) {
    char message[HAK_CORE_MESSAGE_BYTES] = "";
    const hak_core_t *core = hak_core(message, sizeof message);
    if (core == NULL) (void)set_error(error, HAK_ERROR_CORE, "%s", message);
    return core;
}

const char *hak_control_version(void) {
    const hak_core_t *core = serving(NULL);
    return core == NULL ? hak_version() : core->library_version;
}

/* ---- Options ---- */

static hak_error_code code_of_option_error(int error) {
    return error == ENOENT ? HAK_ERROR_NAME : error == EPERM ? HAK_ERROR_AT_START : HAK_ERROR_VALUE;
}

static int set_option(const hak_core_t *core, const char *name, const char *value, hak_error_t *error) {
    char message[HAK_ERROR_MESSAGE_BYTES] = "";
    int code = core->option_set(name, value, message, sizeof message);
    return code == 0 ? no_error(error) : set_error(error, code_of_option_error(code), "%s", message);
}

/* The present name of an option that has a former one; else `name`. */
static const char *present_name(const char *name) {
#define ROW(former_name, FORMER_NAME, NAME) \
    if (strcmp(name, #former_name) == 0) return option_info(OPTION_##NAME)->name;
    OPTION_FORMER_NAMES(ROW)
#undef ROW
    return name;
}

static const hak_option_info_t *find_option(const hak_core_t *core, const char *name) {
    const hak_option_info_t *row;
    for (size_t index = 0; (row = core->option_info(index)) != NULL; index++)
        if (strcmp(row->name, name) == 0) break;
    return row;
}

int hak_control_option_get(const char *name, hak_option_value_t *value, hak_error_t *error) {
    if (value == NULL) return missing(error, "the place for the value");
    memset(value, 0, sizeof *value);
    if (name == NULL) return missing_name(error);
    const hak_core_t *core = serving(error);
    if (core == NULL) return HAK_ERROR_CORE;
    const hak_option_info_t *row = find_option(core, present_name(name));
    if (row == NULL || core->option_get(name, value->text, sizeof value->text) != 0)
        return set_option(core, name, "", error); /* fails; its message names the nearest option */
    value->is_number = figures_option_is_number(row);
    if (value->is_number) value->number = figures_number_of_text(value->text);
    return no_error(error);
}

int hak_control_option_set(const char *name, const char *value, hak_error_t *error) {
    if (name == NULL) return missing_name(error);
    if (value == NULL)
        return set_error(error, HAK_ERROR_TYPE, "the value of option %q is missing; give a whole number or text", name);
    const hak_core_t *core = serving(error);
    return core == NULL ? HAK_ERROR_CORE : set_option(core, name, value, error);
}

/* ---- Answers, item by item or as JSON ---- */

typedef void (*VisitDocument)(const hak_core_t *core, const Figures *figures, const hak_visitor_t *visitor);

static void visit_options_document(const hak_core_t *core, const Figures *figures, const hak_visitor_t *visitor) {
    (void)figures;
    visitor->begin_map(visitor->context, NULL);
    visitor->count(visitor->context, "version", HAK_STATS_VERSION);
    figures_visit_options(core, "options", visitor);
    visitor->end_map(visitor->context, NULL);
}

static void visit_stats_document(const hak_core_t *core, const Figures *figures, const hak_visitor_t *visitor) {
    visitor->begin_map(visitor->context, NULL);
    figures_visit(figures, visitor);
    figures_visit_heaps(core, "heaps", visitor);
    visitor->end_map(visitor->context, NULL);
}

/* The first pass measures. Another one follows whenever the text has outgrown its buffer, since heaps may be made
 * between two passes. NULL: no memory. */
static char *json_of(const hak_core_t *core, const Figures *figures, VisitDocument visit) {
    enum { SPARE_BYTES = 1024 };
    size_t capacity = 0;
    for (char *text = NULL;;) {
        Json json;
        json_begin(&json, text, capacity);
        hak_visitor_t visitor = json_visitor(&json);
        visit(core, figures, &visitor);
        if (json.needed < capacity) return text;
        core->free(text);
        capacity = json.needed + SPARE_BYTES;
        text = core->malloc(capacity);
        if (text == NULL) return NULL;
    }
}

static int put_json(const hak_core_t *core, const Figures *figures, VisitDocument visit, char **text,
                    hak_error_t *error) {
    int saved = errno;
    *text = json_of(core, figures, visit);
    errno = saved;
    return *text == NULL ? set_error(error, HAK_ERROR_MEMORY, "no memory for the text") : no_error(error);
}

int hak_control_options(const hak_visitor_t *visitor, hak_error_t *error) {
    if (missing_in(visitor, error) != 0) return HAK_ERROR_TYPE;
    const hak_core_t *core = serving(error);
    if (core == NULL) return HAK_ERROR_CORE;
    figures_visit_options(core, NULL, visitor);
    return no_error(error);
}

int hak_control_options_json(char **text, hak_error_t *error) {
    if (text == NULL) return missing(error, "the place for the text");
    *text = NULL;
    const hak_core_t *core = serving(error);
    return core == NULL ? HAK_ERROR_CORE : put_json(core, NULL, visit_options_document, text, error);
}

int hak_control_stats(const hak_visitor_t *visitor, hak_error_t *error) {
    if (missing_in(visitor, error) != 0) return HAK_ERROR_TYPE;
    const hak_core_t *core = serving(error);
    if (core == NULL) return HAK_ERROR_CORE;
    Figures figures;
    figures_take(core, &figures);
    visitor->begin_map(visitor->context, NULL);
    figures_visit(&figures, visitor);
    visitor->end_map(visitor->context, NULL);
    return no_error(error);
}

int hak_control_stats_json(char **text, hak_error_t *error) {
    if (text == NULL) return missing(error, "the place for the text");
    *text = NULL;
    const hak_core_t *core = serving(error);
    if (core == NULL) return HAK_ERROR_CORE;
    Figures figures;
    figures_take(core, &figures);
    return put_json(core, &figures, visit_stats_document, text, error);
}

int hak_control_trim(uint64_t *given_back_bytes, hak_error_t *error) {
    if (given_back_bytes == NULL) return missing(error, "the place for the bytes");
    *given_back_bytes = 0;
    const hak_core_t *core = serving(error);
    if (core == NULL) return HAK_ERROR_CORE;
    *given_back_bytes = core->trim();
    return no_error(error);
}

void hak_control_text_free(char *text) {
    const hak_core_t *core = text == NULL ? NULL : serving(NULL);
    if (core != NULL) core->free(text);
}

/* ---- Heaps by number ---- */

static int heap_result(int result, uint64_t number, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes,
                       hak_error_t *error) {
    if (result == 0) return no_error(error);
    if (result == ENOENT) return set_error(error, HAK_ERROR_NAME, "there is no heap %u; heap_new makes one", number);
    if (result == ENOMEM) return set_error(error, HAK_ERROR_MEMORY, "no memory for a heap");
    return set_error(error, HAK_ERROR_VALUE,
                     "the soft limit %u is above the hard limit %u; give soft <= hard, or 0 for none", soft_limit_bytes,
                     hard_limit_bytes);
}

int hak_control_heap_new(uint64_t soft_limit_bytes, uint64_t hard_limit_bytes, int is_private, uint64_t *number,
                         hak_error_t *error) {
    if (number == NULL) return missing(error, "the place for the number of the heap");
    *number = 0;
    if (is_private != 0 && is_private != 1)
        return set_error(error, HAK_ERROR_VALUE, "is_private is %d; give 0 or 1", (int64_t)is_private);
    const hak_core_t *core = serving(error);
    if (core == NULL) return HAK_ERROR_CORE;
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = (uint32_t)is_private;
    options.soft_limit_bytes = soft_limit_bytes;
    options.hard_limit_bytes = hard_limit_bytes;
    return heap_result(core->heap_id_new(&options, number), 0, soft_limit_bytes, hard_limit_bytes, error);
}

int hak_control_heap_destroy(uint64_t number, hak_error_t *error) {
    const hak_core_t *core = serving(error);
    return core == NULL ? HAK_ERROR_CORE : heap_result(core->heap_id_destroy(number), number, 0, 0, error);
}

int hak_control_heap_set_limit(uint64_t number, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes,
                               hak_error_t *error) {
    const hak_core_t *core = serving(error);
    if (core == NULL) return HAK_ERROR_CORE;
    int result = core->heap_id_set_limit(number, soft_limit_bytes, hard_limit_bytes);
    return heap_result(result, number, soft_limit_bytes, hard_limit_bytes, error);
}

int hak_control_heap_stats(uint64_t number, const hak_visitor_t *visitor, hak_error_t *error) {
    if (missing_in(visitor, error) != 0) return HAK_ERROR_TYPE;
    const hak_core_t *core = serving(error);
    if (core == NULL) return HAK_ERROR_CORE;
    return heap_result(figures_visit_heap(core, number, visitor) ? 0 : ENOENT, number, 0, 0, error);
}

int hak_control_heaps(const hak_visitor_t *visitor, hak_error_t *error) {
    if (missing_in(visitor, error) != 0) return HAK_ERROR_TYPE;
    const hak_core_t *core = serving(error);
    if (core == NULL) return HAK_ERROR_CORE;
    figures_visit_heaps(core, NULL, visitor);
    return no_error(error);
}

hak_heap_t *hak_control_heap(uint64_t number) {
    const hak_core_t *core = serving(NULL);
    return core == NULL ? NULL : core->heap_id_heap(number);
}
