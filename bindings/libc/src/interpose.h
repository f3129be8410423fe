/*
 * interpose.h - marks the functions that stand in for the C library's.
 *
 * Layer: bindings/libc, bottom.
 */
#ifndef HAKMEM_LIBC_INTERPOSE_H
#define HAKMEM_LIBC_INTERPOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The program and all its libraries see it; hakmem-malloc.map lists the names once more. */
#define INTERPOSE __attribute__((visibility("default")))

/* C23's, which older headers do not have. */
void free_sized(void *block, size_t size_bytes);
void free_aligned_sized(void *block, size_t alignment, size_t size_bytes);

#endif
