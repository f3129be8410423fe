/*
 * platform/linux/os_pressure.c - whether memory is short for the control group of this process.
 *
 * Layer: platform. Decides nothing. Thread rule: the helper.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/linux/os_descriptor.h"
#include "platform/linux/os_file.h"
#include "platform/os.h"

enum { FILE_BYTES = 4096, PATH_BYTES = 512, LEVELS_MAX = 8 };

static const char cgroup_root[] = "/sys/fs/cgroup";
#define LONGEST_NAME "/memory.pressure"

/* A control group's folder, and room for the name of a file in it. */
typedef struct Group {
    size_t length;
    char path[PATH_BYTES];
} Group;

/* This process's own in the unified hierarchy, which the line "0::/PATH" of /proc/self/cgroup names (cgroups(7)). */
static bool find_group(Group *group) {
    char text[FILE_BYTES];
    if (!os_file_read("/proc/self/cgroup", text, sizeof text)) return false;
    const char *line = strncmp(text, "0::/", 4) == 0 ? text : strstr(text, "\n0::/");
    if (line == NULL) return false;
    const char *name = strchr(line, '/');
    size_t name_length = strcspn(name, "\n"), root_length = sizeof cgroup_root - 1;
    if (root_length + name_length + sizeof LONGEST_NAME > sizeof group->path) return false;
    memcpy(group->path, cgroup_root, root_length);
    memcpy(group->path + root_length, name, name_length);
    group->length = root_length + (name_length > 1 ? name_length : 0); /* "/" is the root itself */
    return true;
}

static bool read_file(Group *group, const char *name, char *text, size_t bytes) {
    memcpy(group->path + group->length, name, strlen(name) + 1);
    return os_file_read(group->path, text, bytes);
}

/* Tasks of the group waited for memory for STALLED_PERCENT of the last ten seconds (PSI: "some avg10=1.23 ..."). */
static bool has_stalled(Group *group) {
    enum { STALLED_PERCENT = 1 };
    static const char field[] = "some avg10=";
    char text[128];
    return read_file(group, "/memory.pressure", text, sizeof text) && strncmp(text, field, sizeof field - 1) == 0 &&
           atoi(text + sizeof field - 1) >= STALLED_PERCENT;
}

/* "max" is no number. */
static int64_t read_bytes(Group *group, const char *name, int64_t bytes_if_none) {
    char text[32], *end;
    if (!read_file(group, name, text, sizeof text)) return bytes_if_none;
    int64_t bytes = strtoll(text, &end, 10);
    return end != text ? bytes : bytes_if_none;
}

/* OS pages of files that the group has not used lately: the kernel drops them before it makes anybody wait. A group
 * that reads many files always stands at its limit. */
static int64_t idle_file_bytes(Group *group) {
    static const char field[] = "\ninactive_file ";
    char text[FILE_BYTES];
    const char *line = read_file(group, "/memory.stat", text, sizeof text) ? strstr(text, field) : NULL;
    return line == NULL ? 0 : strtoll(line + sizeof field - 1, NULL, 10);
}

static bool is_near_limit(Group *group, int64_t room_bytes) {
    int64_t high_bytes = read_bytes(group, "/memory.high", INT64_MAX);
    int64_t max_bytes = read_bytes(group, "/memory.max", INT64_MAX);
    int64_t limit_bytes = high_bytes < max_bytes ? high_bytes : max_bytes;
    if (limit_bytes == INT64_MAX) return false;
    int64_t current_bytes = read_bytes(group, "/memory.current", INT64_MIN);
    return current_bytes > limit_bytes - room_bytes &&
           current_bytes - idle_file_bytes(group) > limit_bytes - room_bytes;
}

/* A group's memory counts for each group that it lies in, so the limits of those bind it, too. */
static bool is_any_near_limit(Group *group, int64_t room_bytes) {
    for (unsigned levels = 0; levels < LEVELS_MAX; levels++) {
        if (is_near_limit(group, room_bytes)) return true;
        if (group->length == sizeof cgroup_root - 1) return false;
        do group->length--;
        while (group->path[group->length] != '/');
    }
    return false;
}

bool os_memory_is_short(int64_t room_bytes) {
    int saved = errno;
    Group group;
    bool is_short = os_helper_leave_descriptors() && find_group(&group) &&
                    (has_stalled(&group) || is_any_near_limit(&group, room_bytes));
    errno = saved;
    return is_short;
}
