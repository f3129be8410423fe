/*
 * support/pattern.c - one byte of the pattern is a function of the key and of its offset.
 */
#include "support/pattern.h"

enum { DENSE_BYTES = 4096, STRIDE_BYTES = 1024 };

static uint8_t byte_at(uint64_t key, size_t offset) {
    uint64_t mixed = (key ^ offset >> 3) * 0x9E3779B97F4A7C15u;
    return (uint8_t)(mixed >> (8 * (offset % 8)));
}

static size_t next_offset(size_t offset, size_t bytes) {
    bool is_dense = bytes <= DENSE_BYTES || offset < 64 || offset >= bytes - 64;
    if (is_dense) return offset + 1;
    size_t next = (offset / STRIDE_BYTES + 1) * STRIDE_BYTES;
    return next < bytes - 64 ? next : bytes - 64;
}

void pattern_fill(void *block, size_t bytes, uint64_t key) {
    uint8_t *memory = block;
    for (size_t offset = 0; offset < bytes; offset = next_offset(offset, bytes)) memory[offset] = byte_at(key, offset);
}

bool pattern_holds_prefix(const void *block, size_t bytes, size_t filled_bytes, uint64_t key) {
    const uint8_t *memory = block;
    for (size_t offset = 0; offset < bytes && offset < filled_bytes; offset = next_offset(offset, filled_bytes))
        if (memory[offset] != byte_at(key, offset)) return false;
    return true;
}

bool pattern_holds(const void *block, size_t bytes, uint64_t key) {
    return pattern_holds_prefix(block, bytes, bytes, key);
}

bool pattern_is_zero(const void *block, size_t bytes) {
    const uint8_t *memory = block;
    for (size_t offset = 0; offset < bytes; offset++)
        if (memory[offset] != 0) return false;
    return true;
}
