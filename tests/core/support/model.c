/*
 * support/model.c - the reference and the sequence.
 */
#include "support/model.h"

#include <hakmem.h>
#include <stdbool.h>
#include <stdlib.h>

#include "support/pattern.h"
#include "support/random.h"
#include "support/require.h"
#include "support/resident.h"
#include "support/stats.h"

typedef struct ModelBlock {
    char *address; /* NULL: the slot is empty */
    size_t bytes, usable_bytes;
    uint64_t key;
} ModelBlock;

typedef struct Model {
    Random random;
    ModelLimits limits;
    ModelBlock *slots;
    uint64_t next_key, live_blocks, live_bytes;
} Model;

/* ---- The reference ---- */

static void block_enter(Model *model, ModelBlock *slot, void *address, size_t bytes, size_t alignment) {
    REQUIRE(address != NULL);
    REQUIRE_EQUAL((uintptr_t)address % alignment, 0);
    REQUIRE_EQUAL(hak_owns(address), 1);
    *slot = (ModelBlock){address, bytes, hak_usable_size(address), model->next_key++};
    REQUIRE_AT_LEAST(slot->usable_bytes, bytes);
    pattern_fill(address, bytes, slot->key);
    model->live_blocks++;
    model->live_bytes += slot->usable_bytes;
}

static void block_leave(Model *model, ModelBlock *slot) {
    REQUIRE(pattern_holds(slot->address, slot->bytes, slot->key));
    REQUIRE_EQUAL(hak_usable_size(slot->address), slot->usable_bytes);
    model->live_blocks--;
    model->live_bytes -= slot->usable_bytes;
}

static int by_address(const void *left, const void *right) {
    const ModelBlock *const *first = left, *const *second = right;
    return ((*first)->address > (*second)->address) - ((*first)->address < (*second)->address);
}

static void check_all(Model *model) {
    ModelBlock **sorted = malloc(model->limits.slots * sizeof *sorted);
    size_t count = 0;
    REQUIRE(sorted != NULL);
    for (size_t number = 0; number < model->limits.slots; number++) {
        ModelBlock *slot = &model->slots[number];
        if (slot->address == NULL) continue;
        REQUIRE(pattern_holds(slot->address, slot->bytes, slot->key));
        sorted[count++] = slot;
    }
    qsort(sorted, count, sizeof *sorted, by_address);
    for (size_t number = 1; number < count; number++)
        REQUIRE_AT_LEAST((uintptr_t)sorted[number]->address,
                         (uintptr_t)sorted[number - 1]->address + sorted[number - 1]->usable_bytes);
    free(sorted);
    hak_stats_t stats = stats_checked();
    REQUIRE_EQUAL(count, model->live_blocks);
    REQUIRE_EQUAL(stats.live_blocks, model->live_blocks);
    REQUIRE_EQUAL(stats.live_bytes, model->live_bytes);
    REQUIRE_EQUAL(hak_check(), 0);
}

/* ---- The operations ---- */

static void do_allocate(Model *model, ModelBlock *slot) {
    size_t bytes = random_size(&model->random, model->limits.large_bytes_max);
    size_t kind = random_below(&model->random, 10);
    if (kind < 5) {
        block_enter(model, slot, hak_malloc(bytes), bytes, bytes > 8 ? 16 : 8);
    } else if (kind < 7) {
        void *address = hak_calloc(1 + bytes / 8, 8);
        REQUIRE(pattern_is_zero(address, (1 + bytes / 8) * 8));
        block_enter(model, slot, address, (1 + bytes / 8) * 8, 8);
    } else if (kind < 8) {
        size_t alignment = (size_t)1 << random_below(&model->random, bytes <= 32768 ? 17 : 21);
        block_enter(model, slot, hak_aligned_alloc(alignment, bytes), bytes, alignment);
    } else if (kind < 9) {
        block_enter(model, slot, hak_malloc_object(bytes), bytes, 8);
    } else {
        block_enter(model, slot, hak_malloc_align8(bytes), bytes, 8);
    }
}

static void do_realloc(Model *model, ModelBlock *slot) {
    ModelBlock former = *slot;
    size_t bytes = random_size(&model->random, model->limits.large_bytes_max);
    if (random_below(&model->random, 2) == 0) { /* often a neighbouring size, as lists grow and shrink */
        bytes = former.bytes + former.bytes / 8 + 8;
        if (random_below(&model->random, 2) == 0 || bytes > model->limits.large_bytes_max) bytes = former.bytes / 2;
    }
    size_t kind = random_below(&model->random, 3);
    block_leave(model, slot);
    char *moved = kind == 0   ? hak_realloc(former.address, bytes)
                  : kind == 1 ? hak_realloc_object(former.address, bytes)
                              : hak_realloc_align8(former.address, bytes);
    REQUIRE(moved != NULL);
    REQUIRE(pattern_holds_prefix(moved, bytes, former.bytes, former.key));
    block_enter(model, slot, moved, bytes, 8);
}

static void do_free(Model *model, ModelBlock *slot) {
    block_leave(model, slot);
    size_t kind = random_below(&model->random, 4);
    if (kind == 0) {
        hak_free_sized(slot->address, slot->bytes);
    } else if (kind == 1) {
        REQUIRE_EQUAL(hak_free_if_owned(slot->address), 1);
    } else {
        hak_free(slot->address);
    }
    slot->address = NULL;
}

static void do_option(Model *model) {
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
        {"retain_percent", "5"},
        {"counters", "1"},
        {"retain_burst_percent", "0"},
        {"retain_burst_percent", "25"},
        {"counters", "0"},
    };
    size_t choice = random_below(&model->random, sizeof settings / sizeof *settings);
    stats_option_set(settings[choice][0], settings[choice][1]);
}

/* A whole generation dies at once, as when a document is dropped. */
static void do_drop(Model *model) {
    size_t survivors_of_1000 = random_below(&model->random, 3) * 10;
    for (size_t number = 0; number < model->limits.slots; number++) {
        ModelBlock *slot = &model->slots[number];
        if (slot->address != NULL && random_below(&model->random, 1000) >= survivors_of_1000) do_free(model, slot);
    }
}

static void step(Model *model) {
    size_t choice = random_below(&model->random, 10000);
    ModelBlock *slot = &model->slots[random_below(&model->random, model->limits.slots)];
    if (choice < 10) {
        do_option(model);
    } else if (choice < 15) {
        (void)hak_trim();
    } else if (choice < 30) {
        hak_thread_flush();
    } else if (choice < 32) {
        do_drop(model);
    } else if (slot->address == NULL) {
        do_allocate(model, slot);
    } else if (choice < 3000) {
        do_realloc(model, slot);
    } else {
        do_free(model, slot);
    }
}

void model_run(uint64_t seed, ModelLimits limits) {
    Model model = {.random = random_start(seed), .limits = limits, .next_key = seed};
    hak_stats_t before = stats_checked();
    model.live_blocks = before.live_blocks;
    model.live_bytes = before.live_bytes;
    REQUIRE_EQUAL(model.live_blocks, 0);
    model.slots = calloc(limits.slots, sizeof *model.slots);
    REQUIRE(model.slots != NULL);
    for (size_t number = 1; number <= limits.steps; number++) {
        step(&model);
        if (number % limits.steps_between_checks == 0) check_all(&model);
    }
    for (size_t number = 0; number < limits.slots; number++)
        if (model.slots[number].address != NULL) do_free(&model, &model.slots[number]);
    check_all(&model);
    stats_require_all_returned();
    free(model.slots);
}
