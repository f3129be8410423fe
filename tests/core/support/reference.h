/*
 * support/reference.h - what an exact allocator would say: every live block with its pattern, and the accounts of
 * heaps.
 *
 * A reference belongs to one thread at a time. What all references of the process hold together is what hakmem's stats
 * must show once the threads are quiet.
 */
#ifndef SUPPORT_REFERENCE_H
#define SUPPORT_REFERENCE_H

#include <hakmem.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REFERENCE_BLOCKS = 2048, REFERENCE_HEAPS = 4 };

/* Has the soft limit refused since the heap was below it? Where a heap was refused while below, or the limits changed,
 * hakmem.h leaves it open. */
typedef enum SoftLimit { SOFT_FRESH, SOFT_REFUSED, SOFT_OPEN } SoftLimit;

typedef struct ReferenceHeap {
    hak_heap_t *handle; /* NULL: there is none */
    bool is_private, is_align_8;
    SoftLimit soft;
    hak_heap_stats_t expected;
} ReferenceHeap;

/* Which entry points made a block and may resize it. */
typedef enum ReferenceKind { REFERENCE_C, REFERENCE_OBJECT, REFERENCE_ALIGN_8, REFERENCE_OF_HEAP } ReferenceKind;

typedef struct ReferenceBlock {
    char *address; /* NULL: the slot is empty */
    size_t bytes, usable_bytes;
    uint64_t key;
    ReferenceKind kind;
    ReferenceHeap *heap; /* REFERENCE_OF_HEAP only */
} ReferenceBlock;

typedef struct Reference {
    ReferenceBlock blocks[REFERENCE_BLOCKS];
    ReferenceHeap heaps[REFERENCE_HEAPS];
    uint64_t next_key, live_blocks, live_bytes;
} Reference;

/* A new block of `bytes` at `address`, filled with its pattern from here on. `heap` NULL: none. */
void reference_enter(Reference *reference, ReferenceBlock *slot, void *address, size_t bytes, ReferenceKind kind,
                     ReferenceHeap *heap);

/* The block is about to be freed: its pattern holds, its size is what it was; the slot is empty. Returns its
 * address. */
void *reference_leave(Reference *reference, ReferenceBlock *slot);

/* The block is now at `address`, with `bytes`; what it kept of its contents holds. */
void reference_resize(Reference *reference, ReferenceBlock *slot, void *address, size_t bytes);

/* A heap was made; the account that hakmem keeps of it is a block, too. */
void reference_heap_enter(Reference *reference, ReferenceHeap *heap, hak_heap_t *handle,
                          const hak_heap_options_t *options);

/* The heap is about to be destroyed: a private one takes its blocks along, those of another live on. Returns its
 * handle. */
hak_heap_t *reference_heap_leave(Reference *reference, ReferenceHeap *heap);

/* The heap was asked to grow by so much, and did or did not: is that right? Notes the refusal. */
bool reference_heap_agrees(ReferenceHeap *heap, uint64_t more_bytes, bool is_refused);

void reference_heap_limits(ReferenceHeap *heap, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);

/* Every pattern holds, no two blocks overlap, every account is as hakmem says. */
void reference_check(Reference *reference);

/* The stats are what these references hold, and hak_check finds nothing. While other threads are quiet. */
void reference_check_stats(Reference *const *references, size_t count);

#endif
