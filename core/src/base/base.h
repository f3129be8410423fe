/*
 * base/base.h - glossary, fixed sizes, and the few macros that every layer uses.
 *
 * Layer: base (lowest; includes nothing of ours). Thread rule: constants and pure functions only.
 *
 * Glossary, one meaning each; made from docs/design.md by: python tests/lint/glossary.py --write
 *
 *   OS page       the unit in which the kernel backs memory: os_page_bytes, read at run time (platform/os.h)
 *   block         the memory that a caller gets for one request (hakmem.h)
 *   size class    the block size that a request is rounded up to (superslab/size_class.h)
 *   slab          SLAB_BYTES of address space for blocks of one size class (slab/slab.h)
 *   SuperSlab     SUPERSLAB_BYTES of address space, aligned to its size: SLABS_PER_SUPERSLAB slabs of any size
 *                 classes (superslab/superslab.h)
 *   large block   a block above SLAB_CLASS_BYTES_MAX: a run or a mapping (alloc/large.h)
 *   run           neighbouring slabs of a SuperSlab that hold one large block of at most RUN_BYTES_MAX
 *                 (superslab/run.h)
 *   mapping       address space of its own for one larger block (superslab/mapping.h)
 *   live          of a block: held by a caller (base/types.h)
 *   cached        of a block: in a magazine. Of a run: without a block, and kept as it is (I18) (cache/magazine.h)
 *   used          of a block: live or cached. Of a slab: owned by a heap, or part of a run (base/types.h)
 *   free          of a block or a slab: not used. Of a mapping or a run: without a block. Of an OS page: touched by
 *                 no used block (base/types.h)
 *   backed        of an OS page: with memory behind it, as far as is known. Unbacked: never touched, or purged
 *                 (base/types.h)
 *   supply        all SuperSlabs and mappings, under one lock; hands out free slabs and takes empty ones back
 *                 (superslab/supply.h)
 *   active        of a SuperSlab: with a used slab (superslab/superslab.c)
 *   spare         of a SuperSlab: without used slabs, still mapped (superslab/superslab.c)
 *   registry      address to slab class and SuperSlab, for any address, without reading it (superslab/registry.h)
 *   window        the addresses that the registry covers with dense tables; others go through a radix tree
 *                 (superslab/registry.h)
 *   heap          a set of magazines and TLS slabs, and the slabs that it owns; each thread has one (heap/heap.h)
 *   magazine      a heap's stack of blocks of one size class, ready to be handed out: the fast path
 *                 (cache/magazine.h)
 *   TLS slab      the slab from which a heap refills the magazine of one size class (heap/heap_take.h)
 *   refill        blocks of a slab go into an empty magazine (alloc/malloc.c)
 *   flush         blocks of a magazine go back to their slabs; cached runs become free slabs (cache/flush.h,
 *                 alloc/free.c)
 *   cold class    a size class of which a heap has taken few blocks: fewer than COLD_BLOCKS_MIN, or less than an OS
 *                 page's worth (alloc/malloc.c)
 *   shared heap   the heap that owns the slabs that ended threads left, and those from which cold classes take their
 *                 blocks (heap/heap_all.h)
 *   private heap  a heap of a host: its slabs serve nobody else and go with it (alloc/private_heap.h)
 *   account       what a host's heap holds, in bytes and blocks, and its limits (api/account.h)
 *   owner lock    the lock of the heap that owns a slab; under it blocks go back to that slab (heap/owner_lock.h)
 *   empty heap    a heap whose frees have met its mallocs; it flushes its magazines (alloc/empty_heap.h)
 *   rebase        a heap moves its count of mallocs so that it meets that of its frees at the last free of the
 *                 process (alloc/empty_heap.c)
 *   reclaim       one thread flushes the magazines of another that is outside the allocator (cache/reclaim.h)
 *   purge         give OS pages back; their addresses stay mapped (retention/purge.h)
 *   release       unmap a SuperSlab or a mapping (superslab/superslab.c, superslab/mapping.c)
 *   trim          flush, reclaim, purge and release all that can go, now (api/api_control.c)
 *   detached      in no list, while the kernel works on it: a slab, a SuperSlab, a mapping, or a heap that ends with
 *                 its slabs (superslab/superslab.h)
 *   idle bound    limits the OS pages that have been free and backed for longer than purge_delay_ms
 *                 (retention/bounds.h)
 *   burst bound   limits all OS pages that are free and backed (retention/burst.h)
 *   poll          a comparison of the free backed bytes with both bounds (retention/retention.h)
 *   report        a heap adds the bytes that it returned to the sum of the process (retention/retention.h)
 *   helper        the thread that keeps the idle bound while nobody calls the allocator (retention/helper.h)
 *   freeze        hold all locks with nothing detached, for a fork and for hak_check (lifecycle/freeze.h)
 *   pool          heaps whose thread or host has ended; they wait for the next (lifecycle/pool.h)
 */
#ifndef HAK_BASE_BASE_H
#define HAK_BASE_BASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/symbols.h"

#define SLAB_SHIFT 16u
#define SLAB_BYTES ((size_t)1 << SLAB_SHIFT)
#define SUPERSLAB_SHIFT 21u
#define SUPERSLAB_BYTES ((size_t)1 << SUPERSLAB_SHIFT)
#define SLABS_PER_SUPERSLAB 32u

