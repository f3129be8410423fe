/*
 * support/resident.h - what the kernel says of this process: resident memory, huge pages, threads, OS pages in core;
 * and a child in which that is measured.
 */
#ifndef SUPPORT_RESIDENT_H
#define SUPPORT_RESIDENT_H

#include <stdbool.h>
#include <stddef.h>

#define MIB ((size_t)1 << 20)

/* The OS page that hakmem works with: the kernel's, or the larger one that this build pretends. */
size_t resident_os_page_bytes(void);

/* Rss of /proc/self/smaps_rollup. */
size_t resident_bytes(void);

/* How many kernel pages of [address, address + bytes) have memory behind them (mincore), in bytes. */
size_t resident_bytes_in(const void *address, size_t bytes);

size_t resident_huge_bytes(void); /* AnonHugePages of /proc/self/smaps_rollup */

/* Of the whole machine: what others do shows, too. */
size_t resident_machine_free_bytes(void);
size_t resident_machine_huge_splits(void); /* huge pages that became OS pages, since its start */

size_t resident_mapping_count(void); /* lines of /proc/self/maps */
size_t resident_thread_count(void);  /* Threads of /proc/self/status */
size_t resident_page_faults(void);   /* minor ones of this process so far, by getrusage(2) */

void resident_sleep_ms(unsigned milliseconds);

/* True under valgrind, in an emulator, or with a sanitizer, whose own memory and threads make Rss, limits and the
 * number of threads say nothing about hakmem. */
bool resident_is_distorted(void);

/* Runs the story in a child, which must succeed. Skips the test where resident_is_distorted. */
void resident_run(void (*story)(void *context), void *context);

#endif
