/*
 * support/operations.c - decodes the stream and drives hakmem and the reference.
 */
#include "support/operations.h"

#include <errno.h>
#include <string.h>

#include "support/pattern.h"
#include "support/reference.h"
#include "support/require.h"
#include "support/stats.h"
#include "support/stream.h"
#include "support/worker.h"

typedef struct Machine {
    Stream stream;
    Reference *reference;
    Worker *worker;        /* NULL in the machine that runs beside the first one */
    struct Machine *aside; /* that machine, with a reference of its own */
    size_t steps;          /* for the worker, when it steps in for the first thread */
} Machine;

static void run_steps(Machine *machine, size_t steps);

static ReferenceBlock *slot_of(Machine *machine) {
    return &machine->reference->blocks[stream_word(&machine->stream) % REFERENCE_BLOCKS];
}

static ReferenceHeap *heap_of(Machine *machine) {
    return &machine->reference->heaps[stream_byte(&machine->stream) % REFERENCE_HEAPS];
}

/* ---- Free ---- */

static void free_block(Machine *machine, ReferenceBlock *slot, unsigned way) {
    if (slot->address == NULL) return;
    ReferenceHeap *heap = slot->heap;
    size_t bytes = way % 8 < 4 ? slot->bytes : slot->usable_bytes;
    void *address = reference_leave(machine->reference, slot);
    if (heap != NULL)
        hak_heap_free(heap->handle, address);
    else if (way % 4 == 0)
        hak_free_sized(address, bytes);
    else if (way % 4 == 1)
        REQUIRE_EQUAL(hak_free_if_owned(address), 1);
    else
        hak_free(address);
}

static void do_free(Machine *machine) {
    ReferenceBlock *slot = slot_of(machine);
    free_block(machine, slot, stream_byte(&machine->stream));
}

/* ---- Allocate ---- */

static void *allocate(ReferenceKind kind, size_t bytes) {
    if (kind == REFERENCE_OBJECT) return hak_malloc_object(bytes);
    return kind == REFERENCE_ALIGN_8 ? hak_malloc_align8(bytes) : hak_malloc(bytes);
}

static void do_malloc(Machine *machine) {
    ReferenceBlock *slot = slot_of(machine);
    size_t bytes = stream_size(&machine->stream);
    ReferenceKind kind = (ReferenceKind)(stream_byte(&machine->stream) % 3);
    free_block(machine, slot, 2);
    reference_enter(machine->reference, slot, allocate(kind, bytes), bytes, kind, NULL);
}

static void do_calloc(Machine *machine) {
    ReferenceBlock *slot = slot_of(machine);
    size_t bytes = stream_size(&machine->stream), count = 1 + stream_byte(&machine->stream) % 16;
    free_block(machine, slot, 2);
    void *address = hak_calloc(count, bytes / count);
    REQUIRE(pattern_is_zero(address, bytes / count * count));
    reference_enter(machine->reference, slot, address, bytes / count * count, REFERENCE_C, NULL);
}

static void do_aligned(Machine *machine) {
    ReferenceBlock *slot = slot_of(machine);
    size_t bytes = stream_size(&machine->stream), alignment = (size_t)1 << stream_byte(&machine->stream) % 21;
    free_block(machine, slot, 2);
    void *address = hak_aligned_alloc(alignment, bytes);
    REQUIRE_EQUAL((uintptr_t)address % alignment, 0);
    reference_enter(machine->reference, slot, address, bytes, alignment < 16 ? REFERENCE_ALIGN_8 : REFERENCE_C, NULL);
}

