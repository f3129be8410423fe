/*
 * stats_socket.c - the socket that `hakmem stats` asks, with descriptors that the program never sees.
 *
 * Layer: bindings/python, above events.h and hooks.h. Thread rule: the thread that answers, which never has a GIL.
 */
#define _GNU_SOURCE
#include "stats_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <hakmem_control.h>
#include <hakmem_core.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "events.h"
#include "hooks.h"

enum { WAITING_MAX = 16, NAMES_TRIED_MAX = 16, SLICE_MS = 50, ANSWER_MS_MAX = 5000 };

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static StatsFailure failed(const char *call) { return (StatsFailure){call, errno}; }

/* ---- A table of descriptors of one's own ---- */

/* How many descriptors this thread's table has room for; 0: the kernel does not say. */
static int table_size(void) {
    char text[4096];
    int file = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t bytes = read(file, text, sizeof text - 1);
    close(file);
    text[bytes > 0 ? bytes : 0] = '\0';
    const char *line = strstr(text, "\nFDSize:");
    return line == NULL ? 0 : atoi(line + sizeof "\nFDSize:" - 1);
}

/* The kernel before 5.9: for a moment the copies keep open what the program closes. Its locks on files are not touched,
 * they belong to its table. */
static StatsFailure leave_and_close_copies(void) {
    if (unshare(CLONE_FILES) != 0) return failed("unshare");
    int size = table_size();
    if (size == 0) return (StatsFailure){"/proc/thread-self/status", ENOENT};
    for (int descriptor = 0; descriptor < size; descriptor++) close(descriptor);
    return (StatsFailure){NULL, 0};
}

StatsFailure stats_socket_leave_table(void) {
#ifndef SYS_close_range
#define SYS_close_range 436 /* on every architecture */
#endif
    const unsigned long last = ~0u, unshare_first = 1u << 1; /* older headers lack the name */
    if (syscall(SYS_close_range, 0ul, last, unshare_first) == 0) return (StatsFailure){NULL, 0};
    return leave_and_close_copies();
}

/* ---- The socket ---- */

/* Anybody may have taken a name before, so it ends in a number that nobody can foresee. */
static void make_name(const char *prefix, StatsAddress *address) {
    struct timespec now;
    char *text = address->name.sun_path;
    clock_gettime(CLOCK_MONOTONIC, &now);
    memset(address, 0, sizeof *address);
    address->name.sun_family = AF_UNIX;
    int bytes = snprintf(text + 1, sizeof address->name.sun_path - 1, "%s%ld.%lx", prefix, (long)getpid(), now.tv_nsec);
    address->bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)bytes);
}

int stats_socket_open(const char *prefix, StatsAddress *address, StatsFailure *failure) {
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *failure = listener < 0 ? failed("socket") : (StatsFailure){NULL, 0};
    if (listener < 0) return -1;
    int result = -1;
    for (int tried = 0; result != 0 && tried < NAMES_TRIED_MAX; tried++) {
        make_name(prefix, address);
        result = bind(listener, (const struct sockaddr *)&address->name, address->bytes);
        if (result != 0 && errno != EADDRINUSE) break;
    }
    if (result != 0)
        *failure = failed("bind");
    else if (listen(listener, WAITING_MAX) != 0)
        *failure = failed("listen");
    if (failure->call == NULL) return listener;
    close(listener);
    return -1;
}

bool stats_socket_wake(const StatsAddress *address) {
    int caller = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (caller < 0) return false;
    int result = connect(caller, (const struct sockaddr *)&address->name, address->bytes);
    bool is_awake = result == 0 || errno != ECONNREFUSED; /* the first, or others wait for it */
    close(caller);
    return is_awake;
}

/* ---- Answering ---- */

typedef struct Answer {
    int connection;
    long long end_ms;
    StatsIsOver *is_over;
} Answer;

/* False: who asked has gone or is too slow, or it is over. */
static bool send_text(const Answer *answer, const char *text) {
    size_t bytes = strlen(text);
    while (bytes > 0) {
        ssize_t sent = send(answer->connection, text, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
        if (sent < 0) {
            struct pollfd room = {.fd = answer->connection, .events = POLLOUT};
            if (now_ms() > answer->end_ms || answer->is_over()) return false;
            (void)poll(&room, 1, SLICE_MS);
        } else {
            text += sent;
            bytes -= (size_t)sent;
        }
    }
    return true;
}

static void tell(const Answer *answer, const char *identity, const char *stats, const char *events) {
    char begin[256];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(begin, sizeof begin, "{\"pid\": %ld, \"is_enabled\": %s, \"monotonic\": %lld.%06ld, ", (long)getpid(),
             hooks_are_enabled() ? "true" : "false", (long long)now.tv_sec, now.tv_nsec / 1000);
    (void)(send_text(answer, begin) && send_text(answer, identity) && send_text(answer, ", ") &&
           send_text(answer, events) && send_text(answer, ", \"stats\": ") && send_text(answer, stats) &&
           send_text(answer, "}"));
}

static bool may_ask(int connection) {
    struct ucred peer;
    socklen_t bytes = sizeof peer;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return false;
    return peer.uid == 0 || peer.uid == geteuid();
}

static void answer_one(int connection, const char *identity, StatsIsOver *is_over) {
    const Answer answer = {connection, now_ms() + ANSWER_MS_MAX, is_over};
    const hak_core_t *core = hak_core(NULL, 0);
    char *stats = NULL, *events = NULL;
    if (core != NULL && hak_control_stats_json(&stats, NULL) == 0 && (events = events_json(core)) != NULL)
        tell(&answer, identity, stats, events);
    if (core == NULL) return;
    core->free(events);
    core->free(stats);
}

void stats_socket_serve(int listener, const char *identity, StatsIsOver *is_over) {
    struct pollfd caller = {.fd = listener, .events = POLLIN};
    while (!is_over()) {
        (void)poll(&caller, 1, -1); /* nobody waits for this thread while it waits: stats_socket_wake ends it */
        if (is_over()) return;
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (connection >= 0) {
            if (may_ask(connection)) answer_one(connection, identity, is_over);
            close(connection);
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            (void)poll(NULL, 0, SLICE_MS); /* no memory, or no descriptor: the caller still waits */
        }
    }
}
