/*
 * support/child.c - fork, capture, wait.
 */
#define _GNU_SOURCE
#include "support/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/require.h"

enum { CHILD_SECONDS_MAX = 120 };

static pid_t fork_with_pipe(int *read_end) {
    int ends[2];
    REQUIRE_EQUAL(pipe(ends), 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        alarm(CHILD_SECONDS_MAX);
        return 0;
    }
    close(ends[1]);
    *read_end = ends[0];
    return pid;
}

/* An emulator says on the program's stderr that a signal ended it. */
static void drop_lines_of_emulator(char *errors) {
    if (getenv("HAK_TEST_EMULATOR") == NULL) return;
    for (char *line = strstr(errors, "qemu: "); line != NULL; line = strstr(line, "qemu: ")) {
        const char *end = strchr(line, '\n');
        end = end != NULL ? end + 1 : line + strlen(line);
        memmove(line, end, strlen(end) + 1);
    }
}

static ChildResult collect(pid_t pid, int read_end) {
    ChildResult result = {.exit_code = -1};
    size_t used = 0;
    for (;;) {
        char rest[512];
        bool has_room = used + 1 < sizeof result.errors;
        ssize_t got = has_room ? read(read_end, result.errors + used, sizeof result.errors - 1 - used)
                               : read(read_end, rest, sizeof rest);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        if (has_room) used += (size_t)got;
    }
    result.errors[used] = '\0';
    close(read_end);
    drop_lines_of_emulator(result.errors);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    return result;
}

ChildResult child_run(void (*run)(void *context), void *context) {
    int read_end = -1;
    pid_t pid = fork_with_pipe(&read_end);
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        run(context);
        _exit(0);
    }
    return collect(pid, read_end);
}

ChildResult child_run_self(const char *argument, const char *const *environment) {
    int read_end = -1;
    pid_t pid = fork_with_pipe(&read_end);
    if (pid == 0) {
        extern char **environ;
        char path[4096];
        ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
        if (length <= 0) _exit(126);
        path[length] = '\0';
        char **kept = environ;
        for (char **entry = environ; *entry != NULL; entry++)
            if (strncmp(*entry, "HAKMEM", 6) != 0) *kept++ = *entry;
        *kept = NULL;
        for (; *environment != NULL; environment++) putenv((char *)(uintptr_t)*environment);
        char *emulator = getenv("HAK_TEST_EMULATOR");
        char *arguments[] = {emulator, path, (char *)(uintptr_t)argument, NULL};
        if (emulator != NULL) execvp(emulator, arguments);
        execv(path, arguments + 1);
        _exit(127);
    }
    return collect(pid, read_end);
}

void child_require_success(const ChildResult *result) {
    if (result->exit_code == 0 && result->signal == 0) return;
    fprintf(stderr, "child: exit code %d, signal %d, its stderr:\n%s\n", result->exit_code, result->signal,
            result->errors);
    REQUIRE_EQUAL(result->signal, 0);
    REQUIRE_EQUAL(result->exit_code, 0);
}

void child_must_succeed(void (*run)(void *context), void *context) {
    ChildResult result = child_run(run, context);
    child_require_success(&result);
}

void child_require_abort(const ChildResult *result, const char *const *words) {
    bool is_expected = result->signal == SIGABRT && strncmp(result->errors, "hakmem: error: ", 15) == 0;
    const char *line_end = strchr(result->errors, '\n');
    is_expected = is_expected && line_end != NULL && line_end[1] == '\0';
    for (; *words != NULL; words++) is_expected = is_expected && strstr(result->errors, *words) != NULL;
    if (is_expected) return;
    fprintf(stderr, "child: exit code %d, signal %d, its stderr:\n%s\n", result->exit_code, result->signal,
            result->errors);
    REQUIRE(is_expected);
}
