/*
 * support/operations_hooks.c - a runtime's table of allocators with the core's functions over those of a previous
 * allocator (previous.h): which of the two serves a request, what it is asked for, and what the core counts.
 */
#include <errno.h>
#include <hakmem_core.h>
#include <string.h>

#include "support/operations_table.h"
#include "support/pattern.h"
#include "support/previous.h"
#include "support/require.h"

enum { ERRNO_BEFORE = 1234, ENTRIES = HAK_HOOK_OBJECT + 1 };

static hak_hook_t table[ENTRIES]; /* of the runtime */
static bool is_served[ENTRIES];
static hak_hook_mode_t mode; /* changes while no other thread is inside */

/* ---- The table ---- */

void operations_set_hook_mode(unsigned number) {
    mode = (hak_hook_mode_t)(number % (HAK_HOOK_NOTICE + 1));
    hak_published()->hook_set_mode(mode);
}

/* What was put over once stays as it is. */
static void require_ours(hak_hook_entry_t entry) {
    const hak_core_t *core = hak_published();
    hak_hook_t previous = previous_hook(entry), again = core->hook_over(entry, &table[entry], !is_served[entry]);
    REQUIRE(core->hook_is_ours(entry, &table[entry]) != 0);
    REQUIRE(core->hook_is_ours(entry, &previous) == 0);
    REQUIRE(again.context == previous.context && again.free == table[entry].free);
    REQUIRE(again.malloc == table[entry].malloc && again.calloc == table[entry].calloc);
    REQUIRE(again.realloc == table[entry].realloc);
    REQUIRE_EQUAL(table[entry].malloc == previous.malloc && table[entry].calloc == previous.calloc, !is_served[entry]);
    REQUIRE(table[entry].realloc != previous.realloc && table[entry].free != previous.free);
}

void operations_hook(unsigned choice) {
    previous_reset();
    mode = HAK_HOOK_PASS;
    for (unsigned number = 0; number < ENTRIES; number++) {
        hak_hook_entry_t entry = (hak_hook_entry_t)number;
        hak_hook_t previous = previous_hook(entry);
        is_served[entry] = (choice >> 2 * number & 3) != 3;
        table[entry] = hak_published()->hook_over(entry, &previous, is_served[entry]);
        require_ours(entry);
    }
    if ((choice >> 6 & 3) != 0) operations_set_hook_mode(choice >> 6 & 3);
}

const hak_hook_t *operations_hook_of(unsigned number) { return &table[number % ENTRIES]; }

/* The previous allocator fails a few times, or the table serves in another mode from now on. */
void do_hook_mode(Actor *actor, const Record *record) {
    (void)actor;
    if (record->a % 4 == 3)
        previous_refuse(record->b % 8);
    else
        operations_set_hook_mode(record->b);
    require_ours((hak_hook_entry_t)(record->a / 4 % ENTRIES));
}

/* ---- A request, and who is to serve it ---- */

typedef struct Request {
    Actor *actor;
    hak_hook_entry_t entry;
    SizesAlignment alignment;
    size_t bytes;          /* SIZE_MAX: the product overflows */
    PreviousWay way;       /* which function of the previous allocator is asked */
    bool is_passed;        /* the core does not try */
    bool is_counted;       /* among passed_requests, where the previous allocator is asked */
    uint64_t refusals;     /* of the OS before the request */
    uint64_t not_previous; /* refusals of the previous allocator before it */
    uint64_t noticed;
} Request;

static Request begin(Actor *actor, hak_hook_entry_t entry, size_t bytes, PreviousWay way, bool is_passed) {
    Request request = {.actor = actor,
                       .entry = entry,
                       .alignment = entry == HAK_HOOK_OBJECT && way != PREVIOUS_CALLOC ? SIZES_OBJECT : SIZES_C,
                       .bytes = bytes,
                       .way = way,
                       .is_passed = is_passed,
                       .is_counted = true,
                       .refusals = actor_refusals(actor),
                       .not_previous = previous_refusals(),
                       .noticed = hak_published()->hook_noticed()};
    errno = ERRNO_BEFORE;
    return request;
}

