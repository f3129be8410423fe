/* other_malloc.c - an allocator that never frees. */
#include <stddef.h>

static _Alignas(16) char memory[1 << 20];
static size_t used;

void *malloc(size_t bytes) {
    void *block = memory + used;
    used += (bytes + 15) / 16 * 16;
    return used <= sizeof memory ? block : NULL;
}

void free(void *block) { (void)block; }

void *calloc(size_t count, size_t bytes) { return malloc(count * bytes); }

void *realloc(void *block, size_t bytes) {
    char *moved = malloc(bytes);
    for (size_t offset = 0; block != NULL && moved != NULL && offset < bytes; offset++)
        moved[offset] = ((char *)block)[offset];
    return moved;
}
