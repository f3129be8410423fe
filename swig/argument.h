/*
 * argument.h - what a script gave as an argument, and the errors where it cannot be meant; the same words in all languages.
 *
 * Included into the wrappers that SWIG generates (values.i). languages/NAME.h turns a value of the language into an Argument;
 * from there on all is the same. Thread rule: none; lives in one call.
 */
#ifndef HAKMEM_SWIG_ARGUMENT_H
#define HAKMEM_SWIG_ARGUMENT_H

#include <hakmem_control.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef enum ArgumentKind {
    ARGUMENT_MISSING, /* None, nil; in Tcl an empty one */
    ARGUMENT_TEXT,
    ARGUMENT_NUMBER, /* `text` has its digits */
    ARGUMENT_OTHER   /* a list, a table, ... */
} ArgumentKind;

typedef struct Argument {
    ArgumentKind kind;
    const char *text; /* NUL-terminated; of the script's value, or `digits` */
    size_t length;
    char digits[64];
} Argument;

static inline bool argument_refuse(hak_error_t *error, hak_error_code code, const char *what, const char *wrong,
                                   const char *wanted) {
    error->code = code;
    snprintf(error->message, sizeof error->message, "%s %s%s%s", what, wrong, wanted[0] == '\0' ? "" : " ", wanted);
    return false;
}

static inline bool argument_is_plain_text(const Argument *argument) { return strlen(argument->text) == argument->length; }

/* The name of an option: text. */
static inline bool argument_is_name(const Argument *argument, hak_error_t *error) {
    const char *what = "the name of an option";
    if (argument->kind == ARGUMENT_MISSING)
        return argument_refuse(error, HAK_ERROR_TYPE, what, "is missing; give", "text");
    if (argument->kind != ARGUMENT_TEXT) return argument_refuse(error, HAK_ERROR_TYPE, what, "must be", "text");
    if (!argument_is_plain_text(argument))
        return argument_refuse(error, HAK_ERROR_VALUE, what, "contains a NUL character", "");
    return true;
}

/* The value of option `name`: a number or text; the core knows which. */
static inline bool argument_is_value(const Argument *argument, const char *name, hak_error_t *error) {
    char what[128];
    const char *wanted = "a whole number or text";
    snprintf(what, sizeof what, "the value of option '%s'", name);
    if (argument->kind == ARGUMENT_MISSING)
        return argument_refuse(error, HAK_ERROR_TYPE, what, "is missing; give", wanted);
    if (argument->kind == ARGUMENT_OTHER) return argument_refuse(error, HAK_ERROR_TYPE, what, "must be", wanted);
    if (!argument_is_plain_text(argument))
        return argument_refuse(error, HAK_ERROR_VALUE, what, "contains a NUL character", "");
    return true;
}

/* Decimal digits only, up to 2^64 - 1. */
static inline bool argument_read_digits(const Argument *argument, uint64_t *number) {
    *number = 0;
    if (argument->length == 0) return false;
    for (size_t index = 0; index < argument->length; index++) {
        if (argument->text[index] < '0' || argument->text[index] > '9') return false;
        uint64_t digit = (uint64_t)(argument->text[index] - '0');
        if (*number > (UINT64_MAX - digit) / 10) return false;
        *number = *number * 10 + digit;
    }
    return true;
}

/* A number, or text that is one; `what` and `wanted` name it in the error. */
static inline bool argument_is_number(const Argument *argument, const char *what, const char *wanted, uint64_t *number,
                                      hak_error_t *error) {
    *number = 0;
    if (argument->kind == ARGUMENT_MISSING)
        return argument_refuse(error, HAK_ERROR_TYPE, what, "is missing; give", wanted);
    if (argument->kind == ARGUMENT_OTHER) return argument_refuse(error, HAK_ERROR_TYPE, what, "must be", wanted);
    if (argument_read_digits(argument, number)) return true;
    char wrong[128];
    snprintf(wrong, sizeof wrong, "is '%.80s'; give", argument->text);
    return argument_refuse(error, HAK_ERROR_VALUE, what, wrong, wanted);
}

static inline bool argument_is_flag(const Argument *argument, const char *what, int *flag, hak_error_t *error) {
    uint64_t number;
    if (!argument_is_number(argument, what, "0 or 1", &number, error)) return false;
    *flag = number != 0;
    if (number <= 1) return true;
    char wrong[64];
    snprintf(wrong, sizeof wrong, "is '%.40s'; give", argument->text);
    return argument_refuse(error, HAK_ERROR_VALUE, what, wrong, "0 or 1");
}

/* For languages/NAME.h. */
static inline void argument_set_text(Argument *argument, ArgumentKind kind, const char *text, size_t length) {
    argument->kind = kind;
    argument->text = text;
    argument->length = length;
}

/* A copy, cut where it is too long for any number that can be meant. */
static inline void argument_copy(Argument *argument, ArgumentKind kind, const char *text, size_t length) {
    size_t kept = length < sizeof argument->digits ? length : sizeof argument->digits - 1;
    memcpy(argument->digits, text, kept);
    argument->digits[kept] = '\0';
    argument_set_text(argument, kind, argument->digits, kept);
}

static inline void argument_set_kind(Argument *argument, ArgumentKind kind) { argument_set_text(argument, kind, "", 0); }

#endif
