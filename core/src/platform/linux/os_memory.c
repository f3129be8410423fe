/*
 * platform/linux/os_memory.c - mappings, purge, huge pages and first touches on Linux.
 *
 * Layer: platform. Does not decide when to map or purge. Thread rule: any thread.
 */
#define _GNU_SOURCE
#include "platform/os.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "platform/linux/os_call.h"
#include "platform/linux/os_clock.h"
#include "platform/linux/os_file.h"
#include "platform/os_memory_tool.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* since Linux 5.14; the headers of some C libraries are older */
#endif

size_t os_page_bytes;
unsigned os_page_shift;
bool os_calls_are_plain;

static _Atomic uint64_t fault_nth;
static _Atomic uint64_t fault_calls;

void os_fault_at(uint64_t nth_call) {
    atomic_store(&fault_calls, 0);
    atomic_store(&fault_nth, nth_call);
}

uint64_t os_fault_calls(void) { return atomic_load(&fault_calls); }

static bool fault_is_due(void) {
    if (HAK_LIKELY(LOAD_RELAXED(fault_nth) == 0)) return false;
    return atomic_fetch_add(&fault_calls, 1) + 1 == atomic_load(&fault_nth);
}

static bool huge_pages_are_off;

/* False where the option system_calls forbids it, and once the kernel has shown that it does not purge many ranges with
 * one call. */
static _Atomic bool purges_together;

/* The machine's setting; off where the file cannot be read. Read at the start, because a sandbox may forbid it
 * later. */
static bool read_huge_pages_are_off(void) {
    char setting[64];
    return !os_file_read("/sys/kernel/mm/transparent_hugepage/enabled", setting, sizeof setting) ||
           strstr(setting, "[never]") != NULL;
}

void os_initialize(bool are_calls_plain) {
    int saved = errno;
    os_calls_are_plain = are_calls_plain;
    huge_pages_are_off = are_calls_plain || read_huge_pages_are_off();
    STORE_RELAXED(purges_together, !are_calls_plain);
    os_clock_initialize();
    size_t bytes = (size_t)getauxval(AT_PAGESZ);
    errno = saved;
#ifdef HAK_FORCE_OS_PAGE_BYTES
    if (bytes < HAK_FORCE_OS_PAGE_BYTES) bytes = HAK_FORCE_OS_PAGE_BYTES;
#endif
    os_page_shift = lowest_bit_index(bytes);
    os_page_bytes = bytes;
}