static void count_passed(const Request *request) {
    if (!request->is_counted) return;
    request->actor->reference->passed_requests++;
    request->actor->reference->passed_bytes += request->bytes;
}

static void count_served(const Request *request) {
    if (mode == HAK_HOOK_COUNT) request->actor->reference->served_bytes += request->bytes;
}

/* The core may have had no memory: the OS refused it, or the size is no machine's. */
static bool core_may_fail(const Request *request) {
    return request->bytes > (size_t)1 << 40 || actor_refusals(request->actor) > request->refusals;
}

/* Nobody has served the request, and nothing has changed. */
static void require_refused(const Request *request) {
    bool has_asked_previous = previous_refusals() > request->not_previous;
    if (request->is_passed) {
        REQUIRE(has_asked_previous || (request->way == PREVIOUS_MALLOC && request->bytes > PTRDIFF_MAX));
        return;
    }
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE(core_may_fail(request));
}

/* The previous allocator was right to serve the request, and knows it. */
static void require_of_previous(const Request *request, const PreviousBlock *made) {
    REQUIRE(request->is_passed || core_may_fail(request));
    if (request->is_passed) REQUIRE_EQUAL(errno, ERRNO_BEFORE);
    REQUIRE_EQUAL(made->state, PREVIOUS_HELD);
    REQUIRE_EQUAL(made->entry, request->entry);
    REQUIRE_EQUAL(made->way, request->way);
    REQUIRE_EQUAL(made->bytes, request->bytes);
    REQUIRE_EQUAL(hak_owns(made->memory), 0);
}

static void fill_of_previous(const Request *request, PreviousBlock *made) {
    made->key = request->actor->reference->next_key++;
    pattern_fill_few(made->memory, made->bytes, made->key, NULL);
    previous_let_go(made);
}

/* ---- New blocks ---- */

/* `room` is held. False: refused. */
static bool end_new(const Request *request, ReferenceBlock *room, void *address, unsigned noticed) {
    PreviousBlock *made = previous_block_of(address);
    REQUIRE_EQUAL(hak_published()->hook_noticed(), request->noticed + noticed);
    if (request->is_passed || made != NULL) count_passed(request);
    if (address != NULL && made == NULL) {
        REQUIRE(!request->is_passed);
        REQUIRE_EQUAL(errno, ERRNO_BEFORE);
        count_served(request);
        reference_enter(request->actor->reference, room, address, request->bytes, request->alignment, NULL);
        return true;
    }
    reference_let_go_empty(request->actor->reference, room);
    if (made == NULL) {
        require_refused(request);
        return false;
    }
    require_of_previous(request, made);
    fill_of_previous(request, made);
    return true;
}

static bool passes(hak_hook_entry_t entry) { return mode == HAK_HOOK_PASS || !is_served[entry]; }

static bool make_one(Actor *actor, hak_hook_entry_t entry, unsigned wish, size_t bytes) {
    const hak_hook_t *hook = &table[entry];
    ReferenceBlock *room = reference_hold_empty(actor->reference, wish);
    if (room == NULL) return false;
    Request request = begin(actor, entry, bytes, PREVIOUS_MALLOC, passes(entry));
    request.is_counted = is_served[entry];
    void *address = hook->malloc(hook->context, bytes);
    return end_new(&request, room, address, mode == HAK_HOOK_NOTICE && is_served[entry]);
}

static hak_hook_entry_t entry_of(const Record *record) { return (hak_hook_entry_t)((record->a >> 11) % ENTRIES); }

/* One in sixteen is too large for any machine. */
static size_t size_of(const Record *record) {
    static const size_t too_large[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX, (size_t)1 << 47};
    return record->a >> 13 == 7 && record->a % 2 == 0 ? too_large[record->b % 4] : record_size(record->b);
}

