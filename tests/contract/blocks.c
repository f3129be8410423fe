/*
 * blocks.c - see blocks.h.
 */
#include "blocks.h"

#include <string.h>

#include "../require.h"
#include "core_table.h"

size_t size_number(size_t index) {
    size_t bytes = 1;
    while (index-- > 0) bytes += bytes * 3 / 5 + 1;
    return bytes;
}

void block_fill(Block *block, void *address, size_t bytes) {
    static _Atomic unsigned char next_mark;
    *block = (Block){address, bytes, ++next_mark};
    memset(address, block->mark, bytes);
}

bool block_make(const Runtime *runtime, Block *block, size_t bytes) {
    void *address = runtime->make(bytes);
    *block = (Block){NULL, 0, 0};
    if (address != NULL) block_fill(block, address, bytes);
    return address != NULL;
}

void block_require(const Block *block) {
    REQUIRE(block->bytes == 0 || block->address[0] == block->mark);
    REQUIRE(block->bytes < 2 || memcmp(block->address, block->address + 1, block->bytes - 1) == 0);
}

bool block_resize(const Runtime *runtime, Block *block, size_t new_bytes) {
    unsigned char *resized = runtime->resize(block->address, block->bytes, new_bytes);
    if (resized != NULL) {
        block->address = resized;
        if (new_bytes < block->bytes) block->bytes = new_bytes;
    }
    block_require(block);
    if (resized == NULL) return false;
    block->bytes = new_bytes;
    memset(resized, block->mark, new_bytes);
    return true;
}

void block_drop(const Runtime *runtime, Block *block) {
    if (block->address == NULL) return;
    block_require(block);
    runtime->drop(block->address, block->bytes);
    block->address = NULL;
}

size_t blocks_work(const Runtime *runtime) {
    Block blocks[SIZES];
    size_t refused = 0;
    for (size_t index = 0; index < SIZES; index++) refused += !block_make(runtime, &blocks[index], size_number(index));
    for (size_t index = 0; index < SIZES; index++) {
        if (blocks[index].address == NULL) continue;
        size_t bytes = blocks[index].bytes;
        refused += !block_resize(runtime, &blocks[index], bytes * 2);
        bool is_ours = core_owns(blocks[index].address);
        bool is_shrunk = block_resize(runtime, &blocks[index], bytes / 2 + 1);
        REQUIRE(is_shrunk || !is_ours); /* some runtimes end where that is refused */
        refused += !is_shrunk;
    }
    for (size_t index = 0; index < SIZES; index += 2) block_drop(runtime, &blocks[index]);
    for (size_t index = 1; index < SIZES; index += 2) block_drop(runtime, &blocks[index]);
    return refused;
}
