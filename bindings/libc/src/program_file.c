/*
 * program_file.c - see program_file.h.
 *
 * Layer: bindings/libc, bottom.
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
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_BYTES = 2048, SCRIPTS_MAX = 4 };

/* The loader of this process, as its program file names it; "" where it cannot be told. */
static const char *own_loader = "";

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden"))); /* of this library, by the linker */

void program_file_begin(void) {
    const ElfW(Phdr) *header = (const ElfW(Phdr) *)getauxval(AT_PHDR), *first = header;
    size_t count = getauxval(AT_PHNUM);
    uintptr_t base = 0;
    for (size_t index = 0; header != NULL && index < count; index++, header++) {
        if (header->p_type == PT_PHDR) base = (uintptr_t)first - header->p_vaddr;
        if (header->p_type == PT_INTERP) own_loader = (const char *)(base + header->p_vaddr);
    }
}

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

static bool has_own_loader(int file, const ElfW(Ehdr) * elf) {
    char loader[PATH_MAX];
    for (size_t index = 0; index < elf->e_phnum; index++) {
        ElfW(Phdr) header;
        off_t offset = (off_t)(elf->e_phoff + index * elf->e_phentsize);
        if (pread(file, &header, sizeof header, offset) != (ssize_t)sizeof header) return false;
        if (header.p_type != PT_INTERP) continue;
        if (header.p_filesz > sizeof loader) return false;
        ssize_t length = pread(file, loader, header.p_filesz, (off_t)header.p_offset);
        return length > 0 && loader[length - 1] == '\0' && strcmp(loader, own_loader) == 0;
    }
    return false;
}

/* `head` is the beginning of the file, and, where it is a script, becomes the path of its interpreter. */
static ProgramKind kind_of_open_file(int file, char *head, bool *is_script) {
    struct stat status;
    ssize_t length = pread(file, head, HEAD_BYTES - 1, 0);
    if (length < 2 || fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return PROGRAM_ABSENT;
    head[length] = '\0';
    *is_script = take_interpreter(head);
    if (*is_script) return PROGRAM_ABSENT;
    ElfW(Ehdr) header;
    if ((size_t)length < sizeof header || memcmp(head, ELFMAG, SELFMAG) != 0) return PROGRAM_ABSENT;
    memcpy(&header, head, sizeof header);
    bool has_own_rights = (status.st_mode & (S_ISUID | S_ISGID)) != 0;
    if (has_own_rights || !is_for_this_machine(&header) || !has_own_loader(file, &header)) return PROGRAM_UNSERVABLE;
    return PROGRAM_SERVABLE;
}

ProgramKind program_file_kind(const char *path) {
    char head[HEAD_BYTES];
    for (int scripts = 0; scripts <= SCRIPTS_MAX; scripts++) {
        bool is_script = false;
        int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (file < 0) return PROGRAM_ABSENT;
        ProgramKind kind = kind_of_open_file(file, head, &is_script);
        close(file);
        if (!is_script) return kind;
        path = head;
    }
    return PROGRAM_ABSENT;
}
