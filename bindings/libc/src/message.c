/*
 * message.c - see message.h.
 *
 * Layer: bindings/libc, bottom. One system call, since a shell's children may share stderr: their lines do not mix.
 */
#include "message.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static struct iovec part_of(const char *text) { return (struct iovec){(void *)text, strlen(text)}; }

void message_print(const char *begin, const char *path, const char *end) {
    const struct iovec parts[] = {part_of(begin), part_of(path), part_of(end)};
    (void)!writev(STDERR_FILENO, parts, sizeof parts / sizeof *parts);
}
