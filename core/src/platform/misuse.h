/*
 * platform/misuse.h - a program uses the allocator wrongly: one line, and the end of the process if the option says so.
 *
 * Layer: platform. Thread rule: as message.h.
 */
#ifndef HAK_PLATFORM_MISUSE_H
#define HAK_PLATFORM_MISUSE_H

#include "base/base.h"

/* Prints the error in the format of message_format, then aborts unless the option on_error is `report`. */
void misuse_report(const char *format, ...);

#endif
