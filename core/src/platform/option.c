/*
 * platform/option.c - parses, checks and names option values.
 *
 * Layer: platform. No other file reads the environment. Does not act on options. Thread rule: see option.h.
 */
#include "platform/option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/message.h"

_Atomic int64_t option_values[OPTION_COUNT];
_Atomic bool option_is_set[OPTION_COUNT];

static const hak_option_info_t option_rows[OPTION_COUNT] = {
#define ROW(name, NAME, kind, default_value, minimum, maximum, choices, unit, at_start, help) \
    {#name, "HAKMEM_" #NAME, kind, default_value, minimum, maximum, choices, unit, help, at_start},
    OPTION_TABLE(ROW)
#undef ROW
};

typedef struct FormerName {
    const char *name, *variable;
    OptionIndex index;
} FormerName;

static const FormerName former_names[] = {
#define ROW(former_name, FORMER_NAME, NAME) {#former_name, "HAKMEM_" #FORMER_NAME, OPTION_##NAME},
    OPTION_FORMER_NAMES(ROW)
#undef ROW
};

enum { FORMER_NAME_COUNT = sizeof former_names / sizeof former_names[0] };
static _Atomic bool has_warned_of[FORMER_NAME_COUNT];

const hak_option_info_t *option_info(size_t index) { return index < OPTION_COUNT ? &option_rows[index] : NULL; }

/* ---- Text to number ---- */

static int parse_integer(const hak_option_info_t *row, const char *text, int64_t *value) {
    bool negative = *text == '-';
    uint64_t magnitude = 0;
    if (negative) text++;
    if (*text == '\0') return EINVAL;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return EINVAL;
        unsigned digit = (unsigned)(*text - '0');
        if (magnitude > ((uint64_t)INT64_MAX - digit) / 10) return ERANGE;
        magnitude = magnitude * 10 + digit;
    }
    *value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return *value < row->minimum || *value > row->maximum ? ERANGE : 0;
}

/* The index, in a comma-separated list, of a word of `length` letters; -1: it is not in it. */
static int64_t choice_index(const char *choices, const char *word, size_t length) {
    int64_t index = 0;
    for (;;) {
        size_t choice_length = strcspn(choices, ",");
        if (choice_length == length && memcmp(choices, word, length) == 0) return index;
        if (choices[choice_length] == '\0') return -1;
        choices += choice_length + 1;
        index++;
    }
}

static int parse_value(const hak_option_info_t *row, const char *text, int64_t *value) {
    if (row->kind == HAK_OPTION_INTEGER) return parse_integer(row, text, value);
    if (row->kind == HAK_OPTION_CHOICE) {
        *value = choice_index(row->choices, text, strlen(text));
        return *value < 0 ? EINVAL : 0;
    }
    *value = 0;
    for (;;) {
        size_t length = strcspn(text, ",");
        int64_t index = choice_index(row->choices, text, length);
        if (index < 0) return EINVAL;
        *value |= (int64_t)1 << index;
        if (text[length] == '\0') return 0;
        text += length + 1;
    }
}

static void describe_allowed(const hak_option_info_t *row, char *text, size_t text_bytes) {
    if (row->kind == HAK_OPTION_INTEGER)
        message_format(text, text_bytes, "a whole number from %d to %d", row->minimum, row->maximum);
    else
        message_format(text, text_bytes, row->kind == HAK_OPTION_CHOICE ? "one of %s" : "some of %s", row->choices);
}

/* ---- Names ---- */

static void warn_of_former_name(size_t number, const char *former, const char *now) {
    if (!atomic_exchange_explicit(&has_warned_of[number], true, memory_order_relaxed))
        message_warning("%s is called %s now; the former name works until hakmem 0.3.0", former, now);
}

