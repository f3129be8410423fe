/*
 * platform/misuse.c - see misuse.h.
 *
 * Layer: platform; above message.c and option.c. Thread rule: any thread.
 */
#include "platform/misuse.h"

#include <stdarg.h>

#include "platform/message.h"
#include "platform/option.h"
#include "platform/os.h"

void misuse_report(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    message_error_list(format, arguments);
    va_end(arguments);
    if (option_value(OPTION_ON_ERROR) == OPTION_ON_ERROR_ABORT) os_abort();
}
