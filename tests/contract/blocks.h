/*
 * blocks.h - blocks with contents that tell whether one of them was lost, for the scenarios.
 */
#ifndef CONTRACT_BLOCKS_H
#define CONTRACT_BLOCKS_H

#include "runtime.h"

typedef struct Block {
    unsigned char *address;
    size_t bytes;
    unsigned char mark; /* its contents */
} Block;

/* Of 1 byte to over a million: of each kind that hakmem has. */
enum { SIZES = 30 };
size_t size_number(size_t index);

/* Makes a block and fills it. False: refused. */
bool block_make(const Runtime *runtime, Block *block, size_t bytes);

/* Fills a block that was made otherwise. */
void block_fill(Block *block, void *address, size_t bytes);

/* Requires the contents. */
void block_require(const Block *block);

/* Resizes, and requires that the contents stay, also where it is refused (false). */
bool block_resize(const Runtime *runtime, Block *block, size_t new_bytes);

void block_drop(const Runtime *runtime, Block *block);

/* Makes, grows, shrinks and drops blocks of all sizes; returns the number of refused requests. */
size_t blocks_work(const Runtime *runtime);

#endif