/* Accepts former names. -1: there is no such option. */
static int64_t row_of_name(const char *name) {
    for (size_t index = 0; index < OPTION_COUNT; index++)
        if (strcmp(option_rows[index].name, name) == 0) return (int64_t)index;
    for (size_t number = 0; number < FORMER_NAME_COUNT; number++) {
        const FormerName *former = &former_names[number];
        if (strcmp(former->name, name) != 0) continue;
        warn_of_former_name(number, former->name, option_rows[former->index].name);
        return former->index;
    }
    return -1;
}

/* Levenshtein distance; UINT32_MAX where `right` has more than LONGEST letters. */
static unsigned edit_distance(const char *left, const char *right) {
    enum { LONGEST = 40 };
    unsigned row[LONGEST + 1];
    size_t right_length = strlen(right);
    if (right_length > LONGEST) return UINT32_MAX;
    for (size_t column = 0; column <= right_length; column++) row[column] = (unsigned)column;
    for (size_t line = 0; left[line] != '\0'; line++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)line + 1;
        for (size_t column = 1; column <= right_length; column++) {
            unsigned replaced = diagonal + (left[line] != right[column - 1]);
            unsigned shorter = row[column - 1] < row[column] ? row[column - 1] : row[column];
            diagonal = row[column];
            row[column] = replaced < shorter + 1 ? replaced : shorter + 1;
        }
    }
    return row[right_length];
}

static bool contains(const char *name, const char *part) { return strlen(part) > 2 && strstr(name, part) != NULL; }

/* The option nearest to `name`, in any case and with or without HAKMEM_: at most a third of the letters differ, or
 * `name` contains, or is contained in, the name of exactly one option. -1: there is none. */
static int64_t row_meant(const char *name) {
    char lower[64] = "";
    const char *wrong = lower;
    size_t parts = 0;
    int64_t nearest = -1, part = -1;
    unsigned nearest_distance = UINT32_MAX;
    for (size_t length = 0; name[length] != '\0' && length + 1 < sizeof lower; length++)
        lower[length] = (char)(name[length] >= 'A' && name[length] <= 'Z' ? name[length] - 'A' + 'a' : name[length]);
    if (strncmp(lower, "hakmem_", strlen("hakmem_")) == 0) wrong += strlen("hakmem_");
    for (int64_t index = 0; index < OPTION_COUNT; index++) {
        const char *right = option_rows[index].name;
        unsigned distance = edit_distance(wrong, right);
        if (distance <= strlen(right) / 3 && distance < nearest_distance) {
            nearest = index;
            nearest_distance = distance;
        }
        if (contains(right, wrong) || contains(wrong, right)) {
            part = index;
            parts++;
        }
    }
    return nearest < 0 && parts == 1 ? part : nearest;
}

static void report_unknown_variable(const char *variable, size_t length) {
    char name[64];
    message_format(name, length + 1 < sizeof name ? length + 1 : sizeof name, "%s", variable);
    int64_t meant = row_meant(name);
    if (meant < 0)
        message_warning("%s is not an option and is ignored; 'hakmem options' lists them", name);
    else
        message_warning("%s is not an option and is ignored; the nearest is %s", name, option_rows[meant].variable);
}

/* ---- Start ---- */

static void read_variable(size_t index, const char *variable) {
    const hak_option_info_t *row = &option_rows[index];
    const char *text = getenv(variable);
    int64_t value;
    char allowed[128];
    if (text == NULL) return;
    if (parse_value(row, text, &value) == 0) {
        STORE_RELAXED(option_values[index], value);
        STORE_RELAXED(option_is_set[index], true);
        return;
    }
    describe_allowed(row, allowed, sizeof allowed);
    message_warning("%s=%s is not %s; %s is used instead", variable, text, allowed, row->default_value);
}