void *os_map(uintptr_t hint, size_t bytes) {
    if (fault_is_due()) return NULL;
    /* Not MAP_NORESERVE: a request beyond the machine's memory has to fail here, or the process is killed at a
     * write. */
    int saved = errno;
    void *address = mmap((void *)hint, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = saved;
    return address != MAP_FAILED ? address : NULL;
}

bool os_unmap(void *address, size_t bytes) {
    int saved = errno;
    os_memory_tool_show(address, bytes); /* the kernel may give these addresses to others */
    bool done = !fault_is_due() && munmap(address, bytes) == 0;
    errno = saved;
    return done;
}

/* ---- Purge ---- */

/* An emulator may take the advice for a hint, answer 0 and do nothing. So the first purge that the kernel grants is
 * probed: is a byte that was written before it zero afterwards? */
typedef struct Probe {
    volatile unsigned char *byte; /* NULL: no probe */
    unsigned char before;
} Probe;

enum { PROBE_MARK = 1 };

static Probe probe_begin(void *free_memory, bool is_known) {
    /* A memory tool reports each access to free memory, and no tool has such a kernel. */
    if (HAK_LIKELY(is_known) || os_memory_tool_is_present()) return (Probe){NULL, 0};
    Probe probe = {free_memory, *(unsigned char *)free_memory};
    *probe.byte = PROBE_MARK;
    return probe;
}

static void probe_restore(Probe probe) {
    if (probe.byte != NULL) *probe.byte = probe.before;
}

static bool probe_shows_zero(Probe probe) {
    if (probe.byte == NULL) return true;
    if (*probe.byte != 0) return false;
    (void)madvise((void *)probe.byte, os_page_bytes, MADV_DONTNEED); /* the probe has backed it again */
    return true;
}

enum { PURGE_UNTRIED, PURGE_BY_ADVICE, PURGE_BY_MAPPING };
static _Atomic int purge_way;

/* New memory in place of the old. */
static bool purge_by_mapping(void *address, size_t bytes) {
    enum { FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED };
    if (mmap(address, bytes, PROT_READ | PROT_WRITE, FLAGS, -1, 0) == MAP_FAILED) return false;
    (void)madvise(address, bytes, MADV_NOHUGEPAGE); /* as all memory that is purged */
    return true;
}

static bool purge(void *address, size_t bytes) {
    int way = LOAD_RELAXED(purge_way);
    if (way == PURGE_BY_MAPPING) return purge_by_mapping(address, bytes);
    Probe probe = probe_begin(address, way != PURGE_UNTRIED);
    if (madvise(address, bytes, MADV_DONTNEED) != 0) {
        probe_restore(probe);
        return false;
    }
    bool is_zero = probe_shows_zero(probe);
    if (way == PURGE_UNTRIED) STORE_RELAXED(purge_way, is_zero ? PURGE_BY_ADVICE : PURGE_BY_MAPPING);
    return is_zero || purge_by_mapping(address, bytes);
}

_Atomic uint64_t os_purges_refused;

static void note_refused(void) { atomic_fetch_add_explicit(&os_purges_refused, 1, memory_order_relaxed); }

bool os_purge(void *address, size_t bytes) {
    int saved = errno;
    bool done = !fault_is_due() && purge(address, bytes);
    if (!done) note_refused();
    errno = saved;
    return done;
}

#ifndef SYS_process_madvise
#define SYS_process_madvise 440 /* the same on every processor */
#endif

/* The ranges are the kernel's vector: no copy of them, which would take 1 KiB of the caller's stack. */
_Static_assert(sizeof(OsRange) == sizeof(struct iovec), "an OsRange is an iovec");
_Static_assert(offsetof(OsRange, address) == offsetof(struct iovec, iov_base), "an OsRange is an iovec");
_Static_assert(offsetof(OsRange, bytes) == offsetof(struct iovec, iov_len), "an OsRange is an iovec");

/* Returns how many of the first ranges were given back. 0 where the kernel does not do it this way (before Linux 6.13)
 * or does not know the calling process by PIDFD_SELF (before 6.14). */
static unsigned purge_together(const OsRange *ranges, unsigned count) {
    enum { THIS_PROCESS = -10000 }; /* PIDFD_SELF */
    static _Atomic bool is_known;
    Probe probe = probe_begin(ranges[0].address, LOAD_RELAXED(is_known));
    long purged_bytes = OS_CALL(SYS_process_madvise, THIS_PROCESS, ranges, count, MADV_DONTNEED);
    unsigned done = 0;
    for (; done < count && purged_bytes >= (long)ranges[done].bytes; done++) purged_bytes -= (long)ranges[done].bytes;
    if (done == 0) probe_restore(probe);
    if (done == 0 || !probe_shows_zero(probe)) return 0;
    STORE_RELAXED(is_known, true);
    return done;
}

uint64_t os_purge_ranges(const OsRange *ranges, unsigned count) {
    int saved = errno;
    bool is_fault = fault_is_due(), is_tried = count > 1 && !is_fault && LOAD_RELAXED(purges_together);
    unsigned done = is_tried ? purge_together(ranges, count) : 0;
    uint64_t refused = 0;
    for (unsigned index = done; index < count; index++)
        if (is_fault || !purge(ranges[index].address, ranges[index].bytes)) refused |= (uint64_t)1 << index;
    if (refused != 0) note_refused();
    /* The kernel takes the first range by itself, so it lacks the call for many. */
    if (is_tried && done == 0 && (refused & 1) == 0) STORE_RELAXED(purges_together, false);
    errno = saved;
    return refused;
}

/* ---- Moves and huge pages ---- */

bool os_move(void *from, size_t bytes, void *to, size_t to_bytes) {
    int saved = errno;
    bool done = !fault_is_due() && mremap(from, bytes, to_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to;
    errno = saved;
    return done;
}

void *os_extend(void *address, size_t bytes, size_t new_bytes, bool may_move, bool *lacks_room) {
    *lacks_room = true;
    if (fault_is_due()) return NULL;
    int saved = errno;
    os_memory_tool_show(address, bytes); /* they may move, and the kernel may give these addresses to others */
    void *extended = mremap(address, bytes, new_bytes, may_move ? MREMAP_MAYMOVE : 0);
    *lacks_room = extended == MAP_FAILED && errno == ENOMEM;
    errno = saved;
    if (extended == MAP_FAILED) return NULL;
    os_memory_tool_show(extended, new_bytes);
    return extended;
}

void os_huge_pages_forbid(void *address, size_t bytes) {
    int saved = errno;
    (void)madvise(address, bytes, MADV_NOHUGEPAGE);
    errno = saved;
}

bool os_huge_pages_allow(void *address, size_t bytes) {
    int saved = errno;
    size_t huge_page_bytes = os_page_bytes / sizeof(void *) * os_page_bytes; /* one page table's OS pages */
    bool is_done = bytes == huge_page_bytes && !huge_pages_are_off && madvise(address, bytes, MADV_HUGEPAGE) == 0;
    errno = saved;
    return is_done;
}

void os_huge_pages_split(void *address, size_t bytes) {
    int saved = errno;
    (void)madvise(address, bytes, MADV_NOHUGEPAGE);
#ifdef MADV_COLD
    /* The kernel splits a huge page when it gets advice for a part of it. MADV_COLD itself only makes OS pages
     * older. */
    (void)madvise(address, bytes - os_page_bytes, MADV_COLD);
#endif
    errno = saved;
}

void os_populate(void *address, size_t bytes) {
    int saved = errno;
    (void)madvise(address, bytes, MADV_POPULATE_WRITE);
    errno = saved;
}

/* ---- First touches ---- */

/* Of PAGES each, the fastest of ROUNDS: in the others something else may have run on this processor. */
uint64_t os_touch_ns_per_mib(void) {
    enum { ROUNDS = 4, PAGES = 4 };
    int saved = errno;
    uint64_t fastest_ns = UINT64_MAX;
    size_t bytes = ROUNDS * PAGES * os_page_bytes;
    volatile char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) {
        os_huge_pages_forbid((void *)memory, bytes); /* one touch would back the OS pages of the next ones, too */
        for (volatile char *page = memory; page < memory + bytes;) {
            uint64_t begin_ns = os_clock_now_ns();
            for (unsigned touched = 0; touched < PAGES; touched++, page += os_page_bytes) *page = 1;
            uint64_t ns = os_clock_now_ns() - begin_ns;
            if (ns < fastest_ns) fastest_ns = ns;
        }
        (void)munmap((void *)memory, bytes);
    }
    errno = saved;
    return memory == MAP_FAILED ? 0 : fastest_ns * ((1u << 20) / (PAGES * os_page_bytes));
}

/* ---- Random bits ---- */

uint64_t os_random_bits(void) {
    int saved = errno;
    const void *kernel_bytes = (const void *)getauxval(AT_RANDOM);
    errno = saved;
    uint64_t bits = (uint64_t)(uintptr_t)&bits >> 4;
    if (kernel_bytes != NULL) {
        uint64_t from_kernel;
        memcpy(&from_kernel, kernel_bytes, sizeof from_kernel);
        bits ^= from_kernel;
    }
    return bits * 0x9E3779B97F4A7C15u; /* mixed, because the stack's canary is made of the kernel's bits, too */
}
