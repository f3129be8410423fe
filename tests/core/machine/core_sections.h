/*
 * machine/core_sections.h - parts of the core's memory.
 *
 * The library is compiled with _Thread_local as the section hak_thread: a fiber has a copy of it, which is put there
 * while the fiber runs (machine/threads.c).
 */
#ifndef MACHINE_CORE_SECTIONS_H
#define MACHINE_CORE_SECTIONS_H

#include <stddef.h>

typedef struct CoreSection {
    char *start;
    size_t bytes;
} CoreSection;

CoreSection core_section_of_thread(void);
CoreSection core_section_of_counters(void);

/* The OS page that the core works with: the kernel's or larger. */
void core_os_page_set(size_t bytes);

#endif