void do_hook_malloc(Actor *actor, const Record *record) {
    static const unsigned counts[] = {1, 1, 1, 2, 5, 30, 12, 1};
    size_t bytes = size_of(record), count = bytes <= 4096 ? counts[record->a >> 13] : 1;
    for (unsigned number = 0; number < count; number++)
        if (!make_one(actor, entry_of(record), record->a + number, bytes)) return;
}

void do_hook_calloc(Actor *actor, const Record *record) {
    const hak_hook_t *hook = &table[entry_of(record)];
    size_t count = 1 + (record->a >> 8) % 8, bytes = size_of(record), product;
    if (bytes < (size_t)1 << 40) bytes /= count;
    if (__builtin_mul_overflow(count, bytes, &product)) product = SIZE_MAX;
    ReferenceBlock *room = reference_hold_empty(actor->reference, record->a);
    if (room == NULL) return;
    Request request = begin(actor, entry_of(record), product, PREVIOUS_CALLOC, passes(entry_of(record)));
    request.is_counted = is_served[request.entry];
    void *address = hook->calloc(hook->context, count, bytes);
    if (address != NULL) REQUIRE(pattern_few_are_zero(address, product));
    (void)end_new(&request, room, address, 0);
}

/* ---- Resize ---- */

static void resize_nothing(Actor *actor, hak_hook_entry_t entry, const Record *record, size_t bytes) {
    const hak_hook_t *hook = &table[entry];
    ReferenceBlock *room = reference_hold_empty(actor->reference, record->a);
    if (room == NULL) return;
    PreviousWay way = is_served[entry] ? PREVIOUS_MALLOC : PREVIOUS_REALLOC;
    Request request = begin(actor, entry, bytes, way, passes(entry));
    request.is_counted = is_served[entry];
    (void)end_new(&request, room, hook->realloc(hook->context, NULL, bytes), 0);
}

/* A block that was resized by another entry keeps the weaker alignment. */
static SizesAlignment weaker(SizesAlignment left, SizesAlignment right) {
    static const unsigned ranks[] = {[SIZES_ALIGN_8] = 0, [SIZES_OBJECT] = 1, [SIZES_C] = 2, [SIZES_ALIGN_16] = 3};
    return ranks[left] < ranks[right] ? left : right;
}

/* A block of the core, held: the core resizes it, or has it moved where new blocks come from. */
static void resize_of_core(Actor *actor, hak_hook_entry_t entry, ReferenceBlock *block, size_t bytes) {
    const hak_hook_t *hook = &table[entry];
    char *former = block->address;
    Request request = begin(actor, entry, bytes, PREVIOUS_MALLOC, mode == HAK_HOOK_PASS && bytes > block->usable_bytes);
    void *address = hook->realloc(hook->context, former, bytes);
    PreviousBlock *moved = previous_block_of(address);
    if (address == NULL) {
        REQUIRE_OP(bytes, >, block->usable_bytes); /* shrinking never fails */
        require_refused(&request);
        reference_let_go_live(actor->reference, block);
    } else if (moved == NULL) {
        REQUIRE(!request.is_passed);
        REQUIRE_EQUAL(errno, ERRNO_BEFORE);
        if (address != former && mode != HAK_HOOK_PASS) count_served(&request);
        block->alignment = weaker(block->alignment, request.alignment);
        reference_resize(actor->reference, block, address, bytes);
    } else {
        require_of_previous(&request, moved);
        count_passed(&request);
        REQUIRE(pattern_few_hold_prefix(address, block->bytes < bytes ? block->bytes : bytes, block->bytes,
                                        block->key));
        reference_is_gone(actor->reference, block);
        fill_of_previous(&request, moved);
    }
}

