/*
 * platform/linux/os_pressure.c - whether memory is short for the control group of this process.
 *
 * Layer: platform. Decides nothing. Thread rule: any thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/linux/os_file.h"
#include "platform/os.h"

enum { FILE_BYTES = 4096, PATH_BYTES = 512 };

static const char cgroup_root[] = "/sys/fs/cgroup";

/* A file of this process's own group in the unified hierarchy, which the line "0::/PATH" of /proc/self/cgroup names
 * (cgroups(7)). */
static bool read_of_cgroup(const char *name, char text[FILE_BYTES]) {
    if (!os_file_read("/proc/self/cgroup", text, FILE_BYTES)) return false;
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
    return os_file_read(path, text, FILE_BYTES);
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
