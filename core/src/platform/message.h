/*
 * platform/message.h - one-line messages on stderr, and a small formatter that never allocates.
 *
 * Layer: platform. No other file prints. Thread rule: any thread, any lock held; a line is one write. Errno is kept.
 */
#ifndef HAK_PLATFORM_MESSAGE_H
#define HAK_PLATFORM_MESSAGE_H

#include <stdarg.h>

#include "base/base.h"

#define MESSAGE_BYTES_MAX 512u /* of a line with its line break; longer ones are cut */

/* %s text, %q text in quotes, printable and cut when long, %d int64_t, %u uint64_t, %p address, %% percent. No
 * widths; an argument of another type is undefined behaviour. Cuts the text where the buffer ends and terminates it
 * by NUL, unless `text_bytes` is 0. Returns the length without the NUL. */
size_t message_format(char *text, size_t text_bytes, const char *format, ...);
size_t message_format_list(char *text, size_t text_bytes, const char *format, va_list arguments);

void message_warning(const char *format, ...); /* "hakmem: warning: ...\n" */
void message_error(const char *format, ...);   /* "hakmem: error: ...\n" */
void message_error_list(const char *format, va_list arguments);

/* HAK_ASSERT_OP in builds with HAKMEM_DEBUG_CHECKS: prints file, line, expression and both values, then aborts. */
_Noreturn void message_assert_failed(const char *file, int line, const char *expression, uint64_t left, uint64_t right);

#if HAK_DEBUG_CHECKS
#define HAK_ASSERT_OP(left, operation, right)                                                                  \
    do {                                                                                                       \
        uint64_t left_value = (uint64_t)(left), right_value = (uint64_t)(right);                               \
        if (HAK_UNLIKELY(!(left_value operation right_value)))                                                 \
            message_assert_failed(__FILE__, __LINE__, #left " " #operation " " #right, left_value, right_value); \
    } while (0)
#else
#define HAK_ASSERT_OP(left, operation, right) ((void)sizeof((uint64_t)(left) operation (uint64_t)(right)))
#endif
#define HAK_ASSERT(condition) HAK_ASSERT_OP(!!(condition), ==, 1)

#endif
