/*
 * heap/heap_thread.c - start-up, and the heap of a thread from its first block to its end.
 *
 * Layer: heap. Thread rule: heap_attach and the exit hook run in the thread whose heap it is.
 *
 * States of a heap: (unmade) -heap_attach-> HEAP_THREAD -thread exit-> HEAP_POOLED -heap_attach-> HEAP_THREAD.
 * At exit the magazines are flushed and all slabs move to heap_shared, where any heap finds them.
 */
#include "heap/fast.h"
#include "heap/fork.h"
#include "heap/heap.h"
#include "heap/purge.h"
#include "platform/option.h"
#include "superslab/metadata.h"

os_lock_t heap_list_lock = {.rank = LOCK_RANK_HEAP_LIST};
Heap *_Atomic heap_list;
Heap heap_none; /* kind HEAP_NONE, magazines without room: every operation takes the slow path */
Heap heap_shared = {.kind = HEAP_SHARED, .lock = {.rank = LOCK_RANK_SHARED_HEAP}};
_Atomic int64_t heap_retired_live;
_Atomic uint64_t heap_retired_mallocs;
_Atomic uint64_t heap_large_mallocs;
_Atomic uint32_t heap_thread_count;

_Thread_local Heap *heap_of_thread HEAP_TLS_MODEL = &heap_none;

/* Destructors of other thread-specific data may allocate after ours ran. The hook is armed again for them this often;
 * then the shared heap serves what is left of the thread. */
enum { REATTACH_MAX = 2 };
static _Thread_local unsigned exits_seen;

static Heap *heap_pool; /* under heap_list_lock */

/* ---- Start ---- */

static os_lock_t start_lock = {.rank = LOCK_RANK_START};
static _Atomic bool is_started;

static void heap_list_add(Heap *heap) {
    heap->next = LOAD_RELAXED(heap_list);
    /* release; pairs with the acquire of those who walk the list without its lock */
    atomic_store_explicit(&heap_list, heap, memory_order_release);
}

void heap_start(void) {
    /* acquire; pairs with the release below */
    if (HAK_LIKELY(atomic_load_explicit(&is_started, memory_order_acquire))) return;
    os_lock(&start_lock);
    if (!LOAD_RELAXED(is_started)) {
        os_initialize();
        option_initialize();
        size_class_initialize(option_value(OPTION_ALIGN) == OPTION_ALIGN_16);
        heap_list_add(&heap_shared);
        os_thread_exit_hook_set(heap_detach_thread);
        os_fork_hooks_set(fork_prepare, fork_parent, fork_child);
        atomic_store_explicit(&is_started, true, memory_order_release);
    }
    os_unlock(&start_lock);
}

/* ---- A thread's heap ---- */

static Heap *heap_take(void) {
    os_lock(&heap_list_lock);
    Heap *heap = heap_pool;
    if (heap != NULL) {
        heap_pool = heap->next_pooled;
    } else {
        heap = metadata_map(sizeof *heap);
        if (heap != NULL) {
            heap->lock.rank = LOCK_RANK_HEAP;
            heap_list_add(heap);
        }
    }
    os_unlock(&heap_list_lock);
    return heap;
}

Heap *heap_attach(void) {
    heap_start();
    if (exits_seen >= REATTACH_MAX) return NULL;
    Heap *heap = heap_take();
    if (heap == NULL) return NULL;
    os_lock(&heap->lock);
    heap->kind = HEAP_THREAD;
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++)
        STORE_RELAXED(heap->magazine[index].top, heap_slots(heap, index));
    heap_open(heap);
    os_unlock(&heap->lock);
    atomic_fetch_add_explicit(&heap_thread_count, 1, memory_order_relaxed);
    heap_of_thread = heap;
    os_thread_exit_hook_arm();
    return heap;
}

/* Sums of the heap go to the retired ones, its slabs to the shared heap. The magazines are empty. */
static void heap_retire(Heap *heap) {
    os_lock(&heap->lock);
    os_lock(&heap_shared.lock);
    heap_slabs_adopt(&heap_shared, heap);
    os_unlock(&heap_shared.lock);
    uint64_t mallocs = LOAD_RELAXED(heap->mallocs) - (uint64_t)LOAD_RELAXED(heap->settled);
    int64_t live = (int64_t)(mallocs - LOAD_RELAXED(heap->frees));
    STORE_RELAXED(heap->mallocs, 0);
    STORE_RELAXED(heap->mallocs_done, 0);
    STORE_RELAXED(heap->frees, 0);
    STORE_RELAXED(heap->frees_done, 0);
    STORE_RELAXED(heap->settled, 0);
    heap->frees_at_flush = 0;
    heap->quick_zero_flushes = 0;
    heap->settle_at_frees = 0;
    heap->kind = HEAP_POOLED;
    atomic_fetch_add_explicit(&heap_retired_mallocs, mallocs, memory_order_relaxed);
    atomic_fetch_add_explicit(&heap_retired_live, live, memory_order_relaxed);
    atomic_fetch_sub_explicit(&heap_thread_count, 1, memory_order_relaxed);
    os_unlock(&heap->lock);
}

void heap_detach(Heap *heap) {
    heap_enter(heap);
    heap_flush_all(heap);
    heap_retire(heap);
    os_lock(&heap_list_lock);
    heap->next_pooled = heap_pool;
    heap_pool = heap;
    os_unlock(&heap_list_lock);
}

void heap_detach_thread(void) {
    Heap *heap = heap_of_thread;
    exits_seen++;
    if (heap->kind != HEAP_THREAD) return;
    heap_of_thread = &heap_none;
    heap_detach(heap);
    if (heap_live_blocks() == 0) heap_reclaim_others(false);
    purge_if_over_bound();
}

/* ---- All of them ---- */

void heap_lock_all(void) {
    os_lock_order_suspend(true);
    os_lock(&heap_list_lock);
    for (Heap *heap = LOAD_RELAXED(heap_list); heap != NULL; heap = heap->next)
        if (heap != &heap_shared) os_lock(&heap->lock);
    os_lock(&heap_shared.lock);
}

void heap_unlock_all(void) {
    os_unlock(&heap_shared.lock);
    for (Heap *heap = LOAD_RELAXED(heap_list); heap != NULL; heap = heap->next)
        if (heap != &heap_shared) os_unlock(&heap->lock);
    os_unlock(&heap_list_lock);
    os_lock_order_suspend(false);
}

uint64_t heap_live_blocks(void) {
    int64_t live = LOAD_RELAXED(heap_retired_live);
    for (Heap *heap = atomic_load_explicit(&heap_list, memory_order_acquire); heap != NULL; heap = heap->next)
        live += (int64_t)(LOAD_RELAXED(heap->mallocs) - LOAD_RELAXED(heap->frees)) - LOAD_RELAXED(heap->settled);
    return live < 0 ? 0 : (uint64_t)live;
}

int64_t heap_used_bytes_all(void) {
    int64_t bytes = 0;
    for (Heap *heap = atomic_load_explicit(&heap_list, memory_order_acquire); heap != NULL; heap = heap->next)
        bytes += LOAD_RELAXED(heap->used_bytes);
    return bytes;
}
