/*
 * support/resident.c - reads /proc/self and asks mincore.
 */
#define _GNU_SOURCE
#include "support/resident.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "support/child.h"
#include "support/suite.h"

/* Without stdio: its buffers would be part of what is measured. */
static size_t read_file(const char *path, char *text, size_t text_bytes) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE(file >= 0);
    size_t used = 0;
    for (;;) {
        ssize_t got = read(file, text + used, text_bytes - 1 - used);
        if (got <= 0) break;
        used += (size_t)got;
    }
    close(file);
    text[used] = '\0';
    return used;
}

static size_t number_after(const char *text, const char *label) {
    const char *place = strstr(text, label);
    REQUIRE(place != NULL);
    return (size_t)strtoull(place + strlen(label), NULL, 10);
}

size_t resident_machine_huge_splits(void) {
    static char text[1 << 16];
    read_file("/proc/vmstat", text, sizeof text);
    return number_after(text, "\nthp_split_page ");
}

size_t resident_os_page_bytes(void) {
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
#ifdef HAK_FORCE_OS_PAGE_BYTES
    if (bytes < HAK_FORCE_OS_PAGE_BYTES) bytes = HAK_FORCE_OS_PAGE_BYTES;
#endif
    return bytes;
}

static size_t rollup_bytes(const char *label) {
    char text[4096];
    read_file("/proc/self/smaps_rollup", text, sizeof text);
    return number_after(text, label) * 1024;
}

size_t resident_bytes(void) { return rollup_bytes("\nRss:"); }
size_t resident_huge_bytes(void) { return rollup_bytes("\nAnonHugePages:"); }

/* What was freed a moment ago lies in lists of the processors, hundreds of MiB at times, which MemFree leaves out. */
size_t resident_machine_free_bytes(void) {
    enum { TEXT_BYTES = 1 << 20 };
    static const char label[] = " count: ";
    /* Not static: where the kernel gives huge pages to all, so large a buffer gets one when a small neighbour is
     * touched. */
    char *text = mmap(NULL, TEXT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(text != MAP_FAILED);
    read_file("/proc/meminfo", text, TEXT_BYTES);
    size_t bytes = number_after(text, "\nMemFree:") * 1024;
    read_file("/proc/zoneinfo", text, TEXT_BYTES);
    for (const char *place = text; (place = strstr(place, label)) != NULL; place += sizeof label - 1)
        bytes += number_after(place, label) * (size_t)sysconf(_SC_PAGESIZE);
    REQUIRE_EQUAL(munmap(text, TEXT_BYTES), 0);
    return bytes;
}

size_t resident_bytes_in(const void *address, size_t bytes) {
    static unsigned char vector[64 * 1024];
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    uintptr_t begin = (uintptr_t)address & ~(page_bytes - 1), end = (uintptr_t)address + bytes;
    while (begin < end) {
        size_t pages = (end - begin + page_bytes - 1) / page_bytes;
        if (pages > sizeof vector) pages = sizeof vector;
        REQUIRE_EQUAL(mincore((void *)begin, pages * page_bytes, vector), 0);
        for (size_t page = 0; page < pages; page++) count += vector[page] & 1;
        begin += pages * page_bytes;
    }
    return count * page_bytes;
}

size_t resident_mapping_count(void) {
    char text[4096];
    size_t lines = 0;
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    REQUIRE(file >= 0);
    for (ssize_t got = 1; got > 0;) {
        got = read(file, text, sizeof text);
        for (ssize_t place = 0; place < got; place++) lines += text[place] == '\n';
    }
    close(file);
    return lines;
}

size_t resident_page_faults(void) {
    struct rusage usage;
    REQUIRE_EQUAL(getrusage(RUSAGE_SELF, &usage), 0);
    return (size_t)usage.ru_minflt;
}

size_t resident_thread_count(void) {
    char text[8192];
    read_file("/proc/self/status", text, sizeof text);
    return number_after(text, "\nThreads:");
}

void resident_sleep_ms(unsigned milliseconds) {
    struct timespec rest = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    while (nanosleep(&rest, &rest) != 0) {}
}

/* GCC defines a macro for each sanitizer, clang has a question. */
#if defined(__has_feature)
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif

bool resident_is_distorted(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HAS_FEATURE(address_sanitizer) || \
    HAS_FEATURE(thread_sanitizer)
    return true;
#else
    const char *preloaded = getenv("LD_PRELOAD");
    if (getenv("HAK_TEST_EMULATOR") != NULL) return true;
    return preloaded != NULL && (strstr(preloaded, "valgrind") != NULL || strstr(preloaded, "vgpreload") != NULL);
#endif
}

void resident_run(void (*story)(void *context), void *context) {
    if (resident_is_distorted()) skip();
    child_must_succeed(story, context);
}
