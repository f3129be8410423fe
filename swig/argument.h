/*
 * argument.h - checks a script's arguments, with the same error texts in all languages.
 *
 * Included into the wrappers that SWIG generates (values.i). languages/NAME.h turns a value of the language into an
 * Argument; the functions here do the rest. Thread rule: any thread; an Argument lives on the stack of one call.
 */
#ifndef HAKMEM_SWIG_ARGUMENT_H
#define HAKMEM_SWIG_ARGUMENT_H

#include <hakmem_control.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef enum ArgumentKind {
    ARGUMENT_MISSING, /* None, nil; in Tcl an empty text */
    ARGUMENT_TEXT,
    ARGUMENT_NUMBER, /* `text` is the number in decimal, or a word for one that is too long */
    ARGUMENT_OTHER   /* a list, a table, a float that is not whole, ... */
} ArgumentKind;

typedef struct Argument {
    ArgumentKind kind;
    const char *text; /* NUL-terminated: the memory of the script's value, or `copy` */
    size_t length;    /* in bytes, without the final NUL */
    bool has_nul;     /* a NUL character precedes the end, so that C would see a part of the text only */
    char copy[128];
} Argument;

/* ---- Checks: true, or false with `error` set; `what` names the argument and `wanted` what it should be ---- */

static inline bool argument_refuse(hak_error_t *error, hak_error_code code, const char *what, const char *wrong,
                                   const char *wanted) {
    error->code = code;
    snprintf(error->message, sizeof error->message, "%s %s%s%s", what, wrong, wanted[0] == '\0' ? "" : " ", wanted);
    return false;
}

static inline bool argument_is_control(uint32_t number) {
    return number < ' ' || (number >= 0x7F && number < 0xA0) || number == 0x061C || number == 0x200E ||
           number == 0x200F || (number >= 0x2028 && number <= 0x202E) || (number >= 0x2066 && number <= 0x2069) ||
           number == 0xFEFF;
}

/* The bytes of the UTF-8 letter at `text`; 0 where there is none that may be shown. */
static inline size_t argument_letter_bytes(const char *text) {
    static const uint32_t number_first[] = {0, 0, 0x80, 0x800, 0x10000}; /* of so many bytes */
    unsigned char lead = (unsigned char)text[0];
    if (lead < 0x80) return argument_is_control(lead) ? 0 : 1;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    uint32_t number = lead & (0x7Fu >> bytes);
    for (size_t index = 1; index < bytes; index++) {
        if (((unsigned char)text[index] & 0xC0) != 0x80) return 0;
        number = number << 6 | ((unsigned char)text[index] & 0x3F);
    }
    bool is_letter = number >= number_first[bytes] && number <= 0x10FFFF && (number < 0xD800 || number > 0xDFFF);
    return is_letter && !argument_is_control(number) ? bytes : 0;
}

/* A text for an error message, as the core's messages quote one (platform/message.c): control characters, and bytes
 * that are no UTF-8, become '?', and after 80 bytes "..." follows. */
typedef struct PrintableText {
    char text[84];
} PrintableText;

static inline PrintableText argument_printable(const char *text) {
    enum { PRINTED_BYTES_MAX = 80 };
    PrintableText printable = {""};
    for (size_t bytes = 0; text[bytes] != '\0';) {
        size_t letter = argument_letter_bytes(text + bytes), step = letter > 0 ? letter : 1;
        if (bytes + step > PRINTED_BYTES_MAX) {
            memcpy(printable.text + bytes, "...", sizeof "...");
            break;
        }
        memcpy(printable.text + bytes, letter > 0 ? text + bytes : "?", step);
        bytes += step;
    }
    return printable;
}

static inline bool argument_refuse_number(const Argument *argument, const char *what, const char *wanted,
                                          hak_error_t *error) {
    char wrong[128];
    snprintf(wrong, sizeof wrong, "is '%s'; give", argument_printable(argument->text).text);
    return argument_refuse(error, HAK_ERROR_VALUE, what, wrong, wanted);
}

static inline bool argument_refuse_nul(const char *what, hak_error_t *error) {
    return argument_refuse(error, HAK_ERROR_VALUE, what, "contains a NUL character", "");
}

