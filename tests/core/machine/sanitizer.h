/*
 * machine/sanitizer.h - is AddressSanitizer there? It calls functions of its own instead of memcpy and memset, checks
 * each access, and has to be told of stacks.
 */
#ifndef MACHINE_SANITIZER_H
#define MACHINE_SANITIZER_H

/* GCC defines a macro for it, clang has a question. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ADDRESS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ADDRESS_SANITIZER 1
#endif

#ifdef HAS_ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#define UNCHECKED_BY_SANITIZER __attribute__((no_sanitize("address")))
#else
#define HAS_ADDRESS_SANITIZER 0
#define __sanitizer_start_switch_fiber(save, bottom, bytes) ((void)(save), (void)(bottom), (void)(bytes))
#define __sanitizer_finish_switch_fiber(save, bottom, bytes) ((void)(save), (void)(bottom), (void)(bytes))
#define UNCHECKED_BY_SANITIZER
#endif

#endif
