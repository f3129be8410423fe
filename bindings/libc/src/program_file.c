/*
 * program_file.c - see program_file.h.
 *
 * Layer: bindings/libc, bottom. hakmem-exec and the package hakmem (elf_file.py) judge by the same rules;
 * tests/python/test_judged_files.py holds the three together.
 */
#define _GNU_SOURCE
#include "program_file.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { HEAD_BYTES = 2048, SCRIPTS_MAX = 4, PART_BYTES = 1 << 16, SANITIZER_BYTES_MAX = 32 };

/* What is read of a file: too much for a thread's stack. */
typedef struct Contents {
    char head[HEAD_BYTES]; /* the beginning, and, where it is a script, the path of its interpreter */
    char loader[PATH_MAX];
    char part[PART_BYTES];
} Contents;

#ifdef __GLIBC__
static const bool library_is_for_musl = false;
#else
static const bool library_is_for_musl = true;
#endif

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden"))); /* of this library, by the linker */

/* Puts what follows #! into `head`, up to the first blank. False: the file is no script. */
static bool take_interpreter(char *head) {
    if (head[0] != '#' || head[1] != '!') return false;
    const char *word = head + 2 + strspn(head + 2, " \t");
    size_t length = strcspn(word, " \t\n");
    memmove(head, word, length);
    head[length] = '\0';
    return true;
}

static bool is_for_this_machine(const ElfW(Ehdr) * header) {
    return header->e_ident[EI_CLASS] == __ehdr_start.e_ident[EI_CLASS] &&
           header->e_ident[EI_DATA] == __ehdr_start.e_ident[EI_DATA] && header->e_machine == __ehdr_start.e_machine;
}

/* Into a program that gives its user more rights the loader preloads nothing. */
static bool gives_rights(int file, const struct stat *status) {
    bool is_of_other_user = (status->st_mode & S_ISUID) != 0 && status->st_uid != getuid();
    bool is_of_other_group = (status->st_mode & S_ISGID) != 0 && (status->st_mode & S_IXGRP) != 0;
    if (is_of_other_user || (is_of_other_group && status->st_gid != getgid())) return true;
    return getuid() != 0 && fgetxattr(file, "security.capability", NULL, 0) > 0;
}

static ProgramKind kind_by_loader(int file, const ElfW(Ehdr) * elf, Contents *contents) {
    char *loader = contents->loader;
    for (size_t index = 0; index < elf->e_phnum; index++) {
        ElfW(Phdr) header;
        off_t offset = (off_t)(elf->e_phoff + index * elf->e_phentsize);
        if (pread(file, &header, sizeof header, offset) != (ssize_t)sizeof header) return PROGRAM_ABSENT;
        if (header.p_type != PT_INTERP) continue;
        size_t bytes = header.p_filesz < PATH_MAX ? header.p_filesz : PATH_MAX - 1;
        ssize_t length = pread(file, loader, bytes, (off_t)header.p_offset);
        if (length < 0) return PROGRAM_ABSENT;
        loader[length] = '\0';
        return (strstr(loader, "ld-musl") != NULL) == library_is_for_musl ? PROGRAM_SERVABLE : PROGRAM_FOREIGN;
    }
    return PROGRAM_STATIC;
}

/* Are the `bytes` bytes before `end` those of `word`? */
static bool ends_with(const char *begin, const char *end, const char *word, size_t bytes) {
    return (size_t)(end - begin) >= bytes && memcmp(end - bytes, word, bytes) == 0;
}

/* Does the name of a symbol that every sanitizer has stand alone, between two NULs, in this range? The parts that are
 * read overlap by a name. */
static bool has_sanitizer_name(int file, off_t begin, off_t end, char *part) {
    static const char rest[] = "san_init"; /* with the NUL */
    static const struct {
        char word[8];
        size_t bytes;
    } starts[] = {{"\0__a", 4}, {"\0__t", 4}, {"\0__m", 4}, {"\0__hwa", 6}};
    ssize_t length;
    for (off_t offset = begin; offset < end; offset += length - SANITIZER_BYTES_MAX) {
        size_t wanted = end - offset < PART_BYTES ? (size_t)(end - offset) : PART_BYTES;
        if ((length = pread(file, part, wanted, offset)) <= 0) return false;
        for (char *at = part; (at = memmem(at, (size_t)(part + length - at), rest, sizeof rest)) != NULL; at++)
            for (size_t index = 0; index < sizeof starts / sizeof *starts; index++)
                if (ends_with(part, at, starts[index].word, starts[index].bytes)) return true;
        if (length <= SANITIZER_BYTES_MAX) return false;
    }
    return false;
}

/* A sanitizer ends its program where another malloc was preloaded. Names of symbols are in string tables; a file that
 * has no table of its sections is searched as a whole. */
static bool has_sanitizer(int file, const ElfW(Ehdr) * elf, off_t file_bytes, char *part) {
    ElfW(Shdr) section;
    if (elf->e_shnum == 0 || elf->e_shentsize != sizeof section) return has_sanitizer_name(file, 0, file_bytes, part);
    for (size_t index = 0; index < elf->e_shnum; index++) {
        off_t offset = (off_t)(elf->e_shoff + index * sizeof section);
        if (pread(file, &section, sizeof section, offset) != (ssize_t)sizeof section) return false;
        off_t begin = (off_t)section.sh_offset;
        if (section.sh_type != SHT_STRTAB || begin < 0 || begin > file_bytes) continue;
        off_t end = section.sh_size < (size_t)(file_bytes - begin) ? begin + (off_t)section.sh_size : file_bytes;
        if (has_sanitizer_name(file, begin, end, part)) return true;
    }
    return false;
}

static ProgramKind kind_of_open_file(int file, Contents *contents, bool *is_script) {
    char *head = contents->head;
    struct stat status;
    ssize_t length = pread(file, head, HEAD_BYTES - 1, 0);
    if (length < 2 || fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return PROGRAM_ABSENT;
    head[length] = '\0';
    *is_script = take_interpreter(head);
    if (*is_script) return PROGRAM_ABSENT;
    ElfW(Ehdr) header;
    if ((size_t)length < sizeof header || memcmp(head, ELFMAG, SELFMAG) != 0) return PROGRAM_ABSENT;
    memcpy(&header, head, sizeof header);
    if (!is_for_this_machine(&header)) return PROGRAM_FOREIGN;
    if (gives_rights(file, &status)) return PROGRAM_PROTECTED;
    ProgramKind kind = kind_by_loader(file, &header, contents);
    bool is_sanitized = kind == PROGRAM_SERVABLE && has_sanitizer(file, &header, status.st_size, contents->part);
    return is_sanitized ? PROGRAM_SANITIZED : kind;
}

static ProgramKind kind_of_path(const char *path, Contents *contents) {
    for (int scripts = 0; scripts <= SCRIPTS_MAX; scripts++) {
        bool is_script = false;
        int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (file < 0) return PROGRAM_ABSENT;
        ProgramKind kind = kind_of_open_file(file, contents, &is_script);
        close(file);
        if (!is_script) return kind;
        path = contents->head;
    }
    return PROGRAM_ABSENT;
}

/* Without memory for that it is not looked at, and runs as it is. */
ProgramKind program_file_kind(const char *path) {
    Contents *contents = mmap(NULL, sizeof *contents, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (contents == MAP_FAILED) return PROGRAM_ABSENT;
    ProgramKind kind = kind_of_path(path, contents);
    (void)munmap(contents, sizeof *contents);
    return kind;
}
