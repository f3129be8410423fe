/*
 * machine/core_sections.c - where the core's thread-local variables and the fuzzer's counters lie. Linked into the
 * library of the core that the machine runs, whose sections and variables only it can name.
 */
#include "machine/core_sections.h"

#include "platform/os.h"

#define BOUND __attribute__((weak, visibility("hidden")))

extern BOUND char __start_hak_thread[], __stop_hak_thread[];
extern BOUND char __start___sancov_cntrs[], __stop___sancov_cntrs[]; /* NULL in a build without the fuzzer */

CoreSection core_section_of_thread(void) {
    return (CoreSection){__start_hak_thread, (size_t)(__stop_hak_thread - __start_hak_thread)};
}

CoreSection core_section_of_counters(void) {
    return (CoreSection){__start___sancov_cntrs, (size_t)(__stop___sancov_cntrs - __start___sancov_cntrs)};
}

void core_os_page_set(size_t bytes) {
    os_page_bytes = bytes;
    os_page_shift = (unsigned)__builtin_ctzll(bytes);
}
