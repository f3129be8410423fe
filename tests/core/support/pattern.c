/*
 * support/pattern.c - each word of the pattern is a function of the key and of its offset.
 */
#include "support/pattern.h"

#include <hakmem.h>
#include <string.h>

#include "support/require.h"

enum { DENSE_BYTES = 4096, STRIDE_BYTES = 1024, END_BYTES = 64, WORD_BYTES = 8 };
enum { DENSE_BYTES_OF_FEW = 1024 };

/* Words that follow each other differ by WORD_STEP, which a compiler adds in several at once. */
#define WORD_STEP 0xD6E8FEB86659FD93u

static uint64_t word_at(uint64_t key, size_t offset) {
    return key * 0x9E3779B97F4A7C15u + offset / WORD_BYTES * WORD_STEP;
}

static uint8_t byte_at(uint64_t key, size_t offset) {
    uint64_t word = word_at(key, offset);
    return ((const uint8_t *)&word)[offset % WORD_BYTES];
}

/* A part that is written without gaps. */
typedef struct Part {
    size_t start, end;
} Part;

/* The part behind `last` of a block of `bytes`; the first one has `last` {0, 0}. */
static Part next_part(Part last, size_t bytes, size_t stride_bytes) {
    if (bytes <= (stride_bytes == STRIDE_BYTES ? DENSE_BYTES : DENSE_BYTES_OF_FEW)) return (Part){last.end, bytes};
    if (last.end == 0) return (Part){0, END_BYTES};
    size_t start = (last.start / stride_bytes + 1) * stride_bytes;
    return start + WORD_BYTES < bytes - END_BYTES ? (Part){start, start + 1} : (Part){bytes - END_BYTES, bytes};
}

static void fill_part(uint8_t *memory, Part part, uint64_t key) {
    size_t offset = part.start;
    for (; offset < part.end && offset % WORD_BYTES != 0; offset++) memory[offset] = byte_at(key, offset);
    uint64_t word = word_at(key, offset);
    for (; offset + WORD_BYTES <= part.end; offset += WORD_BYTES, word += WORD_STEP)
        memcpy(memory + offset, &word, sizeof word);
    for (; offset < part.end; offset++) memory[offset] = byte_at(key, offset);
}

static bool part_holds(const uint8_t *memory, Part part, uint64_t key) {
    size_t offset = part.start;
    for (; offset < part.end && offset % WORD_BYTES != 0; offset++)
        if (memory[offset] != byte_at(key, offset)) return false;
    uint64_t word = word_at(key, offset), difference = 0, have;
    for (; offset + WORD_BYTES <= part.end; offset += WORD_BYTES, word += WORD_STEP) {
        memcpy(&have, memory + offset, sizeof have);
        difference |= have ^ word;
    }
    if (difference != 0) return false;
    for (; offset < part.end; offset++)
        if (memory[offset] != byte_at(key, offset)) return false;
    return true;
}

/* ---- Many parts, or few ---- */

static void fill(void *block, size_t bytes, uint64_t key, size_t stride_bytes) {
    for (Part part = {0, 0}; part.end < bytes;) {
        part = next_part(part, bytes, stride_bytes);
        fill_part(block, part, key);
    }
}

static bool holds(const void *block, size_t bytes, size_t filled_bytes, uint64_t key, size_t stride_bytes) {
    for (Part part = {0, 0}; part.end < filled_bytes;) {
        part = next_part(part, filled_bytes, stride_bytes);
        if (part.start >= bytes) break;
        Part kept = {part.start, part.end < bytes ? part.end : bytes};
        if (!part_holds(block, kept, key)) return false;
    }
    return true;
}

void pattern_fill(void *block, size_t bytes, uint64_t key) { fill(block, bytes, key, STRIDE_BYTES); }

bool pattern_holds_prefix(const void *block, size_t bytes, size_t filled_bytes, uint64_t key) {
    return holds(block, bytes, filled_bytes, key, STRIDE_BYTES);
}

bool pattern_holds(const void *block, size_t bytes, uint64_t key) {
    return pattern_holds_prefix(block, bytes, bytes, key);
}

char *pattern_block(size_t bytes, uint64_t key) {
    char *block = hak_malloc(bytes);
    REQUIRE(block != NULL);
    pattern_fill(block, bytes, key);
    return block;
}

char *pattern_dirty_block(size_t bytes, uint64_t key) {
    char *block = hak_malloc(bytes);
    REQUIRE(block != NULL);
    memset(block, 0xEE, bytes);
    pattern_fill(block, bytes, key);
    return block;
}

/* Each part is another OS page, which the kernel has to clear. */
static size_t few_stride_bytes(size_t bytes) {
    enum { PARTS = 3, OS_PAGE_BYTES = 4096 };
    return (bytes / PARTS / OS_PAGE_BYTES + 1) * OS_PAGE_BYTES;
}

void pattern_fill_few(void *block, size_t bytes, uint64_t key, void (*on_write)(const void *address, size_t bytes)) {
    for (Part part = {0, 0}; part.end < bytes;) {
        part = next_part(part, bytes, few_stride_bytes(bytes));
        if (on_write != NULL) on_write((char *)block + part.start, part.end - part.start);
        fill_part(block, part, key);
    }
}

bool pattern_few_hold_prefix(const void *block, size_t bytes, size_t filled_bytes, uint64_t key) {
    return holds(block, bytes, filled_bytes, key, few_stride_bytes(filled_bytes));
}

/* ---- Zero ---- */

bool pattern_is_zero(const void *block, size_t bytes) {
    const uint8_t *memory = block;
    size_t offset = 0;
    for (uint64_t word; offset + sizeof word <= bytes; offset += sizeof word) {
        memcpy(&word, memory + offset, sizeof word);
        if (word != 0) return false;
    }
    for (; offset < bytes; offset++)
        if (memory[offset] != 0) return false;
    return true;
}

bool pattern_few_are_zero(const void *block, size_t bytes) {
    enum { OS_PAGE_BYTES = 4096, DENSE_PAGES = 16, PAGES = 64 };
    const char *memory = block;
    if (bytes <= DENSE_PAGES * OS_PAGE_BYTES) return pattern_is_zero(block, bytes);
    size_t step_bytes = (bytes / PAGES / OS_PAGE_BYTES + 1) * OS_PAGE_BYTES;
    for (size_t offset = 0; offset < bytes - END_BYTES; offset += step_bytes)
        if (!pattern_is_zero(memory + offset, END_BYTES)) return false;
    return pattern_is_zero(memory + bytes - END_BYTES, END_BYTES);
}
