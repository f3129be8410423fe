/*
 * heap/heap_thread.c - start-up, and the heap of a thread from its first block to its end.
 *
 * Layer: heap. Thread rule: heap_attach and the exit hook run in the thread whose heap it is.
 *
 * States of a heap: (unmade) -heap_attach-> HEAP_THREAD -thread exit-> HEAP_POOLED -heap_attach-> HEAP_THREAD.
 * At exit the magazines are flushed and all slabs move to heap_shared, where any heap finds them.
 */
#include "heap/fork.h"
#include "heap/heap.h"
#include "heap/heap_all.h"
#include "heap/heap_slabs.h"
#include "heap/purge.h"
#include "platform/option.h"
#include "platform/os_memory_tool.h"
#include "slab/slab_guard.h"
#include "superslab/metadata.h"
#include "superslab/registry.h"

/* Destructors of other thread-specific data may allocate after ours ran. The hook is armed again for them this often;
 * then the shared heap serves what is left of the thread. */
enum { REATTACH_MAX = 2 };
static _Thread_local unsigned exits_seen;

static Heap *pool; /* under heap_list_lock */

/* ---- Start ---- */

static os_lock_t start_lock = {.rank = LOCK_RANK_START};
static _Atomic bool is_started;

void heap_start(void) {
    /* acquire; pairs with the release below */
    if (HAK_LIKELY(atomic_load_explicit(&is_started, memory_order_acquire))) return;
    os_lock(&start_lock);
    if (!LOAD_RELAXED(is_started)) {
        os_initialize();
        registry_initialize();
        option_initialize();
        if (os_memory_tool_is_present()) STORE_RELAXED(option_values[OPTION_DEBUG], OPTION_DEBUG_GUARD);
        size_class_initialize(option_value(OPTION_ALIGN) == OPTION_ALIGN_16, slab_is_guarded());
        heap_list_add(&heap_shared);
        heap_magazines_initialize(&heap_none);
        heap_magazines_initialize(&heap_shared);
        os_thread_exit_hook_set(heap_detach_thread);
        atomic_store_explicit(&is_started, true, memory_order_release);
    }
    os_unlock(&start_lock);
}

/* ---- The end of the process ---- */

/* What is in the magazines goes to its slabs, where a block that was freed twice shows. */
__attribute__((destructor)) static void flush_at_end(void) {
    if (heap_of_thread->kind == HEAP_THREAD) heap_flush_own(heap_of_thread);
}

/* ---- Fork ---- */

/* The start, too, is over or has not begun in a child. Here and not in fork.c: of the archive a program gets the objects that
 * something refers to, and nothing refers to a constructor. */
static void before_fork(void) {
    os_lock(&start_lock);
    fork_prepare();
}

static void after_fork_in_parent(void) {
    fork_parent();
    os_unlock(&start_lock);
}

static void after_fork_in_child(void) {
    fork_child();
    os_unlock(&start_lock);
}

/* Before any request: another thread may fork in the middle of the first. */
__attribute__((constructor)) static void set_fork_hooks(void) {
    os_fork_hooks_set(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* ---- A thread's heap ---- */

void heap_lock_at_rest(Heap *heap) {
    enum { WAIT_MS = 1 };
    os_lock(&heap->lock);
    while (heap->purging_slabs != 0) {
        os_unlock(&heap->lock);
        os_wait_ms(&purges_in_flight, LOAD_RELAXED(purges_in_flight), WAIT_MS);
        os_lock(&heap->lock);
    }
}

Heap *heap_take(HeapKind kind) {
    os_lock(&heap_list_lock);
    Heap *heap = pool;
    if (heap != NULL) {
        pool = heap->next_pooled;
    } else {
        heap = metadata_map(sizeof *heap);
        if (heap != NULL) {
            heap->lock.rank = LOCK_RANK_HEAP;
            heap_list_add(heap);
        }
    }
    os_unlock(&heap_list_lock);
    if (heap == NULL) return NULL;
    heap_lock_at_rest(heap); /* a slab of its former thread comes back to that thread's heirs, not to this one */
    heap->kind = kind;
    heap_magazines_initialize(heap);
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++)
        STORE_RELAXED(heap->magazine[index].top, heap_slots(heap, index));
    heap_open(heap);
    os_unlock(&heap->lock);
    return heap;
}

/* What a pooled heap knows is zero, or garbage in unused slots: beyond a few heaps that are warm for the next threads,
 * its OS pages go to the OS. */
static void forget_arrays(Heap *heap) {
    uintptr_t start = round_up_bytes((uintptr_t)heap->small_slots, os_page_bytes);
    uintptr_t end = ((uintptr_t)heap + sizeof *heap) / os_page_bytes * os_page_bytes;
    if (end > start) (void)os_purge((void *)start, end - start);
    for (unsigned piece = 0; piece < heap->slot_piece_count; piece++)
        (void)os_purge(heap->slot_piece[piece], heap_slot_piece_bytes());
}

void heap_pool(Heap *heap) {
    enum { WARM_HEAPS = 8 };
    os_lock(&heap_list_lock);
    unsigned pooled_count = 0;
    for (Heap *pooled = pool; pooled != NULL && pooled_count < WARM_HEAPS; pooled = pooled->next_pooled) pooled_count++;
    os_unlock(&heap_list_lock);
    if (pooled_count == WARM_HEAPS) forget_arrays(heap);
    os_lock(&heap_list_lock);
    heap->next_pooled = pool;
    pool = heap;
    os_unlock(&heap_list_lock);
}

Heap *heap_attach(void) {
    heap_start();
    if (exits_seen >= REATTACH_MAX) return NULL;
    Heap *heap = heap_take(HEAP_THREAD);
    if (heap == NULL) return NULL;
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
    atomic_fetch_add_explicit(&heap_retired_live, (int64_t)heap_counters_reset(heap), memory_order_relaxed);
    heap->kind = HEAP_POOLED;
    atomic_fetch_sub_explicit(&heap_thread_count, 1, memory_order_relaxed);
    os_unlock(&heap->lock);
}

int64_t heap_detach(Heap *heap) {
    heap_enter(heap);
    heap_flush_all(heap);
    heap_retire(heap);
    int64_t unshown_bytes = heap->unshown_bytes;
    heap->unshown_bytes = 0;
    heap_pool(heap);
    return unshown_bytes;
}

void heap_detach_thread(void) {
    Heap *heap = heap_of_thread;
    exits_seen++;
    if (heap->kind != HEAP_THREAD) return;
    heap_of_thread = &heap_none;
    int64_t unshown_bytes = heap_detach(heap);
    if (heap_live_blocks() == 0) heap_reclaim_others(false);
    purge_show_returned(unshown_bytes);
}
