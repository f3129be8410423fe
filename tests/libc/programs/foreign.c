/*
 * foreign.c - blocks of the C library's own malloc come to free, realloc and malloc_usable_size.
 *
 *     foreign
 */
#include <malloc.h>
#include <string.h>

#include "check.h"

extern void *__libc_malloc(size_t bytes);

void free_sized(void *block, size_t bytes) __attribute__((weak)); /* glibc's from 2.43 on */

int main(void) {
    for (size_t bytes = 1; bytes < 1000000; bytes *= 7) {
        free(hidden(__libc_malloc(bytes)));
        char *block = hidden(__libc_malloc(bytes));
        memset(block, 5, bytes);
        REQUIRE(malloc_usable_size(block) >= bytes);
        block = realloc(block, 3 * bytes);
        REQUIRE(block != NULL && block[0] == 5 && block[bytes - 1] == 5);
        block = realloc(block, bytes);
        free(block);
        if (free_sized != NULL) free_sized(hidden(__libc_malloc(bytes)), bytes);
    }
    return 0;
}