static void do_too_large(Machine *machine) {
    static const size_t sizes[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX, SIZE_MAX - 4095};
    size_t bytes = sizes[stream_byte(&machine->stream) % 4];
    ReferenceBlock *slot = slot_of(machine);
    errno = 0;
    REQUIRE(hak_malloc(bytes) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE(hak_calloc(bytes / 3, 7) == NULL);
    if (slot->address != NULL && slot->heap == NULL) REQUIRE(hak_realloc(slot->address, bytes) == NULL);
}

/* ---- Resize ---- */

/* What a heap would count for a request: the thread's own blocks have the same classes. */
static size_t usable_bytes_of_request(const ReferenceHeap *heap, size_t bytes) {
    void *probe = heap->is_align_8 ? hak_malloc_align8(bytes) : hak_malloc(bytes);
    size_t usable_bytes = hak_usable_size(probe);
    hak_free(probe);
    return usable_bytes;
}

/* NULL: the heap refused, and rightly. */
static void *resize_in_heap(ReferenceBlock *slot, size_t bytes) {
    void *address = hak_heap_realloc(slot->heap->handle, slot->address, bytes);
    if (bytes > slot->usable_bytes) {
        size_t more_bytes = usable_bytes_of_request(slot->heap, bytes) - slot->usable_bytes;
        REQUIRE(reference_heap_agrees(slot->heap, more_bytes, address == NULL));
    }
    return address;
}

static void *resize(ReferenceBlock *slot, size_t bytes) {
    switch (slot->kind) {
    case REFERENCE_OBJECT: return hak_realloc_object(slot->address, bytes);
    case REFERENCE_ALIGN_8: return hak_realloc_align8(slot->address, bytes);
    case REFERENCE_OF_HEAP: return resize_in_heap(slot, bytes);
    default: return hak_realloc(slot->address, bytes);
    }
}

static void do_realloc(Machine *machine) {
    ReferenceBlock *slot = slot_of(machine);
    size_t bytes = stream_size(&machine->stream);
    if (slot->address == NULL) {
        reference_enter(machine->reference, slot, hak_realloc(NULL, bytes), bytes, REFERENCE_C, NULL);
        return;
    }
    void *address = resize(slot, bytes);
    if (address != NULL) reference_resize(machine->reference, slot, address, bytes);
}

/* A buffer that grows by appending, a little or a half at a time. */
static void do_grow(Machine *machine) {
    ReferenceBlock *slot = slot_of(machine);
    unsigned times = 1 + stream_byte(&machine->stream) % 16, step = stream_byte(&machine->stream);
    enum { GROWN_BYTES_MAX = 6 << 20 };
    for (; slot->address != NULL && times > 0 && slot->bytes < GROWN_BYTES_MAX; times--) {
        size_t bytes = step % 2 == 0 ? slot->bytes + 1 + step * 64 : slot->bytes + slot->bytes / 2 + 1;
        void *address = resize(slot, bytes);
        if (address == NULL) break;
        reference_resize(machine->reference, slot, address, bytes);
    }
}

/* ---- Many ---- */

static void do_many(Machine *machine) {
    enum { BYTES_MAX = 8 << 20 };
    ReferenceBlock *blocks = machine->reference->blocks;
    size_t first = stream_word(&machine->stream) % REFERENCE_BLOCKS, count = 4 * stream_byte(&machine->stream);
    size_t bytes = stream_size(&machine->stream), step = 1 + stream_byte(&machine->stream) % 4;
    if (bytes * count > BYTES_MAX) count = BYTES_MAX / bytes;
    for (size_t number = 0; number < count; number++) {
        ReferenceBlock *slot = &blocks[(first + number * step) % REFERENCE_BLOCKS];
        if (slot->address == NULL)
            reference_enter(machine->reference, slot, hak_malloc(bytes), bytes, REFERENCE_C, NULL);
    }
}

static void do_free_many(Machine *machine) {
    ReferenceBlock *blocks = machine->reference->blocks;
    size_t first = stream_word(&machine->stream) % REFERENCE_BLOCKS, count = 8 * stream_byte(&machine->stream);
    unsigned order = stream_byte(&machine->stream);
    size_t step = order % 2 == 0 ? 1 + order / 2 % 8 : REFERENCE_BLOCKS - 1 - order / 2 % 8; /* forwards, backwards */
    for (size_t number = 0; number < count; number++)
        free_block(machine, &blocks[(first + number * step) % REFERENCE_BLOCKS], 2);
}

static void do_free_all_but_few(Machine *machine) {
    unsigned kept_one_in = stream_byte(&machine->stream);
    for (size_t number = 0; number < REFERENCE_BLOCKS; number++)
        if (kept_one_in == 0 || number % kept_one_in != 0) free_block(machine, &machine->reference->blocks[number], 2);
}

/* ---- Heaps ---- */

static uint64_t limit_of(Machine *machine) {
    unsigned value = stream_byte(&machine->stream);
    return value < 128 ? 0 : (uint64_t)(value - 127) * 4096;
}

static void do_heap_new(Machine *machine) {
    ReferenceHeap *heap = heap_of(machine);
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    unsigned kind = stream_byte(&machine->stream);
    options.is_private = kind & 1;
    options.alignment_bytes = (kind & 2) != 0 ? 8 : 16;
    options.soft_limit_bytes = limit_of(machine);
    options.hard_limit_bytes = limit_of(machine);
    if (heap->handle != NULL) return;
    hak_heap_t *handle = hak_heap_new(&options);
    bool is_valid = options.hard_limit_bytes == 0 || options.soft_limit_bytes <= options.hard_limit_bytes;
    REQUIRE_EQUAL(handle != NULL, is_valid);
    if (handle != NULL) reference_heap_enter(machine->reference, heap, handle, &options);
}

static void *allocate_in(ReferenceHeap *heap, size_t bytes) {
    void *address = hak_heap_malloc(heap->handle, bytes);
    REQUIRE(reference_heap_agrees(heap, usable_bytes_of_request(heap, bytes), address == NULL));
    return address;
}

static void do_heap_malloc(Machine *machine) {
    ReferenceHeap *heap = heap_of(machine);
    size_t first = stream_word(&machine->stream), bytes = stream_size(&machine->stream);
    size_t count = bytes < 4096 ? 1 + stream_byte(&machine->stream) % 64 : 1;
    for (size_t number = 0; heap->handle != NULL && number < count; number++) {
        ReferenceBlock *slot = &machine->reference->blocks[(first + number) % REFERENCE_BLOCKS];
        free_block(machine, slot, 2);
        void *address = allocate_in(heap, bytes);
        if (address != NULL) reference_enter(machine->reference, slot, address, bytes, REFERENCE_OF_HEAP, heap);
    }
}

static void do_heap_limit(Machine *machine) {
    ReferenceHeap *heap = heap_of(machine);
    uint64_t soft = limit_of(machine), hard = limit_of(machine);
    if (heap->handle == NULL) return;
    bool is_valid = hard == 0 || soft <= hard;
    REQUIRE_EQUAL(hak_heap_set_limit(heap->handle, soft, hard), is_valid ? 0 : EINVAL);
    if (is_valid) reference_heap_limits(heap, soft, hard);
}

static void do_heap_destroy(Machine *machine) {
    ReferenceHeap *heap = heap_of(machine);
    if (heap->handle != NULL) hak_heap_destroy(reference_heap_leave(machine->reference, heap));
}

/* ---- The second thread ---- */

static void step_in(void *argument) {
    Machine *machine = argument;
    run_steps(machine, machine->steps);
}

/* The next operations happen in the second thread, while this one waits. */
static void do_elsewhere(Machine *machine) {
    if (machine->worker == NULL) return;
    size_t steps = 1 + stream_byte(&machine->stream) % 32;
    Machine substitute = {machine->stream, machine->reference, NULL, NULL, steps};
    worker_begin(machine->worker, step_in, &substitute);
    worker_wait(machine->worker);
    machine->stream = substitute.stream;
}

/* A part of the stream runs in the second thread, with blocks of its own, and this one goes on. */
static void do_aside(Machine *machine) {
    if (machine->worker == NULL) return;
    worker_wait(machine->worker);
    size_t bytes = 4 * stream_byte(&machine->stream);
    machine->aside->stream = stream_split(&machine->stream, bytes);
    machine->aside->steps = SIZE_MAX;
    worker_begin(machine->worker, step_in, machine->aside);
}

static void do_end_thread(Machine *machine) {
    if (machine->worker != NULL) worker_end(machine->worker);
}

/* ---- The rest ---- */

static void do_trim(Machine *machine) {
    (void)machine;
    (void)hak_trim();
}

static void do_flush(Machine *machine) {
    (void)machine;
    hak_thread_flush();
}

static void do_option(Machine *machine) {
    static const char *const settings[][2] = {
        {"purge_delay_ms", "0"},
        {"purge_delay_ms", "1"},
        {"purge_delay_ms", "250"},
        {"retain_bytes", "0"},
        {"retain_bytes", "4194304"},
        {"retain_burst_bytes", "0"},
        {"retain_burst_bytes", "16777216"},
        {"retain_percent", "0"},
        {"retain_percent", "1000"},
        {"retain_burst_percent", "0"},
        {"retain_burst_percent", "25"},
        {"counters", "1"},
        {"counters", "0"},
    };
    const char *const *setting = settings[stream_byte(&machine->stream) % (sizeof settings / sizeof *settings)];
    stats_option_set(setting[0], setting[1]);
}

static void do_check(Machine *machine) {
    if (machine->worker == NULL) {
        REQUIRE_EQUAL(hak_check(), 0);
        return;
    }
    worker_wait(machine->worker);
    Reference *const references[] = {machine->reference, machine->aside->reference};
    reference_check(references[0]);
    reference_check(references[1]);
    reference_check_stats(references, 2);
}

/* ---- The sequence ---- */

static const struct {
    unsigned char share; /* of 256 */
    void (*run)(Machine *machine);
} operations[] = {
    {40, do_malloc},  {44, do_free},        {10, do_calloc},    {26, do_realloc},     {8, do_grow},
    {10, do_aligned}, {2, do_too_large},    {20, do_many},      {22, do_free_many},   {4, do_free_all_but_few},
    {8, do_heap_new}, {20, do_heap_malloc}, {4, do_heap_limit}, {4, do_heap_destroy}, {8, do_elsewhere},
    {6, do_aside},    {3, do_end_thread},   {4, do_trim},       {4, do_flush},        {5, do_option},
    {4, do_check},
};

static void run_one(Machine *machine) {
    unsigned choice = stream_byte(&machine->stream), sum = 0;
    for (size_t index = 0; index < sizeof operations / sizeof *operations; index++) {
        sum += operations[index].share;
        if (choice >= sum) continue;
        operations[index].run(machine);
        return;
    }
}

static void run_steps(Machine *machine, size_t steps) {
    for (; steps > 0 && !stream_is_over(&machine->stream); steps--) run_one(machine);
}

static void free_everything(Machine *machine) {
    Reference *reference = machine->reference;
    for (size_t number = 0; number < REFERENCE_HEAPS; number++)
        if (reference->heaps[number].handle != NULL)
            hak_heap_destroy(reference_heap_leave(reference, &reference->heaps[number]));
    for (size_t number = 0; number < REFERENCE_BLOCKS; number++) free_block(machine, &reference->blocks[number], 2);
}

static void reset_options(void) {
    const hak_option_info_t *info;
    for (size_t index = 0; (info = hak_option_info(index)) != NULL; index++)
        if (!info->at_start_only) stats_option_set(info->name, info->default_value);
}

void operations_run(const uint8_t *bytes, size_t count) {
    static Reference references[2];
    Worker worker = WORKER_START;
    Machine aside = {.reference = &references[1]};
    Machine machine = {{bytes, bytes + count}, &references[0], &worker, &aside, 0};
    memset(references, 0, sizeof references);
    references[1].next_key = (uint64_t)1 << 32;
    run_steps(&machine, SIZE_MAX);
    do_check(&machine);
    free_everything(&machine);
    free_everything(&aside); /* by this thread, beside the one that made them */
    REQUIRE_EQUAL(references[0].live_blocks + references[1].live_blocks, 0);
    worker_end(&worker);
    reset_options();
    stats_require_all_returned();
}
