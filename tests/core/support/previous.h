/*
 * support/previous.h - the allocator that a runtime had before hakmem's hooks: a few small blocks, each of which says
 * what was asked for it.
 *
 * A block is the caller's to look at from the request on, as an operation holds one of hakmem's (reference.h). Any
 * thread.
 */
#ifndef SUPPORT_PREVIOUS_H
#define SUPPORT_PREVIOUS_H

#include <hakmem_core.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PREVIOUS_BLOCKS = 48, PREVIOUS_BYTES_MAX = 1024 };

typedef enum PreviousState { PREVIOUS_EMPTY, PREVIOUS_LIVE, PREVIOUS_HELD } PreviousState;
typedef enum PreviousWay { PREVIOUS_MALLOC, PREVIOUS_CALLOC, PREVIOUS_REALLOC } PreviousWay;

typedef struct PreviousBlock {
    _Alignas(16) char memory[PREVIOUS_BYTES_MAX];
    size_t bytes; /* requested */
    uint64_t key; /* of its pattern */
    PreviousWay way;
    hak_hook_entry_t entry; /* whose function was asked last, also by a free */
    _Atomic int state;
} PreviousBlock;

/* No block, and none is refused that there is room for. */
void previous_reset(void);

/* Its functions for an entry. Each fails where it is asked with another entry's context. */
hak_hook_t previous_hook(hak_hook_entry_t entry);

/* The block at the address; NULL: it is none. */
PreviousBlock *previous_block_of(const void *address);

/* The live block nearest behind `wish`, and holds it; NULL: there is none. */
PreviousBlock *previous_hold(unsigned wish);
void previous_let_go(PreviousBlock *block);

/* Number of blocks that are not empty. */
unsigned previous_blocks(void);

/* The next `count` requests fail. */
void previous_refuse(unsigned count);

uint64_t previous_refusals(void);      /* so far, also for want of room */
uint64_t previous_frees_of_null(void); /* so far */

#endif
