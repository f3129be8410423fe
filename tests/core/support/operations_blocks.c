/*
 * support/operations_blocks.c - blocks are made, resized and freed, one by one and many at once.
 */
#include <errno.h>
#include <string.h>

#include "support/operations_table.h"
#include "support/pattern.h"
#include "support/require.h"

enum { ERRNO_BEFORE = 1234 }; /* no function sets it to that */

ReferenceBlock *operations_hold_of_none(Actor *actor, unsigned wish, size_t bytes_min, size_t bytes_max) {
    for (unsigned tries = 0; tries < 64; tries++) {
        ReferenceBlock *block = reference_hold_live(actor->reference, wish);
        if (block == NULL) return NULL;
        if (block->heap == NULL && block->usable_bytes >= bytes_min && block->usable_bytes <= bytes_max) return block;
        wish = (unsigned)(block - actor->reference->blocks) + 1;
        reference_let_go_live(actor->reference, block);
    }
    return NULL;
}

/* ---- Free ---- */

static char foreign_word;

static void *foreign_free(void *context, void *block) {
    REQUIRE(context == &foreign_word && (block == NULL || block == &foreign_word));
    return &foreign_word;
}

static void *foreign_free_sized(void *context, void *block, size_t bytes) {
    REQUIRE_EQUAL(bytes, 99);
    return foreign_free(context, block);
}

void operations_free(Actor *actor, ReferenceBlock *block, unsigned way) {
    ReferenceHeap *heap = block->heap;
    size_t bytes = way % 2 == 0 ? block->bytes : block->usable_bytes;
    void *address = reference_leave(actor->reference, block);
    errno = ERRNO_BEFORE;
    if (heap != NULL && way % 4 == 0)
        REQUIRE(hak_heap_free_or(heap->handle, address, 99, foreign_free_sized, &foreign_word) == NULL);
    else if (heap != NULL)
        hak_heap_free(heap->handle, address);
    else if (way % 8 < 2)
        hak_free_sized(address, bytes);
    else if (way % 8 == 2)
        REQUIRE_EQUAL(hak_free_if_owned(address), 1);
    else if (way % 8 == 3)
        REQUIRE(hak_free_or(address, foreign_free, &foreign_word) == NULL);
    else
        hak_free(address);
    REQUIRE_EQUAL(errno, ERRNO_BEFORE);
}

static void free_held(Actor *actor, ReferenceBlock *block, unsigned way) {
    ReferenceHeap *heap = block->heap;
    if (heap != NULL && reference_heap_is_busy(heap)) { /* another thread uses it */
        reference_let_go_live(actor->reference, block);
        return;
    }
    if (heap != NULL) heap->is_held = true;
    operations_free(actor, block, way);
    if (heap != NULL) heap->is_held = false;
}

static void free_foreign(unsigned way) {
    void *address = way % 2 == 0 ? NULL : &foreign_word;
    REQUIRE_EQUAL(hak_free_if_owned(address), 0);
    REQUIRE(hak_free_or(address, foreign_free, &foreign_word) == &foreign_word);
    REQUIRE_EQUAL(hak_owns(address), 0);
    REQUIRE_EQUAL(hak_usable_size(address), 0);
    hak_free(NULL);
    hak_free_sized(NULL, way);
}

void do_free(Actor *actor, const Record *record) {
    ReferenceBlock *block = reference_hold_live(actor->reference, record->a);
    if (block != NULL)
        free_held(actor, block, record->b);
    else
        free_foreign(record->b);
}

/* ---- Allocate ---- */

static void *allocate(SizesAlignment alignment, size_t bytes) {
    switch (alignment) {
    case SIZES_OBJECT: return hak_malloc_object(bytes);
    case SIZES_ALIGN_8: return hak_malloc_align8(bytes);
    case SIZES_ALIGN_16: return hak_malloc_align16(bytes);
    default: return hak_malloc(bytes);
    }
}

/* NULL, where the OS has refused a call since `refusals`. */
static void enter_or_refused(Actor *actor, ReferenceBlock *block, void *address, size_t bytes, SizesAlignment alignment,
                             uint64_t refusals) {
    if (address != NULL) {
        REQUIRE_EQUAL(errno, ERRNO_BEFORE);
        reference_enter(actor->reference, block, address, bytes, alignment, NULL);
        return;
    }
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE(actor_refusals(actor) > refusals);
    reference_let_go_empty(actor->reference, block);
}

