/*
 * platform/message.c - formats and writes one line at a time, without malloc and without stdio.
 *
 * Layer: platform. Does not decide what is an error. Thread rule: any thread.
 */
#include "platform/message.h"

#include "platform/os.h"

typedef struct TextBuffer {
    char *text;
    size_t used, capacity;
} TextBuffer;

static void text_put(TextBuffer *buffer, char letter) {
    if (buffer->used + 1 < buffer->capacity) buffer->text[buffer->used++] = letter;
}

static void text_put_string(TextBuffer *buffer, const char *string) {
    if (string == NULL) string = "(null)";
    while (*string != '\0') text_put(buffer, *string++);
}

/* What a terminal obeys as it does an escape, or by which a line looks like another one: control characters, also of
 * the second set, and those that end a line or change the direction of what follows. */
static bool is_control(uint32_t number) {
    return number < ' ' || (number >= 0x7F && number < 0xA0) || number == 0x061C || number == 0x200E ||
           number == 0x200F || (number >= 0x2028 && number <= 0x202E) || (number >= 0x2066 && number <= 0x2069) ||
           number == 0xFEFF;
}

/* The bytes of the UTF-8 letter at `text`. 0: a control character, or no UTF-8: also what is longer than it need be, in
 * which another reader may see a control character. */
static size_t letter_bytes(const char *text) {
    enum { LEAD_2 = 0xC2, LEAD_3 = 0xE0, LEAD_4 = 0xF0, LEAD_LAST = 0xF4, NUMBER_LAST = 0x10FFFF };
    static const uint32_t number_first[] = {0, 0, 0x80, 0x800, 0x10000}; /* of so many bytes */
    unsigned char lead = (unsigned char)text[0];
    if (lead < 0x80) return is_control(lead) ? 0 : 1;
    if (lead < LEAD_2 || lead > LEAD_LAST) return 0;
    size_t bytes = lead >= LEAD_4 ? 4 : lead >= LEAD_3 ? 3 : 2;
    uint32_t number = lead & (0x7Fu >> bytes);
    for (size_t index = 1; index < bytes; index++) {
        if (((unsigned char)text[index] & 0xC0) != 0x80) return 0;
        number = number << 6 | ((unsigned char)text[index] & 0x3F);
    }
    bool is_letter = number >= number_first[bytes] && number <= NUMBER_LAST && (number < 0xD800 || number > 0xDFFF);
    return is_letter && !is_control(number) ? bytes : 0;
}

/* A value from outside may contain line breaks and terminal escapes; a message is one line of text. Replaces each byte
 * that is no part of a letter. */
static void make_printable(char *text, size_t bytes) {
    for (size_t index = 0, letter; index < bytes; index += letter > 0 ? letter : 1) {
        letter = letter_bytes(text + index);
        if (letter == 0) text[index] = '?';
    }
}

/* The length of `string`, or that of its longest prefix of SHOWN_BYTES_MAX bytes that cuts no UTF-8 letter. */
static size_t shown_bytes(const char *string) {
    enum { SHOWN_BYTES_MAX = 80 };
    size_t shown = 0;
    while (shown < SHOWN_BYTES_MAX && string[shown] != '\0') shown++;
    if (string[shown] == '\0') return shown;
    while (shown > 0 && ((unsigned char)string[shown] & 0xC0) == 0x80) shown--;
    return shown;
}

/* A long text is cut, so that the rest of the message fits into MESSAGE_BYTES_MAX. */
static void text_put_quoted(TextBuffer *buffer, const char *string) {
    size_t shown = shown_bytes(string);
    size_t before = buffer->used + 1;
    text_put(buffer, '\'');
    for (size_t index = 0; index < shown; index++) text_put(buffer, string[index]);
    if (buffer->capacity > 0) buffer->text[buffer->used] = '\0';
    if (buffer->used > before) make_printable(buffer->text + before, buffer->used - before);
    text_put_string(buffer, string[shown] == '\0' ? "'" : "...'");
}

static void text_put_number(TextBuffer *buffer, uint64_t number, unsigned base) {
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    while (count > 0) text_put(buffer, digits[--count]);
}

size_t message_format_list(char *text, size_t text_bytes, const char *format, va_list arguments) {
    TextBuffer buffer = {text, 0, text_bytes};
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            text_put(&buffer, *format);
            continue;
        }
        switch (*++format) {
        case 's': text_put_string(&buffer, va_arg(arguments, const char *)); break;
        case 'q': text_put_quoted(&buffer, va_arg(arguments, const char *)); break;
        case 'u': text_put_number(&buffer, va_arg(arguments, uint64_t), 10); break;
        case 'd': {
            int64_t value = va_arg(arguments, int64_t);
            if (value < 0) text_put(&buffer, '-');
            text_put_number(&buffer, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
            break;
        }
        case 'p':
            text_put_string(&buffer, "0x");
            text_put_number(&buffer, (uint64_t)(uintptr_t)va_arg(arguments, const void *), 16);
            break;
        default: text_put(&buffer, *format); break;
        }
    }
    if (text_bytes > 0) text[buffer.used] = '\0';
    return buffer.used;
}

size_t message_format(char *text, size_t text_bytes, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t length = message_format_list(text, text_bytes, format, arguments);
    va_end(arguments);
    return length;
}

static void message_line(const char *prefix, const char *format, va_list arguments) {
    char line[MESSAGE_BYTES_MAX];
    size_t length = message_format(line, sizeof line - 1, "hakmem: %s: ", prefix);
    length += message_format_list(line + length, sizeof line - 1 - length, format, arguments);
    make_printable(line, length);
    line[length] = '\n';
    os_write_error(line, length + 1);
}

void message_warning(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    message_line("warning", format, arguments);
    va_end(arguments);
}

void message_error_list(const char *format, va_list arguments) { message_line("error", format, arguments); }

void message_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    message_error_list(format, arguments);
    va_end(arguments);
}

void message_assert_failed(const char *file, int line, const char *expression, uint64_t left, uint64_t right) {
    message_error("%s:%u: broken: %s (left %u, right %u); please report this", file, (uint64_t)line, expression, left,
                  right);
    os_abort();
}
