/*
 * stats_socket.h - the socket that `hakmem stats` asks, with descriptors that the program never sees.
 *
 * Layer: bindings/python, bottom. Does not start threads and knows no Python. Thread rule: the thread that answers.
 *
 * A program may close every descriptor and take its number for its own at any time, so none of ours lies in its table:
 * the thread leaves that table for an empty one. Nothing is inherited by children either, and nothing has to be closed.
 * The socket has a name in the kernel (abstract), not in a file system: there is no directory that a disk, a chroot or
 * another user could take away, and nothing stays behind, however the process ends. Anybody may connect, therefore; the
 * kernel says who did, and all but root and the process's user of that moment get nothing.
 */
#ifndef HAKMEM_PYTHON_STATS_SOCKET_H
#define HAKMEM_PYTHON_STATS_SOCKET_H

#include <stdbool.h>

/* What could not be done, and its errno; `call` is NULL where all went well. */
typedef struct StatsFailure {
    const char *call;
    int error;
} StatsFailure;

/* The calling thread has no descriptors from here on, and shares none that it will have. */
StatsFailure stats_socket_leave_table(void);

/* Of the thread that answers, in the table that it has left for. */
typedef struct StatsSocket {
    int listener;
    int waker; /* has something to read after stats_socket_wake */
} StatsSocket;

/* Opens both; the listener's name begins with `prefix`, the process's number and a full stop. `call` of the failure is
 * NULL where that went well. */
StatsFailure stats_socket_open(const char *prefix, StatsSocket *opened);
void stats_socket_close(const StatsSocket *opened);

/* Whether to end: asked before each wait and after it. */
typedef bool StatsIsOver(void);

/* Answers whoever connects until it is over. `identity` is the inside of a JSON object. */
void stats_socket_serve(const StatsSocket *opened, const char *identity, StatsIsOver *is_over);

/* Lets it ask at once whether it is over. From any thread, and without a descriptor: each number in the program's table
 * is the program's. `thread_id` has opened its socket, and has not closed it. False: the kernel takes no more signals
 * for this user. */
bool stats_socket_wake(int thread_id);

#endif