static SizesAlignment alignment_of(const Record *record) { return (SizesAlignment)((record->a >> 12) % 4); }

static void make_one(Actor *actor, unsigned wish, size_t bytes, SizesAlignment alignment) {
    ReferenceBlock *block = reference_hold_empty(actor->reference, wish);
    if (block == NULL) return;
    uint64_t refusals = actor_refusals(actor);
    errno = ERRNO_BEFORE;
    enter_or_refused(actor, block, allocate(alignment, bytes), bytes, alignment, refusals);
}

void do_malloc(Actor *actor, const Record *record) {
    make_one(actor, record->a, record_size(record->b), alignment_of(record));
}

void do_calloc(Actor *actor, const Record *record) {
    size_t count = 1 + (record->a >> 12), bytes = record_size(record->b) / count * count;
    bool is_align_16 = (record->a >> 11) % 2 != 0;
    ReferenceBlock *block = reference_hold_empty(actor->reference, record->a);
    if (block == NULL) return;
    uint64_t refusals = actor_refusals(actor);
    errno = ERRNO_BEFORE;
    void *address = is_align_16 ? hak_calloc_align16(count, bytes / count) : hak_calloc(count, bytes / count);
    if (address != NULL) REQUIRE(pattern_few_are_zero(address, bytes));
    enter_or_refused(actor, block, address, bytes, is_align_16 ? SIZES_ALIGN_16 : SIZES_C, refusals);
}

void do_aligned(Actor *actor, const Record *record) {
    size_t alignment = (size_t)1 << (record->a >> 11) % 23, bytes = record_size(record->b);
    ReferenceBlock *block = reference_hold_empty(actor->reference, record->a);
    if (block == NULL) return;
    uint64_t refusals = actor_refusals(actor);
    errno = ERRNO_BEFORE;
    void *address = hak_aligned_alloc(alignment, bytes);
    if (address != NULL) {
        REQUIRE_EQUAL((uintptr_t)address % alignment, 0);
        reference_enter_larger(actor->reference, block, address, bytes);
        return;
    }
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE(actor_refusals(actor) > refusals);
    reference_let_go_empty(actor->reference, block);
}

static void *resize(SizesAlignment alignment, void *address, size_t bytes) {
    switch (alignment) {
    case SIZES_OBJECT: return hak_realloc_object(address, bytes);
    case SIZES_ALIGN_8: return hak_realloc_align8(address, bytes);
    case SIZES_ALIGN_16: return hak_realloc_align16(address, bytes);
    default: return hak_realloc(address, bytes);
    }
}