#define OS_PAGE_BYTES_MIN 4096u
#define OS_PAGE_BYTES_MAX 65536u
#define OS_PAGES_PER_SLAB_MAX (SLAB_BYTES / OS_PAGE_BYTES_MIN)

#define BLOCKS_PER_SLAB_MAX 4096u   /* 8-byte blocks fill half a slab; the other half is never backed */
#define SLAB_CLASS_BYTES_MAX 32768u /* larger blocks: runs of slabs up to RUN_BYTES_MAX, mappings beyond */

#define CACHE_LINE_BYTES 64u

_Static_assert(SUPERSLAB_BYTES == SLABS_PER_SUPERSLAB * SLAB_BYTES, "a SuperSlab is 32 slabs");
_Static_assert(sizeof(void *) == 8, "hakmem is written for 64-bit address spaces");

#if defined(__GNUC__) || defined(__clang__)
#define HAK_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define HAK_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define HAK_INLINE static inline __attribute__((always_inline))
#define HAK_NOINLINE __attribute__((noinline))
#define HAK_COLD __attribute__((noinline, cold))
#define HAK_HIDDEN __attribute__((visibility("hidden"))) /* on a declaration: addressed without the GOT */
#else
#error "hakmem needs GCC or Clang"
#endif

#ifndef HAK_DEBUG_CHECKS
#define HAK_DEBUG_CHECKS 0
#endif

/* Of each thread-local variable: its address costs no call, which could allocate (cmake/HakmemTarget.cmake). */
#if defined(HAK_TLS_INITIAL_EXEC) && HAK_TLS_INITIAL_EXEC
#define HAK_TLS_MODEL __attribute__((tls_model("initial-exec")))
#else
#define HAK_TLS_MODEL
#endif

/* Relaxed atomic accesses: other threads may read or write the object; a lock or a fence elsewhere gives the order.
 * Each compiles to a plain move. */
#define LOAD_RELAXED(object) atomic_load_explicit(&(object), memory_order_relaxed)
#define STORE_RELAXED(object, value) atomic_store_explicit(&(object), (value), memory_order_relaxed)

/* Adds to a 64-bit object that only this thread writes; no atomic read-modify-write. On x86-64 one instruction,
 * where a relaxed load and store are three. ADD_RELEASE pairs with an acquire load in another thread; x86-64 keeps
 * the order of stores, so there it restrains the compiler only. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAK_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) && !defined(HAK_THREAD_SANITIZER)
#define HAK_THREAD_SANITIZER 1
#endif
#if defined(__x86_64__) && !defined(HAK_THREAD_SANITIZER)
#define ADD_RELAXED(object, value) __asm__("addq %1, %0" : "+m"(object) : "er"((uint64_t)(value)) : "cc")
#define ADD_RELEASE(object, value) \
    __asm__ volatile("addq %1, %0" : "+m"(object) : "er"((uint64_t)(value)) : "cc", "memory")
#else
#define ADD_RELAXED(object, value) STORE_RELAXED(object, LOAD_RELAXED(object) + (uint64_t)(value))
#define ADD_RELEASE(object, value) \
    atomic_store_explicit(&(object), LOAD_RELAXED(object) + (uint64_t)(value), memory_order_release)
#endif

/* Compare an unsigned 64-bit object or pointer that other threads may write with a value, as a relaxed load and a
 * comparison do. On x86-64 one instruction, where compilers make two. */
#if defined(__x86_64__) && !defined(HAK_THREAD_SANITIZER)
#define IS_EQUAL_RELAXED(object, value) COMPARE_RELAXED(object, value, "e")
#define IS_BELOW_RELAXED(object, value) COMPARE_RELAXED(object, value, "b")
#define IS_ABOVE_RELAXED(object, value) COMPARE_RELAXED(object, value, "a")
#define COMPARE_RELAXED(object, value, condition)                                                         \
    __extension__({                                                                                       \
        bool compare_holds;                                                                               \
        __asm__("cmpq %2, %1" : "=@cc" condition(compare_holds) : "m"(object), "re"((uint64_t)(value)));  \
        compare_holds;                                                                                    \
    })
#else
#define IS_EQUAL_RELAXED(object, value) ((uint64_t)LOAD_RELAXED(object) == (uint64_t)(value))
#define IS_BELOW_RELAXED(object, value) ((uint64_t)LOAD_RELAXED(object) < (uint64_t)(value))
#define IS_ABOVE_RELAXED(object, value) ((uint64_t)LOAD_RELAXED(object) > (uint64_t)(value))
#endif

/* The compiler moves no memory access across; the processor may. */
#define COMPILER_BARRIER() atomic_signal_fence(memory_order_seq_cst)

/* Optimisation barrier for one variable: the compiler may assume nothing about its value, so it neither clones the
 * code for constant values nor keeps what it computed from the value before. */
#define COMPILER_FORGETS(variable) __asm__("" : "+r"(variable))

HAK_INLINE size_t round_up_bytes(size_t bytes, size_t power_of_two) {
    return (bytes + power_of_two - 1) & ~(power_of_two - 1);
}

HAK_INLINE unsigned lowest_bit_index(uint64_t bits) { return (unsigned)__builtin_ctzll(bits); }

#endif
