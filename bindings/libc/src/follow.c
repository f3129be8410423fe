/*
 * follow.c - see follow.h.
 *
 * Layer: bindings/libc, above environment.h and program_file.h.
 *
 * A process of `hakmem exec` has an environment without this library, so what it executes would not be served. It is
 * where the process itself goes on (`env`, a script of a shell that ends with exec), and where an interpreter that
 * `hakmem run` has started executes its own file again, also in a child: reloaders, and workers that are not forked.
 * With --children its environment has this library; an interpreter that gets another one is followed all the same.
 */
#define _GNU_SOURCE
#include "follow.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"
#include "program_file.h"

enum { VARIABLES_MAX = 4096, PRELOAD_BYTES_MAX = 8192, MORE_POINTERS = 3 /* two variables, and NULL */ };

static const char *const obstacles[] = {
    [PROGRAM_STATIC] = " runs without hakmem: it is static, with its malloc inside\n",
    [PROGRAM_PROTECTED] = " runs without hakmem: it gives rights of its own, so the loader preloads nothing\n",
    [PROGRAM_SANITIZED] = " runs without hakmem: it is built with a sanitizer, which has a malloc of its own\n",
    [PROGRAM_FOREIGN] = " runs without hakmem: it is for another machine, word size or C library\n",
};

/* Constant after follow_begin. */
static struct {
    const char *library; /* NULL: nothing is followed */
    pid_t process_id;    /* of the process that was launched: its forked children have another one */
    struct stat program; /* its file */
    bool follows_itself; /* also in children, where they execute the same file */
    char words[64], words_unset[64];
} launched;

static void note_words(const Launch *launch) {
    strcpy(launched.words, LAUNCH_VARIABLE "follow");
    if (launch->follows_itself) strcat(launched.words, ",itself");
    if (launch->with_stats) strcat(launched.words, ",stats");
    if (launch->is_required) strcat(launched.words, ",require");
    strcpy(launched.words_unset, launched.words);
    strcat(launched.words_unset, ",unset");
}

void follow_begin(const Launch *launch) {
    Dl_info own;
    if (!launch->is_known || (launch->with_children && !launch->is_interpreter)) return;
    if (dladdr(&launched, &own) == 0 || own.dli_fname[0] != '/') return;
    note_words(launch);
    launched.process_id = getpid();
    launched.follows_itself = launch->follows_itself && stat("/proc/self/exe", &launched.program) == 0;
    launched.library = own.dli_fname;
}

static bool is_itself(const char *path) {
    struct stat status;
    return launched.follows_itself && stat(path, &status) == 0 && status.st_ino == launched.program.st_ino &&
           status.st_dev == launched.program.st_dev;
}

static void warn(const char *path, const char *text) { message_print("hakmem: warning: ", path, text); }

static bool is_same_process(bool by_child) { return !by_child && getpid() == launched.process_id; }

bool follow_is_on(bool by_child) {
    return launched.library != NULL && (launched.follows_itself || is_same_process(by_child));
}

FollowSize follow_size(const char *path, char *const *variables, bool by_child) {
    static char *const none[] = {NULL};
    const FollowSize as_it_is = {0};
    if (!follow_is_on(by_child) || path == NULL) return as_it_is;
    if (variables == NULL) variables = none;
    bool is_own_file = is_itself(path);
    if (!is_own_file && !is_same_process(by_child)) return as_it_is;
    if (environment_is_switched_off(variables, launched.follows_itself)) return as_it_is;
    if (environment_find(LAUNCH_VARIABLE, variables) != NULL) return as_it_is;
    ProgramKind kind = is_own_file ? PROGRAM_SERVABLE : program_file_kind(path); /* it is being served */
    if (kind == PROGRAM_ABSENT) return as_it_is;
    size_t count = 0;
    while (variables[count] != NULL) count++;
    const char *preload = environment_find(PRELOAD_VARIABLE, variables);
    size_t preload_bytes = strlen(launched.library) + (preload == NULL ? 0 : strlen(preload)) + sizeof PRELOAD_VARIABLE;
    if (kind != PROGRAM_SERVABLE)
        warn(path, obstacles[kind]);
    else if (count > VARIABLES_MAX || preload_bytes >= PRELOAD_BYTES_MAX)
        warn(path, " runs without hakmem: its environment is too large; preload the library by LD_PRELOAD\n");
    else
        return (FollowSize){count + MORE_POINTERS, preload_bytes + 1}; /* a colon */
    return as_it_is;
}

void follow_fill(char **filled, char *preload, FollowSize size, char *const *variables) {
    bool had_preload = false;
    char *end = stpcpy(stpcpy(preload, PRELOAD_VARIABLE), launched.library), *last = preload + size.preload_bytes - 1;
    size_t left = size.pointers - MORE_POINTERS;
    for (; left > 0 && variables != NULL && *variables != NULL; variables++, left--) {
        const char *former = had_preload ? NULL : environment_value(*variables, PRELOAD_VARIABLE);
        if (former != NULL && strlen(former) < (size_t)(last - end)) stpcpy(stpcpy(end, ":"), former);
        had_preload |= former != NULL;
        *filled++ = former != NULL ? preload : *variables;
    }
    if (!had_preload) *filled++ = preload;
    *filled++ = had_preload ? launched.words : launched.words_unset;
    *filled = NULL;
}
