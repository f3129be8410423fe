/*
 * platform/os_memory_tool.h - informs AddressSanitizer or valgrind which memory is a live block.
 *
 * Layer: platform. Empty unless the build sets HAKMEM_MEMORY_TOOL. Where the tool is present, debug level 2 is on,
 * and the tool replaces canaries and poison. Thread rule: any thread, for memory that no other thread uses
 * meanwhile.
 *
 * begin, end: a block's life. hide: reads and writes are errors. show: they are allowed.
 */
#ifndef HAK_PLATFORM_OS_MEMORY_TOOL_H
#define HAK_PLATFORM_OS_MEMORY_TOOL_H

#include "base/base.h"

#define HAK_MEMORY_TOOL_ASAN 1
#define HAK_MEMORY_TOOL_VALGRIND 2
#ifndef HAK_MEMORY_TOOL
#define HAK_MEMORY_TOOL 0
#endif

#if HAK_MEMORY_TOOL == HAK_MEMORY_TOOL_ASAN

#include <sanitizer/asan_interface.h>

HAK_INLINE bool os_memory_tool_is_present(void) { return true; }
HAK_INLINE void os_memory_tool_begin(void *block, size_t bytes) { ASAN_UNPOISON_MEMORY_REGION(block, bytes); }
HAK_INLINE void os_memory_tool_end(void *block, size_t bytes) { ASAN_POISON_MEMORY_REGION(block, bytes); }
HAK_INLINE void os_memory_tool_hide(void *memory, size_t bytes) { ASAN_POISON_MEMORY_REGION(memory, bytes); }
HAK_INLINE void os_memory_tool_show(void *memory, size_t bytes) { ASAN_UNPOISON_MEMORY_REGION(memory, bytes); }

#elif HAK_MEMORY_TOOL == HAK_MEMORY_TOOL_VALGRIND

#include <valgrind/memcheck.h>

HAK_INLINE bool os_memory_tool_is_present(void) { return RUNNING_ON_VALGRIND != 0; }
HAK_INLINE void os_memory_tool_begin(void *block, size_t bytes) { VALGRIND_MALLOCLIKE_BLOCK(block, bytes, 0, 0); }
HAK_INLINE void os_memory_tool_end(void *block, size_t bytes) {
    VALGRIND_FREELIKE_BLOCK(block, 0);
    (void)VALGRIND_MAKE_MEM_NOACCESS(block, bytes);
}
HAK_INLINE void os_memory_tool_hide(void *memory, size_t bytes) { (void)VALGRIND_MAKE_MEM_NOACCESS(memory, bytes); }
/* Defined, because a block that is known to be zero is not cleared again. */
HAK_INLINE void os_memory_tool_show(void *memory, size_t bytes) { (void)VALGRIND_MAKE_MEM_DEFINED(memory, bytes); }

#else

HAK_INLINE bool os_memory_tool_is_present(void) { return false; }
HAK_INLINE void os_memory_tool_begin(void *block, size_t bytes) { (void)block, (void)bytes; }
HAK_INLINE void os_memory_tool_end(void *block, size_t bytes) { (void)block, (void)bytes; }
HAK_INLINE void os_memory_tool_hide(void *memory, size_t bytes) { (void)memory, (void)bytes; }
HAK_INLINE void os_memory_tool_show(void *memory, size_t bytes) { (void)memory, (void)bytes; }

#endif

#endif
