/*
 * support/operations_heaps.c - heaps of a host, private ones and accounts, with limits.
 */
#include <errno.h>
#include <hakmem_control.h>
#include <string.h>

#include "support/operations_table.h"
#include "support/require.h"

static void let_go(ReferenceHeap *heap) { heap->is_held = false; }

/* ---- Begin ---- */

/* A multiple of 4 KiB up to 512 KiB; as often none. */
static uint64_t limit_of(unsigned operand) { return operand < 128 ? 0 : (uint64_t)(operand - 127) * 4096; }

static hak_heap_t *make(ReferenceHeap *heap, const hak_heap_options_t *options, bool has_number) {
    hak_error_t error;
    uint64_t number = 0;
    if (!has_number) return hak_heap_new(options);
    int code = hak_control_heap_new(options->soft_limit_bytes, options->hard_limit_bytes, (int)options->is_private,
                                    &number, &error);
    REQUIRE_EQUAL(code, error.code);
    REQUIRE_EQUAL(code == 0, number != 0);
    errno = code == HAK_ERROR_MEMORY ? ENOMEM : EINVAL;
    heap->number = number;
    return code == 0 ? hak_control_heap(number) : NULL;
}

/* As a caller of a later version has them. */
typedef struct LaterOptions {
    hak_heap_options_t known;
    uint64_t unknown;
} LaterOptions;

/* One value out of range, or another size of the struct. False: the heap is to be refused. */
static bool spoil(LaterOptions *options, unsigned choice) {
    static const uint32_t sizes[] = {sizeof(hak_heap_options_t) + 8, 4, 5000};
    switch (choice % 4) {
    case 0: options->known.alignment_bytes = 32; return false;
    case 1: options->known.is_private = 2; return false;
    case 2: options->known.struct_bytes = sizes[choice / 4 % 3]; return choice / 4 % 3 == 0;
    default:
        options->known.struct_bytes = sizeof *options;
        options->unknown = 1;
        return false;
    }
}

void do_heap_new(Actor *actor, const Record *record) {
    LaterOptions later = {HAK_HEAP_OPTIONS_INIT, 0};
    hak_heap_options_t *options = &later.known;
    unsigned kind = record->a >> 8;
    bool has_number = (kind & 12) == 4, is_valid = true;
    uint64_t refusals = actor_refusals(actor);
    ReferenceHeap *heap = reference_hold_no_heap(actor->reference, record->a);
    if (heap == NULL) return;
    options->is_private = kind & 1;
    options->alignment_bytes = (kind & 2) != 0 && !has_number ? 8 : (kind & 16) != 0 ? 0 : 16;
    options->soft_limit_bytes = limit_of(record->b % 256);
    options->hard_limit_bytes = limit_of(record->b / 256);
    if (!has_number && (kind & 0xE0) == 0xE0) is_valid = spoil(&later, kind);
    if (options->hard_limit_bytes != 0 && options->soft_limit_bytes > options->hard_limit_bytes) is_valid = false;
    heap->number = 0;
    hak_heap_t *handle = make(heap, options, has_number);
    if (handle != NULL) {
        REQUIRE(is_valid);
        reference_heap_enter(actor->reference, heap, handle, options);
    } else {
        REQUIRE_EQUAL(errno, is_valid ? ENOMEM : EINVAL);
        REQUIRE(!is_valid || actor_refusals(actor) > refusals);
    }
    let_go(heap);
}

/* ---- Blocks ---- */

static size_t wanted_bytes(const ReferenceHeap *heap, size_t bytes) {
    return sizes_usable_bytes(heap->alignment, bytes);
}

static void *refused(void *context, uintptr_t word, size_t bytes) {
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE_EQUAL(word, bytes + 7);
    *(bool *)context = true;
    return NULL;
}

enum { RESIZE_NOTHING = 1 << 16 };

static void *allocate(const ReferenceHeap *heap, size_t bytes, unsigned way) {
    bool is_refused = false;
    if (way == RESIZE_NOTHING) return hak_heap_realloc(heap->handle, NULL, bytes);
    if (way % 4 != 0) return hak_heap_malloc(heap->handle, bytes);
    void *address = hak_heap_malloc_or(heap->handle, bytes, refused, &is_refused, bytes + 7);
    REQUIRE_EQUAL(is_refused, address == NULL);
    return address;
}

/* False: refused, or there is no room in the reference. */
static bool make_one(Actor *actor, ReferenceHeap *heap, unsigned wish, size_t bytes, unsigned way) {
    uint64_t refusals = actor_refusals(actor);
    ReferenceBlock *block = reference_hold_empty(actor->reference, wish);
    if (block == NULL) return false;
    errno = 0;
    void *address = allocate(heap, bytes, way);
    bool has_os_refused = actor_refusals(actor) > refusals;
    REQUIRE(reference_heap_agrees(heap, wanted_bytes(heap, bytes), address == NULL, has_os_refused));
    if (address != NULL) {
        reference_enter(actor->reference, block, address, bytes, heap->alignment, heap);
        return true;
    }
    REQUIRE_EQUAL(errno, ENOMEM);
    reference_let_go_empty(actor->reference, block);
    return false;
}

void do_heap_malloc(Actor *actor, const Record *record) {
    static const unsigned counts[] = {1, 1, 1, 4, 20, 64, 120, 2};
    ReferenceHeap *heap = reference_hold_heap(actor->reference, record->a);
    size_t bytes = record_size(record->b), count = bytes < 4096 ? counts[(record->a >> 8) % 8] : 1;
    if (heap == NULL) return;
    for (unsigned number = 0; number < count; number++)
        if (!make_one(actor, heap, (record->a >> 5) + number, bytes, record->a >> 12)) break;
    let_go(heap);
}

