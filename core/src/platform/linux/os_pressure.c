/*
 * platform/linux/os_pressure.c - whether memory is short for the control group of this process, and how long a first
 * touch takes.
 *
 * Layer: platform. Decides nothing. Thread rule: any thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform/os.h"

/* ---- Memory that is short ---- */

enum { FILE_BYTES = 4096, PATH_BYTES = 512 };

static const char cgroup_root[] = "/sys/fs/cgroup";

/* The beginning of a file, as text. No descriptor stays open. By system call, because the C library's functions are
 * cancellation points. */
static bool read_text(const char *path, char text[FILE_BYTES]) {
    long file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    long length = syscall(SYS_read, file, text, FILE_BYTES - 1);
    (void)syscall(SYS_close, file);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* A file of this process's own group in the unified hierarchy, which the line "0::/PATH" of /proc/self/cgroup names
 * (cgroups(7)). */
static bool read_of_cgroup(const char *name, char text[FILE_BYTES]) {
    if (!read_text("/proc/self/cgroup", text)) return false;
    const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (line == NULL) return false;
    const char *group = strchr(line, '/');
    size_t group_length = group == NULL ? 0 : strcspn(group, "\n");
    size_t root_length = sizeof cgroup_root - 1, name_bytes = strlen(name) + 1;
    char path[PATH_BYTES];
    if (group_length == 0 || root_length + group_length + name_bytes > sizeof path) return false;
    memcpy(path, cgroup_root, root_length);
    memcpy(path + root_length, group, group_length);
    memcpy(path + root_length + group_length, name, name_bytes);
    return read_text(path, text);
}

/* "max" is no number. */
static bool read_bytes(const char *name, int64_t *bytes) {
    char text[FILE_BYTES], *end;
    if (!read_of_cgroup(name, text)) return false;
    *bytes = strtoll(text, &end, 10);
    return end != text;
}

/* Tasks of the group waited for memory for STALLED_PERCENT of the last ten seconds (PSI: "some avg10=1.23 ..."). */
static bool has_stalled(void) {
    enum { STALLED_PERCENT = 1 };
    static const char field[] = "some avg10=";
    char text[FILE_BYTES];
    return read_of_cgroup("/memory.pressure", text) && strncmp(text, field, sizeof field - 1) == 0 &&
           atoi(text + sizeof field - 1) >= STALLED_PERCENT;
}

bool os_memory_is_short(int64_t room_bytes) {
    int saved = errno;
    int64_t high_bytes, current_bytes;
    bool is_near = read_bytes("/memory.high", &high_bytes) && read_bytes("/memory.current", &current_bytes) &&
                   current_bytes > high_bytes - room_bytes;
    bool is_short = is_near || has_stalled();
    errno = saved;
    return is_short;
}

/* ---- First touches ---- */

static uint64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Of PAGES each, the fastest of ROUNDS: in the others something else may have run on this processor. */
uint64_t os_touch_ns_per_mib(void) {
    enum { ROUNDS = 4, PAGES = 4 };
    int saved = errno;
    uint64_t fastest_ns = UINT64_MAX;
    size_t bytes = ROUNDS * PAGES * os_page_bytes;
    volatile char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) {
        for (volatile char *page = memory; page < memory + bytes;) {
            uint64_t begin_ns = now_ns();
            for (unsigned touched = 0; touched < PAGES; touched++, page += os_page_bytes) *page = 1;
            uint64_t ns = now_ns() - begin_ns;
            if (ns < fastest_ns) fastest_ns = ns;
        }
        (void)munmap((void *)memory, bytes);
    }
    errno = saved;
    return memory == MAP_FAILED ? 0 : fastest_ns * ((1u << 20) / (PAGES * os_page_bytes));
}
