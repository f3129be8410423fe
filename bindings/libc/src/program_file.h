/*
 * program_file.h - looks into a file that is to be executed: can the loader preload this library into it?
 *
 * Layer: bindings/libc, bottom. Thread rule: any thread, also one with a small stack, or a child made by vfork:
 * allocates nothing, locks nothing, and maps what it needs for its own time alone.
 */
#ifndef HAKMEM_LIBC_PROGRAM_FILE_H
#define HAKMEM_LIBC_PROGRAM_FILE_H

typedef enum ProgramKind {
    PROGRAM_ABSENT, /* it cannot be read, or is no program: the kernel says what is wrong */
    PROGRAM_STATIC,
    PROGRAM_PROTECTED, /* has rights of its own */
    PROGRAM_SANITIZED,
    PROGRAM_FOREIGN, /* for another machine, word size or C library */
    PROGRAM_SERVABLE
} ProgramKind;

/* A script is judged by the interpreter that its first line names; env, where it is that, is followed in its turn. */
ProgramKind program_file_kind(const char *path);

#endif
