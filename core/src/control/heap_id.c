/*
 * control/heap_id.c - heaps by number: a stale number is an error, where a stale pointer would be a crash.
 *
 * Layer: control. Thread rule: any thread. heap_list_lock, which a fork takes too, guards the list. Limits and stats
 * are set and read under it, so that the heap cannot be destroyed meanwhile.
 */
#include "control/heap_id.h"

#include <errno.h>

#include "heap/heap_all.h"

typedef struct HeapEntry {
    struct HeapEntry *next; /* with the next higher number */
    uint64_t number;
    hak_heap_t *heap;
} HeapEntry;

static HeapEntry *lowest;
static uint64_t last_number;

/* The link to the first entry whose number is at least `number`. */
static HeapEntry **find(uint64_t number) {
    HeapEntry **link = &lowest;
    while (*link != NULL && (*link)->number < number) link = &(*link)->next;
    return link;
}

static bool is_at(HeapEntry *const *link, uint64_t number) { return *link != NULL && (*link)->number == number; }

int heap_id_new(const hak_heap_options_t *options, uint64_t *number) {
    int saved = errno;
    hak_heap_t *heap = hak_heap_new(options);
    HeapEntry *added = heap == NULL ? NULL : hak_calloc(1, sizeof *added);
    if (added == NULL) {
        int error = errno;
        errno = saved;
        hak_heap_destroy(heap);
        return error;
    }
    added->heap = heap;
    lock_acquire(&heap_list_lock);
    added->number = ++last_number;
    *find(added->number) = added;
    *number = added->number;
    lock_release(&heap_list_lock);
    return 0;
}

int heap_id_destroy(uint64_t number) {
    HeapEntry *removed = NULL;
    lock_acquire(&heap_list_lock);
    HeapEntry **link = find(number);
    if (is_at(link, number)) {
        removed = *link;
        *link = removed->next;
    }
    lock_release(&heap_list_lock);
    if (removed == NULL) return ENOENT;
    hak_heap_destroy(removed->heap);
    hak_free(removed);
    return 0;
}

int heap_id_set_limit(uint64_t number, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) {
    lock_acquire(&heap_list_lock);
    HeapEntry **link = find(number);
    int error = is_at(link, number) ? hak_heap_set_limit((*link)->heap, soft_limit_bytes, hard_limit_bytes) : ENOENT;
    lock_release(&heap_list_lock);
    return error;
}

int heap_id_stats_get(uint64_t number, hak_heap_stats_t *stats) {
    lock_acquire(&heap_list_lock);
    HeapEntry **link = find(number);
    int error = is_at(link, number) ? hak_heap_stats_get((*link)->heap, stats) : ENOENT;
    lock_release(&heap_list_lock);
    return error;
}

hak_heap_t *heap_id_heap(uint64_t number) {
    lock_acquire(&heap_list_lock);
    HeapEntry **link = find(number);
    hak_heap_t *heap = is_at(link, number) ? (*link)->heap : NULL;
    lock_release(&heap_list_lock);
    return heap;
}

uint64_t heap_id_next(uint64_t number) {
    if (number == UINT64_MAX) return 0;
    lock_acquire(&heap_list_lock);
    const HeapEntry *next = *find(number + 1);
    uint64_t next_number = next == NULL ? 0 : next->number;
    lock_release(&heap_list_lock);
    return next_number;
}