static void resize_of_previous(Actor *actor, hak_hook_entry_t entry, PreviousBlock *block, size_t bytes) {
    const hak_hook_t *hook = &table[entry];
    size_t former_bytes = block->bytes, kept_bytes = bytes < former_bytes ? bytes : former_bytes;
    uint64_t key = block->key;
    Request request = begin(actor, entry, bytes, PREVIOUS_REALLOC, true);
    request.is_counted = is_served[entry];
    void *address = hook->realloc(hook->context, block->memory, bytes);
    PreviousBlock *resized = previous_block_of(address);
    count_passed(&request);
    if (address == NULL) {
        require_refused(&request);
        REQUIRE(pattern_few_hold_prefix(block->memory, former_bytes, former_bytes, key));
        previous_let_go(block);
        return;
    }
    REQUIRE(resized != NULL);
    require_of_previous(&request, resized);
    REQUIRE(pattern_few_hold_prefix(address, kept_bytes, former_bytes, key));
    fill_of_previous(&request, resized);
}

void do_hook_realloc(Actor *actor, const Record *record) {
    hak_hook_entry_t entry = entry_of(record);
    size_t bytes = size_of(record);
    bool is_of_previous = (record->a >> 9) % 4 == 3;
    PreviousBlock *foreign = is_of_previous ? previous_hold(record->a) : NULL;
    ReferenceBlock *block = is_of_previous ? NULL : operations_hold_of_none(actor, record->a, 0, SIZE_MAX);
    if (foreign != NULL)
        resize_of_previous(actor, entry, foreign, bytes);
    else if (block != NULL)
        resize_of_core(actor, entry, block, bytes);
    else
        resize_nothing(actor, entry, record, bytes);
}

/* ---- Free ---- */

static void free_of_core(Actor *actor, hak_hook_entry_t entry, ReferenceBlock *block) {
    void *address = reference_leave(actor->reference, block);
    errno = ERRNO_BEFORE;
    table[entry].free(table[entry].context, address);
    REQUIRE_EQUAL(errno, ERRNO_BEFORE);
}

static void free_of_previous(const Actor *actor, hak_hook_entry_t entry, PreviousBlock *block) {
    REQUIRE(pattern_few_hold_prefix(block->memory, block->bytes, block->bytes, block->key));
    table[entry].free(table[entry].context, block->memory);
    if (actor->surroundings == NULL) return; /* another thread may have it by now */
    REQUIRE_EQUAL(block->state, PREVIOUS_EMPTY);
    REQUIRE_EQUAL(block->entry, entry);
}

static void free_nothing(hak_hook_entry_t entry) {
    uint64_t frees = previous_frees_of_null();
    table[entry].free(table[entry].context, NULL);
    REQUIRE_OP(previous_frees_of_null(), >, frees);
}

void do_hook_free(Actor *actor, const Record *record) {
    static const unsigned counts[] = {1, 1, 1, 2, 5, 30, 12, 60};
    hak_hook_entry_t entry = entry_of(record);
    for (unsigned number = 0; number < counts[record->a >> 13]; number++) {
        bool is_of_previous = record->b % 4 == 3;
        PreviousBlock *foreign = is_of_previous ? previous_hold(record->a + number) : NULL;
        ReferenceBlock *block = is_of_previous ? NULL : operations_hold_of_none(actor, record->a + number, 0, SIZE_MAX);
        if (foreign != NULL) {
            free_of_previous(actor, entry, foreign);
        } else if (block != NULL) {
            free_of_core(actor, entry, block);
        } else {
            free_nothing(entry);
            return;
        }
    }
}

void operations_free_of_previous(Actor *actor) {
    PreviousBlock *block;
    for (unsigned number = 0; (block = previous_hold(number)) != NULL; number++)
        free_of_previous(actor, (hak_hook_entry_t)(number % ENTRIES), block);
    if (!actor->reference->is_inexact) REQUIRE_EQUAL(previous_blocks(), 0);
}
