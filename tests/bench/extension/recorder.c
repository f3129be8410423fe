/*
 * recorder.c - writes the mem and obj requests of a Python program to a file (format: recorder.h).
 *
 * Thread rule: mem and obj are called with the GIL held, so there is one writer. Own-GIL sub-interpreters are not
 * supported: a program that uses them cannot be recorded.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "recorder.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static PyMemAllocatorEx previous[2];
static FILE *file; /* NULL while nothing is recorded */
static long long event_count;

static void write_number(uint64_t number) {
    while (number >= 0x80) {
        putc_unlocked((int)(number & 0x7f) | 0x80, file);
        number >>= 7;
    }
    putc_unlocked((int)number, file);
}

static void write_event(TraceEvent event, uint64_t value) {
    event_count++;
    write_number(value << 3 | (uint64_t)event);
}

/* ---- Ids: the most recently freed one, or the next new one ---- */

static uint32_t *free_ids;
static size_t free_id_count, free_id_capacity;
static uint32_t next_new_id;

static void out_of_memory(void) {
    fputs("recorder: out of memory\n", stderr);
    abort();
}

static uint32_t id_take(void) { return free_id_count > 0 ? free_ids[--free_id_count] : next_new_id++; }

static void id_give_back(uint32_t id) {
    if (free_id_count == free_id_capacity) {
        free_id_capacity = free_id_capacity == 0 ? 65536 : free_id_capacity * 2;
        free_ids = realloc(free_ids, free_id_capacity * sizeof *free_ids);
        if (free_ids == NULL) out_of_memory();
    }
    free_ids[free_id_count++] = id;
}

/* ---- Address to id: open addressing, deletion by moving the followers back ---- */

typedef struct Entry {
    uintptr_t address; /* 0: empty */
    uint32_t id;
} Entry;

static Entry *entries;
static size_t entry_count, entry_mask;

static size_t home_of(uintptr_t address) {
    return (size_t)(((uint64_t)(address >> 3) * 0x9e3779b97f4a7c15u) >> 20) & entry_mask;
}

static size_t find_slot(uintptr_t address) {
    size_t slot = home_of(address);
    while (entries[slot].address != 0 && entries[slot].address != address) slot = (slot + 1) & entry_mask;
    return slot;
}

static void grow_entries(void) {
    Entry *old = entries;
    size_t old_capacity = old == NULL ? 0 : entry_mask + 1;
    size_t capacity = old == NULL ? 1 << 20 : old_capacity * 2;
    entries = calloc(capacity, sizeof *entries);
    if (entries == NULL) out_of_memory();
    entry_mask = capacity - 1;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].address != 0) entries[find_slot(old[i].address)] = old[i];
    free(old);
}

static void block_add(void *block, uint32_t id) {
    if (entries == NULL || entry_count * 2 > entry_mask) grow_entries();
    size_t slot = find_slot((uintptr_t)block);
    if (entries[slot].address == 0) entry_count++;
    entries[slot] = (Entry){(uintptr_t)block, id};
}

/* False when the block was there before the recording. */
static bool block_remove(void *block, uint32_t *id) {
    if (entries == NULL) return false;
    size_t hole = find_slot((uintptr_t)block);
    if (entries[hole].address == 0) return false;
    *id = entries[hole].id;
    entry_count--;
    for (size_t slot = (hole + 1) & entry_mask; entries[slot].address != 0; slot = (slot + 1) & entry_mask) {
        size_t distance_to_home = (slot - home_of(entries[slot].address)) & entry_mask;
        size_t distance_to_hole = (slot - hole) & entry_mask;
        if (distance_to_home < distance_to_hole) continue;
        entries[hole] = entries[slot];
        hole = slot;
    }
    entries[hole].address = 0;
    return true;
}

/* ---- The hooks; ctx is the previous allocator ---- */

static void *note_new(void *block, TraceEvent event, size_t size_bytes) {
    if (file == NULL || block == NULL) return block;
    write_event(event, size_bytes);
    block_add(block, id_take());
    return block;
}

static void *hook_malloc(void *ctx, size_t size_bytes) {
    PyMemAllocatorEx *below = ctx;
    TraceEvent event = below == &previous[0] ? TRACE_MALLOC_PLAIN : TRACE_MALLOC_OBJECT;
    return note_new(below->malloc(below->ctx, size_bytes), event, size_bytes);
}

static void *hook_calloc(void *ctx, size_t count, size_t size_bytes) {
    PyMemAllocatorEx *below = ctx;
    return note_new(below->calloc(below->ctx, count, size_bytes), TRACE_CALLOC, count * size_bytes);
}

static void hook_free(void *ctx, void *block) {
    PyMemAllocatorEx *below = ctx;
    uint32_t id;
    if (block != NULL && file != NULL && block_remove(block, &id)) {
        write_event(TRACE_FREE, id);
        id_give_back(id);
    }
    below->free(below->ctx, block);
}

static void *hook_realloc(void *ctx, void *block, size_t size_bytes) {
    PyMemAllocatorEx *below = ctx;
    bool is_plain = below == &previous[0];
    uint32_t id;
    if (block == NULL) return hook_malloc(ctx, size_bytes);
    /* Before the call: afterwards the old address may belong to another block. */
    bool is_known = file != NULL && block_remove(block, &id);
    void *resized = below->realloc(below->ctx, block, size_bytes);
    if (file == NULL) return resized;
    if (!is_known) return note_new(resized, is_plain ? TRACE_MALLOC_PLAIN : TRACE_MALLOC_OBJECT, size_bytes);
    block_add(resized == NULL ? block : resized, id);
    if (resized != NULL) {
        write_event(is_plain ? TRACE_REALLOC_PLAIN : TRACE_REALLOC_OBJECT, id);
        write_number(size_bytes);
    }
    return resized;
}

/* ---- Start, mark, stop ---- */

static void install(void) {
    static bool installed;
    static const PyMemAllocatorDomain domains[2] = {PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    if (installed) return;
    installed = true;
    for (int i = 0; i < 2; i++) {
        PyMemAllocatorEx hook = {&previous[i], hook_malloc, hook_calloc, hook_realloc, hook_free};
        PyMem_GetAllocator(domains[i], &previous[i]);
        PyMem_SetAllocator(domains[i], &hook);
    }
}

int recorder_start(const char *path) {
    file = fopen(path, "wb");
    if (file == NULL) return -1;
    setvbuf(file, NULL, _IOFBF, 1 << 20);
    fputs(TRACE_MAGIC, file);
    install();
    return 0;
}

void recorder_mark(const char *text, size_t length) {
    if (file == NULL) return;
    write_event(TRACE_MARK, length);
    fwrite(text, 1, length, file);
}

long long recorder_stop(void) {
    if (file == NULL) return event_count;
    FILE *finished = file;
    file = NULL;
    int write_errno = ferror(finished) ? EIO : 0;
    if (fclose(finished) != 0) write_errno = errno;
    errno = write_errno;
    return write_errno != 0 ? -1 : event_count;
}
