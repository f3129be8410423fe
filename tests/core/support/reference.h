/*
 * support/reference.h - what an exact allocator would say: every live block with its pattern, and the accounts of
 * heaps.
 *
 * Operations find a block, or room for one, nearest to a wish, so that almost every operand means something. A block
 * that an operation works on is held meanwhile: the machine may go on with another thread, which does not find it.
 */
#ifndef SUPPORT_REFERENCE_H
#define SUPPORT_REFERENCE_H

#include <hakmem.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/sizes.h"

enum { REFERENCE_BLOCKS = 2048, REFERENCE_HEAPS = 6 };

/* Has the soft limit refused since the heap was below it, with room for what was refused? Where a heap was refused
 * while below, or the limits changed, hakmem.h leaves it open. */
typedef enum SoftLimit { SOFT_FRESH, SOFT_REFUSED, SOFT_OPEN } SoftLimit;

typedef struct ReferenceHeap {
    hak_heap_t *handle; /* NULL: there is none */
    uint64_t number;    /* of hak_control_heap_new; 0: made by hak_heap_new */
    size_t made_bytes;  /* that it adds to live_bytes without a block */
    unsigned made_blocks;
    bool is_held;
    unsigned sharers; /* threads that use it at the same time, while it is not held */
    bool was_shared;  /* by two at once: the peak is that of one order of their requests */
    bool is_private;
    SizesAlignment alignment;
    SoftLimit soft;
    uint64_t awaited_bytes; /* of the request refused softly, until a later one came; 0: none */
    hak_heap_stats_t expected;
} ReferenceHeap;

typedef struct ReferenceBlock {
    char *address; /* NULL: no block */
    size_t bytes, usable_bytes;
    uint64_t key;
    SizesAlignment alignment; /* of the entry points that made it and may resize it */
    ReferenceHeap *heap;      /* NULL: of none */
} ReferenceBlock;

typedef struct Reference {
    ReferenceBlock blocks[REFERENCE_BLOCKS];
    uint64_t live[REFERENCE_BLOCKS / 64], empty[REFERENCE_BLOCKS / 64]; /* bit i for blocks[i]; neither: held */
    ReferenceHeap heaps[REFERENCE_HEAPS];
    uint64_t next_key, live_blocks, live_bytes;
    uint64_t passed_requests, passed_bytes, served_bytes; /* as hak_stats_t has them */
    bool is_all_counted;                                  /* these three are of the whole process */
    void (*on_write)(const void *address, size_t bytes);  /* before a block is written to; NULL: nothing */
    bool is_inexact;      /* a fork has lost threads in the middle of an operation: more may live */
    bool may_keep_caches; /* those of threads that a clone has lost */
    bool has_late_lines;  /* a free block was written to, which is reported when it serves again */
} Reference;

/* Nothing lives; `on_write` stays. */
void reference_reset(Reference *reference);

/* ---- Blocks ---- */

/* The live block, or the empty place, nearest behind `wish`, and holds it; NULL: there is none. */
ReferenceBlock *reference_hold_live(Reference *reference, unsigned wish);
ReferenceBlock *reference_hold_empty(Reference *reference, unsigned wish);

/* The same for the live blocks of one heap. */
ReferenceBlock *reference_hold_live_of(Reference *reference, const ReferenceHeap *heap, unsigned wish);

/* The end of holding, when nothing has changed. */
void reference_let_go_live(Reference *reference, ReferenceBlock *block);
void reference_let_go_empty(Reference *reference, ReferenceBlock *block);

/* A new block of `bytes` at `address`, filled with its pattern from here on; its size is that of sizes.h. `heap`
 * NULL: of none. No longer held. */
void reference_enter(Reference *reference, ReferenceBlock *block, void *address, size_t bytes, SizesAlignment alignment,
                     ReferenceHeap *heap);

/* As reference_enter, for a block whose size class is not the smallest one for `bytes`. */
void reference_enter_larger(Reference *reference, ReferenceBlock *block, void *address, size_t bytes);

/* The held block is about to be freed: its pattern holds, its size is what it was. Returns its address; no longer
 * held. */
void *reference_leave(Reference *reference, ReferenceBlock *block);

/* The held block was freed by the core, which has copied it. No longer held. */
void reference_is_gone(Reference *reference, ReferenceBlock *block);

/* The held block is now at `address`, with `bytes`; what it kept of its contents holds. No longer held. */
void reference_resize(Reference *reference, ReferenceBlock *block, void *address, size_t bytes);

/* ---- Heaps ---- */

/* Those nearest behind `wish`: a heap, held; room for one, held. NULL: there is none. */
ReferenceHeap *reference_hold_heap(Reference *reference, unsigned wish);
ReferenceHeap *reference_hold_no_heap(Reference *reference, unsigned wish);

/* Another thread holds or shares it. */
static inline bool reference_heap_is_busy(const ReferenceHeap *heap) { return heap->is_held || heap->sharers != 0; }

/* An account without limits nearest behind `wish`, which several threads may use at once; NULL: there is none. */
ReferenceHeap *reference_share_heap(Reference *reference, unsigned wish);

/* A heap was made; what hakmem keeps of it lives, too. */
void reference_heap_enter(Reference *reference, ReferenceHeap *heap, hak_heap_t *handle,
                          const hak_heap_options_t *options);

/* The heap is about to be destroyed: a private one takes its blocks along, those of another live on. Returns its
 * handle. */
hak_heap_t *reference_heap_leave(Reference *reference, ReferenceHeap *heap);

/* The heap was asked to grow by so much, and did or did not: is that right? Notes the refusal. `has_os_refused`: it
 * may have been the OS. */
bool reference_heap_agrees(ReferenceHeap *heap, uint64_t more_bytes, bool is_refused, bool has_os_refused);

void reference_heap_limits(ReferenceHeap *heap, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);

/* hak_heap_stats_get is as expected. */
void reference_heap_check(const ReferenceHeap *heap);

/* The heap stays, and nobody knows of it any more. */
void reference_heap_lose(Reference *reference, ReferenceHeap *heap);

/* ---- All, while other threads are outside ---- */

/* Every pattern holds, no two blocks overlap, every account is as hakmem says. */
void reference_check(const Reference *reference);

/* The stats are what these references hold, and hak_check finds nothing. */
void reference_check_stats(const Reference *const *references, size_t count);

/* A fork has lost threads: what they held is no longer known. */
void reference_lose_held(Reference *reference);

#endif