/* The name of an option must be text. */
static inline bool argument_is_name(const Argument *argument, hak_error_t *error) {
    const char *what = "the name of an option";
    if (argument->kind == ARGUMENT_MISSING)
        return argument_refuse(error, HAK_ERROR_TYPE, what, "is missing; give", "text");
    if (argument->kind != ARGUMENT_TEXT) return argument_refuse(error, HAK_ERROR_TYPE, what, "must be", "text");
    return !argument->has_nul || argument_refuse_nul(what, error);
}

/* The value of option `name` must be a number or text; the core checks whether it suits the option. */
static inline bool argument_is_value(const Argument *argument, const char *name, hak_error_t *error) {
    char what[128];
    const char *wanted = "a whole number or text";
    snprintf(what, sizeof what, "the value of option '%s'", argument_printable(name).text);
    if (argument->kind == ARGUMENT_MISSING)
        return argument_refuse(error, HAK_ERROR_TYPE, what, "is missing; give", wanted);
    if (argument->kind == ARGUMENT_OTHER) return argument_refuse(error, HAK_ERROR_TYPE, what, "must be", wanted);
    return !argument->has_nul || argument_refuse_nul(what, error);
}

/* Reads decimal digits, up to 2^64 - 2: the core stores 2^64 - 1 for no limit. False: anything else. */
static inline bool argument_read_digits(const Argument *argument, uint64_t *number) {
    *number = 0;
    if (argument->length == 0) return false;
    for (size_t index = 0; index < argument->length; index++) {
        if (argument->text[index] < '0' || argument->text[index] > '9') return false;
        uint64_t digit = (uint64_t)(argument->text[index] - '0');
        if (*number > (UINT64_MAX - 1 - digit) / 10) return false;
        *number = *number * 10 + digit;
    }
    return true;
}

/* A number, or text that consists of its digits. */
static inline bool argument_is_number(const Argument *argument, const char *what, const char *wanted, uint64_t *number,
                                      hak_error_t *error) {
    *number = 0;
    if (argument->kind == ARGUMENT_MISSING)
        return argument_refuse(error, HAK_ERROR_TYPE, what, "is missing; give", wanted);
    if (argument->kind == ARGUMENT_OTHER) return argument_refuse(error, HAK_ERROR_TYPE, what, "must be", wanted);
    if (argument->has_nul) return argument_refuse_nul(what, error);
    if (argument_read_digits(argument, number)) return true;
    return argument_refuse_number(argument, what, wanted, error);
}

static inline bool argument_is_flag(const Argument *argument, const char *what, int *flag, hak_error_t *error) {
    uint64_t number;
    if (!argument_is_number(argument, what, "0 or 1", &number, error)) return false;
    *flag = number != 0;
    return number <= 1 || argument_refuse_number(argument, what, "0 or 1", error);
}

/* ---- For languages/NAME.h ---- */

static inline void argument_set_text(Argument *argument, ArgumentKind kind, const char *text, size_t length) {
    argument->kind = kind;
    argument->text = text;
    argument->length = length;
    argument->has_nul = strlen(text) != length;
}

/* For text whose memory may go before the call ends. Cut at the size of `copy`: no valid number or name is longer. */
static inline void argument_copy(Argument *argument, ArgumentKind kind, const char *text, size_t length) {
    size_t kept = length < sizeof argument->copy ? length : sizeof argument->copy - 1;
    memcpy(argument->copy, text, kept);
    argument->copy[kept] = '\0';
    argument_set_text(argument, kind, argument->copy, kept);
}

static inline void argument_set_kind(Argument *argument, ArgumentKind kind) {
    argument_set_text(argument, kind, "", 0);
}

/* A whole float is taken as an integer, any other is ARGUMENT_OTHER. */
static inline void argument_set_float(Argument *argument, double number) {
    char digits[24];
    double size = number < 0 ? -number : number;
    if (!(size < 18446744073709551616.0) || (double)(uint64_t)size != size) {
        argument_set_kind(argument, ARGUMENT_OTHER);
        return;
    }
    int length = snprintf(digits, sizeof digits, "%s%llu", number < 0 ? "-" : "", (unsigned long long)size);
    argument_copy(argument, ARGUMENT_NUMBER, digits, (size_t)length);
}

#endif
