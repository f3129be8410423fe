/*
 * platform/linux/os_vdso.c - see os_vdso.h.
 *
 * Layer: platform. Thread rule: any thread.
 *
 * The formats are those of elf(5), and for the GNU hash table of glibc's loader. A kernel has one of the two hash
 * tables, or both. The symbols' versions are not looked at: a vDSO has one symbol of a name.
 */
#include "platform/linux/os_vdso.h"

#include <elf.h>
#include <link.h>
#include <string.h>

/* Addresses in this process. NULL: the image has none. */
typedef struct Tables {
    uintptr_t offset; /* of an address in this process from that in the image */
    const ElfW(Sym) * symbols;
    const char *names;
    const uint32_t *hash, *gnu_hash;
} Tables;

static Tables tables_of(uintptr_t offset, const ElfW(Dyn) * entry) {
    Tables tables = {.offset = offset};
    for (; entry->d_tag != DT_NULL; entry++) {
        const void *address = (const void *)(offset + entry->d_un.d_ptr);
        if (entry->d_tag == DT_SYMTAB) tables.symbols = address;
        if (entry->d_tag == DT_STRTAB) tables.names = address;
        if (entry->d_tag == DT_HASH) tables.hash = address;
        if (entry->d_tag == DT_GNU_HASH) tables.gnu_hash = address;
    }
    return tables;
}

/* Its first segment has the ELF header at its begin. */
static Tables tables_in(uintptr_t image) {
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)image;
    const ElfW(Phdr) *segment = (const ElfW(Phdr) *)(image + header->e_phoff);
    const ElfW(Phdr) *load = NULL, *dynamic = NULL;
    for (unsigned left = header->e_phnum; left > 0; left--, segment++) {
        if (segment->p_type == PT_LOAD && load == NULL) load = segment;
        if (segment->p_type == PT_DYNAMIC) dynamic = segment;
    }
    if (load == NULL || dynamic == NULL) return (Tables){0};
    uintptr_t offset = image + load->p_offset - load->p_vaddr;
    return tables_of(offset, (const ElfW(Dyn) *)(offset + dynamic->p_vaddr));
}

/* 0: the symbol has another name, or is not defined here. */
static uintptr_t address_if_named(const Tables *tables, uint32_t index, const char *name) {
    const ElfW(Sym) *symbol = &tables->symbols[index];
    bool is_it = symbol->st_shndx != SHN_UNDEF && strcmp(tables->names + symbol->st_name, name) == 0;
    return is_it ? tables->offset + symbol->st_value : 0;
}

/* That table has as many chain words as there are symbols; these are few. */
static uintptr_t find_in_all(const Tables *tables, const char *name) {
    uint32_t symbols = tables->hash[1];
    uintptr_t address = 0;
    for (uint32_t index = 0; address == 0 && index < symbols; index++) address = address_if_named(tables, index, name);
    return address;
}

/* This one does not say how many symbols there are. A bucket has the index of its first symbol, or 0; the lowest bit of
 * a chain word is set where the bucket ends. */
static uintptr_t find_by_gnu_hash(const Tables *tables, const char *name) {
    const uint32_t *table = tables->gnu_hash;
    uint32_t bucket_count = table[0], first_index = table[1], bloom_words = table[2], hash = 5381;
    const uint32_t *buckets = table + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof *table);
    const uint32_t *chain = buckets + bucket_count;
    for (const char *letter = name; *letter != '\0'; letter++) hash = hash * 33 + (unsigned char)*letter;
    uint32_t index = bucket_count == 0 ? 0 : buckets[hash % bucket_count];
    if (index < first_index || index == 0) return 0;
    for (;; index++) {
        uintptr_t address = address_if_named(tables, index, name);
        if (address != 0 || (chain[index - first_index] & 1) != 0) return address;
    }
}

uintptr_t os_vdso_find(uintptr_t image, const char *name) {
    Tables tables = image != 0 ? tables_in(image) : (Tables){0};
    if (tables.symbols == NULL || tables.names == NULL) return 0;
    if (tables.gnu_hash != NULL) return find_by_gnu_hash(&tables, name);
    return tables.hash != NULL ? find_in_all(&tables, name) : 0;
}