/* Refused, and nothing has changed. */
void do_too_large(Actor *actor, const Record *record) {
    static const size_t sizes[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX, SIZE_MAX - 4095, (size_t)1 << 47};
    size_t bytes = sizes[record->b % 5];
    errno = 0;
    REQUIRE(allocate(alignment_of(record), bytes) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE(hak_calloc(bytes / 3, 7) == NULL);
    REQUIRE(hak_calloc_align16(7, bytes / 3) == NULL);
    REQUIRE(hak_calloc((size_t)1 << 63, 2) == NULL); /* the product would overflow to 0 */
    REQUIRE(hak_aligned_alloc(4096, bytes) == NULL);
    errno = 0;
    REQUIRE(hak_aligned_alloc(record->a % 2 == 0 ? 48 : 3, 10) == NULL);
    REQUIRE_EQUAL(errno, EINVAL);
    ReferenceBlock *block = reference_hold_live(actor->reference, record->a);
    if (block == NULL) return;
    if (block->heap == NULL) {
        REQUIRE(resize(block->alignment, block->address, bytes) == NULL);
    } else if (!reference_heap_is_busy(block->heap)) {
        bool is_limited = block->heap->expected.hard_limit_bytes != 0 || block->heap->expected.soft_limit_bytes != 0;
        block->heap->is_held = true;
        if (!is_limited) REQUIRE(hak_heap_realloc(block->heap->handle, block->address, bytes) == NULL);
        block->heap->is_held = false;
    }
    reference_let_go_live(actor->reference, block);
}

/* ---- Resize ---- */

/* False: refused. */
static bool resize_held(Actor *actor, ReferenceBlock *block, size_t bytes) {
    uint64_t refusals = actor_refusals(actor);
    errno = ERRNO_BEFORE;
    void *address = resize(block->alignment, block->address, bytes);
    if (address != NULL) {
        REQUIRE_EQUAL(errno, ERRNO_BEFORE);
        reference_resize(actor->reference, block, address, bytes);
        return true;
    }
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE(actor_refusals(actor) > refusals);
    REQUIRE_OP(bytes, >, block->usable_bytes); /* shrinking never fails */
    reference_let_go_live(actor->reference, block);
    return false;
}

void do_realloc(Actor *actor, const Record *record) {
    ReferenceBlock *block = reference_hold_live(actor->reference, record->a);
    size_t bytes = record_size(record->b);
    if (block != NULL && block->heap == NULL) {
        (void)resize_held(actor, block, bytes);
        return;
    }
    if (block != NULL) reference_let_go_live(actor->reference, block);
    block = reference_hold_empty(actor->reference, record->a);
    if (block == NULL) return;
    uint64_t refusals = actor_refusals(actor);
    SizesAlignment alignment = alignment_of(record);
    errno = ERRNO_BEFORE;
    enter_or_refused(actor, block, resize(alignment, NULL, bytes), bytes, alignment, refusals);
}

/* A buffer that grows by appending, a little or a half at a time. */
void do_grow(Actor *actor, const Record *record) {
    enum { GROWN_BYTES_MAX = 3 << 20, GROWN_AGAIN_BYTES_MAX = 150000 }; /* each step may copy all of it */
    unsigned times = 1 + record->b % 32, step = record->b >> 5;
    for (unsigned done = 0; done < times; done++) {
        ReferenceBlock *block = reference_hold_live(actor->reference, record->a);
        if (block == NULL) return;
        if (block->heap != NULL || block->bytes > (done == 0 ? GROWN_BYTES_MAX : GROWN_AGAIN_BYTES_MAX)) {
            reference_let_go_live(actor->reference, block);
            return;
        }
        size_t bytes = step % 2 == 0 ? block->bytes + 1 + step * 8 : block->bytes + block->bytes / 2 + 1;
        if (!resize_held(actor, block, bytes)) return;
    }
}

/* ---- Many ---- */

void do_many(Actor *actor, const Record *record) {
    enum { BYTES_MAX = 1 << 19, GUARDED_BYTES_MAX = 1 << 16 }; /* with debug=2 each byte is read and written thrice */
    static const unsigned counts[] = {9, 40, 100, 300, 3, 20, 70, 180};
    size_t bytes = record_size(record->b), count = counts[(record->a >> 11) % 8];
    size_t bytes_max = sizes_are_guarded() ? GUARDED_BYTES_MAX : BYTES_MAX;
    if (bytes > 0 && count > bytes_max / bytes) count = bytes_max / bytes;
    for (unsigned number = 0; number < count; number++)
        make_one(actor, record->a + number, bytes, (SizesAlignment)(record->a >> 14));
}

void do_free_many(Actor *actor, const Record *record) {
    static const unsigned steps[] = {1, 1, 2, 3, 17, REFERENCE_BLOCKS - 1, REFERENCE_BLOCKS - 1, 5};
    unsigned count = record->b % 512, step = steps[(record->b >> 9) % 8];
    for (unsigned number = 0, wish = record->a; number < count; number++, wish += step) {
        ReferenceBlock *block = reference_hold_live(actor->reference, wish);
        if (block == NULL) return;
        wish = (unsigned)(block - actor->reference->blocks);
        free_held(actor, block, 7);
    }
}

void do_free_all_but_few(Actor *actor, const Record *record) {
    unsigned kept_one_in = record->a % 64;
    for (unsigned number = 0; number < REFERENCE_BLOCKS; number++) {
        if (kept_one_in != 0 && number % kept_one_in == 0) continue;
        ReferenceBlock *block = reference_hold_live(actor->reference, number);
        if (block == NULL) return;
        unsigned found = (unsigned)(block - actor->reference->blocks);
        if (found < number) { /* found from the beginning again */
            reference_let_go_live(actor->reference, block);
            return;
        }
        number = found;
        free_held(actor, block, 7);
    }
}