/* A variable of the present name overrides one of a former name. */
static void read_former_variables(void) {
    for (size_t number = 0; number < FORMER_NAME_COUNT; number++) {
        const FormerName *former = &former_names[number];
        const char *variable = option_rows[former->index].variable;
        if (getenv(former->variable) == NULL) continue;
        if (getenv(variable) != NULL) {
            message_warning("%s is ignored: it is called %s now, which is set, too", former->variable, variable);
            continue;
        }
        warn_of_former_name(number, former->variable, variable);
        read_variable(former->index, former->variable);
    }
}

static bool variable_is_known(const char *variable, size_t length) {
    for (size_t index = 0; index < OPTION_COUNT; index++)
        if (strlen(option_rows[index].variable) == length && memcmp(option_rows[index].variable, variable, length) == 0)
            return true;
    for (size_t number = 0; number < FORMER_NAME_COUNT; number++) {
        const char *former = former_names[number].variable;
        if (strlen(former) == length && memcmp(former, variable, length) == 0) return true;
    }
    return false;
}

extern char **environ;

void option_initialize(void) {
    for (size_t index = 0; index < OPTION_COUNT; index++) {
        int64_t value = 0;
        (void)parse_value(&option_rows[index], option_rows[index].default_value, &value);
        STORE_RELAXED(option_values[index], value);
        read_variable(index, option_rows[index].variable);
    }
    read_former_variables();
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        size_t length = strcspn(*entry, "=");
        if (strncmp(*entry, "HAKMEM_", 7) == 0 && !variable_is_known(*entry, length))
            report_unknown_variable(*entry, length);
    }
}

/* ---- At run time ---- */

int option_get(const char *name, char *value, size_t value_bytes) {
    if (name == NULL || value == NULL) return EINVAL;
    int64_t index = row_of_name(name);
    if (index < 0) return ENOENT;
    const hak_option_info_t *row = &option_rows[index];
    int64_t number = option_value((OptionIndex)index);
    char text[64];
    size_t used = 0;
    if (row->kind == HAK_OPTION_INTEGER) {
        used = message_format(text, sizeof text, "%d", number);
    } else {
        const char *choice = row->choices;
        for (int64_t choice_number = 0;; choice_number++) {
            size_t length = strcspn(choice, ",");
            bool is_chosen = row->kind == HAK_OPTION_CHOICE ? choice_number == number
                                                            : ((number >> choice_number) & 1) != 0;
            if (is_chosen) {
                if (used > 0) text[used++] = ',';
                memcpy(text + used, choice, length);
                used += length;
            }
            if (choice[length] == '\0') break;
            choice += length + 1;
        }
        text[used] = '\0';
    }
    if (used + 1 > value_bytes) return ERANGE;
    memcpy(value, text, used + 1);
    return 0;
}

int option_set(const char *name, const char *value, char *message, size_t message_bytes) {
    char allowed[128];
    if (message == NULL) message_bytes = 0;
    if (name == NULL || value == NULL) {
        message_format(message, message_bytes, "the %s of an option is missing; give it as text",
                       name == NULL ? "name" : "value");
        return EINVAL;
    }
    int64_t index = row_of_name(name);
    if (index < 0) {
        int64_t meant = row_meant(name);
        if (meant < 0)
            message_format(message, message_bytes, "there is no option %q; options() lists them", name);
        else
            message_format(message, message_bytes, "there is no option %q; the nearest is '%s'", name,
                           option_rows[meant].name);
        return ENOENT;
    }
    const hak_option_info_t *row = &option_rows[index];
    int64_t number = 0;
    int error = parse_value(row, value, &number);
    if (error != 0) {
        describe_allowed(row, allowed, sizeof allowed);
        message_format(message, message_bytes, "option %q is not set: %q is not %s", name, value, allowed);
        return error;
    }
    if (row->at_start_only) {
        message_format(message, message_bytes, "option %q is read once at the start; set %s=%s in the environment",
                       name, row->variable, value);
        return EPERM;
    }
    STORE_RELAXED(option_values[index], number);
    STORE_RELAXED(option_is_set[index], true);
    return 0;
}