static void resize_held(Actor *actor, ReferenceHeap *heap, ReferenceBlock *block, size_t bytes) {
    uint64_t refusals = actor_refusals(actor);
    errno = 0;
    void *address = hak_heap_realloc(heap->handle, block->address, bytes);
    bool has_os_refused = actor_refusals(actor) > refusals;
    if (bytes > block->usable_bytes) {
        size_t more_bytes = wanted_bytes(heap, bytes) - block->usable_bytes;
        REQUIRE(reference_heap_agrees(heap, more_bytes, address == NULL, has_os_refused));
    }
    if (address != NULL) {
        reference_resize(actor->reference, block, address, bytes);
        return;
    }
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE_OP(bytes, >, block->usable_bytes); /* shrinking never fails */
    reference_let_go_live(actor->reference, block);
}

void do_heap_realloc(Actor *actor, const Record *record) {
    ReferenceHeap *heap = reference_hold_heap(actor->reference, record->a);
    if (heap == NULL) return;
    ReferenceBlock *block = reference_hold_live_of(actor->reference, heap, record->a >> 3);
    if (block != NULL)
        resize_held(actor, heap, block, record_size(record->b));
    else
        (void)make_one(actor, heap, record->a >> 3, record_size(record->b), RESIZE_NOTHING);
    let_go(heap);
}

/* Two threads or more may be within requests of the same account. */
void do_heap_share(Actor *actor, const Record *record) {
    static const unsigned counts[] = {1, 1, 2, 5, 12, 30, 60, 3};
    ReferenceHeap *heap = reference_share_heap(actor->reference, record->a);
    size_t bytes = record_size(record->b);
    if (heap == NULL) return;
    for (unsigned number = 0, count = counts[(record->a >> 8) % 8]; number < count && bytes <= 65536; number++) {
        unsigned wish = (record->a >> 3) + number;
        ReferenceBlock *block = record->a >> 14 < 2 ? NULL : reference_hold_live_of(actor->reference, heap, wish);
        if (block == NULL)
            (void)make_one(actor, heap, wish, bytes, record->a >> 12);
        else if (record->a >> 14 == 2)
            operations_free(actor, block, record->a >> 11);
        else
            resize_held(actor, heap, block, bytes);
    }
    heap->sharers--;
}

static void *ignore_foreign(void *context, void *block, size_t bytes) {
    (void)block, (void)bytes;
    return context;
}

void do_heap_free(Actor *actor, const Record *record) {
    ReferenceHeap *heap = reference_hold_heap(actor->reference, record->a);
    if (heap == NULL) return;
    unsigned count = 1 + record->b % 64;
    for (unsigned number = 0; number < count; number++) {
        ReferenceBlock *block = reference_hold_live_of(actor->reference, heap, (record->a >> 3) + number);
        if (block == NULL) break;
        operations_free(actor, block, record->b >> 6);
    }
    hak_heap_free(heap->handle, NULL);
    REQUIRE(hak_heap_free_or(heap->handle, NULL, 0, ignore_foreign, &count) == &count);
    reference_heap_check(heap);
    let_go(heap);
}

/* ---- Limits and the end ---- */

static void set_limits(ReferenceHeap *heap, uint64_t soft, uint64_t hard) {
    bool is_valid = hard == 0 || soft <= hard;
    if (heap->number != 0)
        REQUIRE_EQUAL(hak_control_heap_set_limit(heap->number, soft, hard, NULL), is_valid ? 0 : HAK_ERROR_VALUE);
    else
        REQUIRE_EQUAL(hak_heap_set_limit(heap->handle, soft, hard), is_valid ? 0 : EINVAL);
    if (is_valid) reference_heap_limits(heap, soft, hard);
}

/* A limit that the next block fills to the byte, or misses by one; then blocks of that size come and go around it. */
static void go_around_limit(Actor *actor, ReferenceHeap *heap, const Record *record) {
    size_t bytes = record_size(record->b);
    uint64_t full_bytes = heap->expected.used_bytes + wanted_bytes(heap, bytes);
    uint64_t limit_bytes = full_bytes - (record->a >> 11 & 1);
    bool is_soft = (record->a >> 12 & 1) != 0;
    set_limits(heap, is_soft ? limit_bytes : 0, is_soft ? full_bytes + 64 : limit_bytes);
    for (unsigned number = 0; number < 3; number++) (void)make_one(actor, heap, record->a >> 3, bytes, number);
    ReferenceBlock *block = reference_hold_live_of(actor->reference, heap, record->a >> 3);
    if (block != NULL) operations_free(actor, block, record->b);
    (void)make_one(actor, heap, record->a >> 3, bytes, 0);
}

void do_heap_limit(Actor *actor, const Record *record) {
    ReferenceHeap *heap = reference_hold_heap(actor->reference, record->a);
    if (heap == NULL) return;
    if (record->a >> 13 == 7)
        go_around_limit(actor, heap, record);
    else
        set_limits(heap, limit_of(record->b % 256), limit_of(record->b / 256));
    let_go(heap);
}

void do_heap_destroy(Actor *actor, const Record *record) {
    ReferenceHeap *heap = reference_hold_heap(actor->reference, record->a);
    hak_heap_destroy(NULL);
    if (heap == NULL) return;
    uint64_t number = heap->number;
    reference_heap_check(heap);
    hak_heap_t *handle = reference_heap_leave(actor->reference, heap);
    if (number != 0) {
        REQUIRE_EQUAL(hak_control_heap_destroy(number, NULL), 0);
        REQUIRE_EQUAL(hak_control_heap_destroy(number, NULL), HAK_ERROR_NAME);
    } else {
        hak_heap_destroy(handle);
    }
    let_go(heap);
}
