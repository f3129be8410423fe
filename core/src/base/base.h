/*
 * base/base.h - glossary, fixed sizes, and the few macros that every layer uses.
 *
 * Layer: base (lowest; includes nothing of ours). Thread rule: constants and pure functions only.
 *
 * Glossary, one meaning each:
 *   OS page       what the kernel pages by: 4, 16 or 64 KiB, read at run time (os_page_bytes).
 *   block         what a caller gets.               size class   the block size that a request is rounded to.
 *   slab          64 KiB, blocks of one size class. SuperSlab    2 MiB, 2 MiB-aligned, 32 slabs of any classes.
 *   magazine      a heap's stack of free blocks of one class: the fast path.
 *   TLS slab      the slab from which a heap refills the magazine of one class.
 *   heap          a set of magazines and TLS slabs; each thread has one.
 *   live          held by a caller.   cached   in a magazine.   free   neither.   used = live + cached.
 *   registry      address -> SuperSlab and slab class, for any address, without reading it.
 *   backed        an OS page with memory behind it; unbacked: never touched, or purged.
 *   purge         give OS pages inside a living SuperSlab back.   release   unmap a SuperSlab.
 *   spare         a SuperSlab without used blocks that is still mapped.
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

#define BLOCKS_PER_SLAB_MAX 4096u /* so 8-byte blocks fill half a slab; the rest of it is never backed */
#define SLAB_CLASS_BYTES_MAX 32768u /* larger blocks are mappings of their own */

#define CACHE_LINE_BYTES 64u

_Static_assert(SUPERSLAB_BYTES == SLABS_PER_SUPERSLAB * SLAB_BYTES, "a SuperSlab is 32 slabs");
_Static_assert(sizeof(void *) == 8, "hakmem is written for 64-bit address spaces");

#if defined(__GNUC__) || defined(__clang__)
#define HAK_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define HAK_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define HAK_INLINE static inline __attribute__((always_inline))
#define HAK_NOINLINE __attribute__((noinline))
#define HAK_COLD __attribute__((noinline, cold))
#define HAK_HIDDEN __attribute__((visibility("hidden"))) /* said at a declaration, it saves an access by the GOT */
#else
#error "hakmem needs GCC or Clang"
#endif

#ifndef HAK_DEBUG_CHECKS
#define HAK_DEBUG_CHECKS 0
#endif

/* A relaxed access: the value may be read or written by another thread, order is given elsewhere. Plain moves. */
#define LOAD_RELAXED(object) atomic_load_explicit(&(object), memory_order_relaxed)
#define STORE_RELAXED(object, value) atomic_store_explicit(&(object), (value), memory_order_relaxed)

/* Add to a 64-bit object that this thread alone writes: one instruction where the compiler would make three of a load and a
 * store. Not atomic read-modify-writes. Release: pairs with an acquire of whoever reads it. */
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
    __asm__ volatile("addq %1, %0" : "+m"(object) : "er"((uint64_t)(value)) : "cc", "memory") /* stores keep their order */
#else
#define ADD_RELAXED(object, value) STORE_RELAXED(object, LOAD_RELAXED(object) + (uint64_t)(value))
#define ADD_RELEASE(object, value) \
    atomic_store_explicit(&(object), LOAD_RELAXED(object) + (uint64_t)(value), memory_order_release)
#endif

/* Keeps the compiler, not the processor, from moving memory accesses across. */
#define COMPILER_BARRIER() atomic_signal_fence(memory_order_seq_cst)

/* What is known of the variable's value is not used from here on: no copy of the code for a value that is rare, no second
 * register that leads to the same address. */
#define COMPILER_FORGETS(variable) __asm__("" : "+r"(variable))

HAK_INLINE size_t round_up_bytes(size_t bytes, size_t power_of_two) {
    return (bytes + power_of_two - 1) & ~(power_of_two - 1);
}

HAK_INLINE unsigned lowest_bit_index(uint64_t bits) { return (unsigned)__builtin_ctzll(bits); }

#endif
