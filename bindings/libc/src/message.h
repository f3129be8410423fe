/*
 * message.h - a line on stderr about a file, whose path is shown in ASCII.
 *
 * Layer: bindings/libc, bottom. Thread rule: any thread, also a child made by vfork. Allocates nothing.
 */
#ifndef HAKMEM_LIBC_MESSAGE_H
#define HAKMEM_LIBC_MESSAGE_H

void message_print(const char *begin, const char *path, const char *end);

#endif
