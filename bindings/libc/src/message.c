/*
 * message.c - see message.h.
 *
 * Layer: bindings/libc, bottom. One system call, since a shell's children may share stderr: their lines do not mix.
 */
#include "message.h"

#include <limits.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static struct iovec part_of(const char *text) { return (struct iovec){(void *)text, strlen(text)}; }

/* A path is text from outside, and a terminal obeys control characters. */
static void make_printable(char *shown, size_t bytes, const char *path) {
    for (; *path != '\0' && bytes > 1; path++, bytes--) *shown++ = *path >= ' ' && *path <= '~' ? *path : '?';
    *shown = '\0';
}

void message_print(const char *begin, const char *path, const char *end) {
    char shown[PATH_MAX];
    make_printable(shown, sizeof shown, path);
    const struct iovec parts[] = {part_of(begin), part_of(shown), part_of(end)};
    (void)!writev(STDERR_FILENO, parts, sizeof parts / sizeof *parts);
}
