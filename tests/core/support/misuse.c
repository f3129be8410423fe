/*
 * support/misuse.c - see misuse.h.
 */
#define _GNU_SOURCE
#include "support/misuse.h"

#include <hakmem.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/require.h"
#include "support/stats.h"

void misuse_announce(const void *address) {
    char line[64];
    int length = snprintf(line, sizeof line, "%p %ld\n", address, (long)syscall(SYS_gettid));
    REQUIRE_EQUAL(write(STDERR_FILENO, line, (size_t)length), length);
}

void *misuse_laundered(const void *address) {
    void *volatile copy = (void *)(uintptr_t)address;
    return copy;
}

static void run_aborting(void *context) {
    const MisuseCase *one = context;
    one->run();
}

static void run_reporting(void *context) {
    const MisuseCase *one = context;
    stats_option_set("on_error", "report");
    one->run();
    void *blocks_after[1000];
    for (size_t number = 0; number < 1000; number++) {
        blocks_after[number] = hak_malloc(16 + number);
        memset(blocks_after[number], (int)number, 16 + number);
    }
    for (size_t number = 0; number < 1000; number++) hak_free(blocks_after[number]);
    hak_thread_flush();
    REQUIRE_EQUAL(stats_checked().live_blocks, 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

void misuse_require_report(const char *name, const char *const words[2], const char *before, const char *behind,
                           const ChildResult *result) {
    char address[32] = "", thread[32] = "", address_words[96], thread_words[48];
    const char *line = strchr(result->errors, '\n');
    bool is_announced = sscanf(result->errors, "%31s %31s", address, thread) == 2 && line != NULL;
    snprintf(address_words, sizeof address_words, "%s%s%s", before, address, behind);
    snprintf(thread_words, sizeof thread_words, "thread %s)", thread);
    line = is_announced ? line + 1 : "";
    const char *line_end = strchr(line, '\n');
    bool is_right = strncmp(line, "hakmem: error: ", 15) == 0 && strstr(line, words[0]) != NULL &&
                    strstr(line, words[1]) != NULL && strstr(line, address_words) != NULL &&
                    strstr(line, "size class ") != NULL && strstr(line, thread_words) != NULL && line_end != NULL &&
                    line_end[1] == '\0';
    if (!is_right)
        fprintf(stderr, "%s: wanted '%s', '%s', '%s'; got: %s\n", name, words[0], words[1], address_words,
                result->errors);
    REQUIRE(is_right);
}

void misuse_require_line(const MisuseCase *one, const ChildResult *result) {
    misuse_require_report(one->name, (const char *const[]){one->words, ""}, " of ", "", result);
}

void misuse_cases_abort(const MisuseCase *cases, size_t count) {
    for (size_t index = 0; index < count; index++) {
        ChildResult result = child_run(run_aborting, (void *)(uintptr_t)&cases[index]);
        if (result.signal != SIGABRT)
            fprintf(stderr, "%s: signal %d: %s\n", cases[index].name, result.signal, result.errors);
        REQUIRE_EQUAL(result.signal, SIGABRT);
        misuse_require_line(&cases[index], &result);
    }
}

void misuse_cases_are_reported(const MisuseCase *cases, size_t count) {
    for (size_t index = 0; index < count; index++) {
        ChildResult result = child_run(run_reporting, (void *)(uintptr_t)&cases[index]);
        if (result.exit_code != 0) fprintf(stderr, "%s:\n", cases[index].name);
        child_require_success(&result);
        misuse_require_line(&cases[index], &result);
    }
}
