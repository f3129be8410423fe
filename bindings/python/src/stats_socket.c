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
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "arrays.h"
#include "events.h"
#include "hooks.h"

enum { WAITING_MAX = 16, NAMES_TRIED_MAX = 16, SLICE_MS = 50, ANSWER_MS_MAX = 5000, WAKE_MS_MAX = 500 };

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
static socklen_t make_name(const char *prefix, struct sockaddr_un *name) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    memset(name, 0, sizeof *name);
    name->sun_family = AF_UNIX;
    int bytes =
        snprintf(name->sun_path + 1, sizeof name->sun_path - 1, "%s%ld.%lx", prefix, (long)getpid(), now.tv_nsec);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)bytes);
}

static StatsFailure open_listener(const char *prefix, int *listener) {
    struct sockaddr_un name;
    *listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*listener < 0) return failed("socket");
    int result = -1;
    for (int tried = 0; result != 0 && tried < NAMES_TRIED_MAX; tried++) {
        socklen_t bytes = make_name(prefix, &name);
        result = bind(*listener, (const struct sockaddr *)&name, bytes);
        if (result != 0 && errno != EADDRINUSE) break;
    }
    if (result != 0) return failed("bind");
    if (listen(*listener, WAITING_MAX) != 0) return failed("listen");
    return (StatsFailure){NULL, 0};
}

/* ---- Waking ---- */

/* The first of the signals that are the C library's own: no program can send it, or have a handler for it, and the
 * C library sends it to single threads of its own alone. So it can be kept blocked in ours, where nothing comes of it
 * but that a descriptor can be read. */
enum { WAKE_SIGNAL = 32, SIGNAL_SET_BYTES = _NSIG / 8 };

static StatsFailure open_waker(int *waker) {
    const uint64_t set[2] = {UINT64_C(1) << (WAKE_SIGNAL - 1), 0};
    if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, set, NULL, (size_t)SIGNAL_SET_BYTES) != 0)
        return failed("rt_sigprocmask"); /* the C library's own function leaves this signal out */
    *waker = (int)syscall(SYS_signalfd4, -1, set, (size_t)SIGNAL_SET_BYTES, SFD_CLOEXEC | SFD_NONBLOCK);
    return *waker < 0 ? failed("signalfd") : (StatsFailure){NULL, 0};
}

static void take_wakes(int waker) {
    struct signalfd_siginfo taken;
    while (read(waker, &taken, sizeof taken) > 0) continue;
}

bool stats_socket_wake(int thread_id) { return syscall(SYS_tgkill, getpid(), thread_id, WAKE_SIGNAL) == 0; }

StatsFailure stats_socket_open(const char *prefix, StatsSocket *opened) {
    *opened = (StatsSocket){-1, -1};
    StatsFailure failure = open_waker(&opened->waker);
    if (failure.call == NULL) failure = open_listener(prefix, &opened->listener);
    if (failure.call != NULL) stats_socket_close(opened);
    return failure;
}

void stats_socket_close(const StatsSocket *opened) {
    if (opened->listener >= 0) close(opened->listener);
    if (opened->waker >= 0) close(opened->waker);
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
    snprintf(begin, sizeof begin, "{\"pid\": %ld, \"is_enabled\": %s, \"arrays\": \"%s\", \"monotonic\": %lld.%06ld, ",
             (long)getpid(), hooks_are_enabled() ? "true" : "false", arrays_way(), (long long)now.tv_sec,
             now.tv_nsec / 1000);
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

/* True: it was woken. */
static bool await(const StatsSocket *opened, int milliseconds_max) {
    struct pollfd waited[] = {{.fd = opened->waker, .events = POLLIN}, {.fd = opened->listener, .events = POLLIN}};
    (void)poll(waited, milliseconds_max < 0 ? 2 : 1, milliseconds_max);
    if (waited[0].revents == 0) return false;
    take_wakes(opened->waker);
    return true;
}

void stats_socket_serve(const StatsSocket *opened, const char *identity, StatsIsOver *is_over) {
    bool is_woken = false;
    while (!is_over()) {
        is_woken = await(opened, -1); /* nobody waits for this thread while it waits: stats_socket_wake ends it */
        if (is_over()) break;
        int connection = accept4(opened->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (connection >= 0) {
            if (may_ask(connection)) answer_one(connection, identity, is_over);
            close(connection);
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            (void)poll(NULL, 0, SLICE_MS); /* no memory, or no descriptor: the caller still waits */
        }
    }
    if (!is_woken) (void)await(opened, WAKE_MS_MAX); /* the wake is on its way, and must find this thread */
}
