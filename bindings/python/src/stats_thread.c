/*
 * stats_thread.c - the thread that answers `hakmem stats`: its life, and how it steps aside for a fork and a pause.
 *
 * Layer: bindings/python, above stats_socket.h. Thread rule: state is changed under life_lock, but for `phase`, `order`
 * and what the thread says of itself. Who holds life_lock waits for no GIL.
 *
 * Phases: absent -start-> starting -listens-> serving -end-> absent. The thread ends by itself where it cannot listen,
 * and else when it takes the order to: go on -before a fork or a pause-> stop -taken-> ending. An order that was not
 * taken in time is taken back after the fork, or by the pause that fails. Each order to stop comes with one wake.
 */
#define _GNU_SOURCE
#include "stats_thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "process.h"
#include "stats_socket.h"

typedef enum Phase { PHASE_ABSENT, PHASE_STARTING, PHASE_SERVING } Phase;
typedef enum Order { ORDER_GO_ON, ORDER_STOP, ORDER_ENDING } Order;

enum { WAIT_MS_MAX = 1000, GONE_MS_MAX = 100, MOMENT_US = 20, STACK_BYTES_MORE = 128 << 10 };
enum { RETRY_US = 1000000 };

static pthread_mutex_t life_lock = PTHREAD_MUTEX_INITIALIZER;
static char *name_prefix, *identity;  /* never freed: the thread may be reading them */
static bool is_wanted;                /* in this process and its children */
static _Atomic bool is_due;           /* in a child that nobody has told CPython of, or after a failure */
static long long due_us;              /* when */
static uint32_t process;              /* the generation whose thread this is about */
static unsigned pause_count;          /* of stats_thread_pause without its resume; above 0 no thread starts */
static uint32_t process_without_main; /* whose main thread has ended; no thread starts there */

static _Atomic uint32_t phase, order;
static _Atomic int thread_id;
static StatsFailure failure; /* the thread's until it is absent */

/* ---- Waiting ---- */

static long long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* Not a lock and a condition: a child would inherit them from a thread that it does not have. */
static void wait_while(_Atomic uint32_t *word, uint32_t value, int milliseconds) {
    long long end_us = now_us() + milliseconds * 1000LL, rest_us;
    while (atomic_load(word) == value && (rest_us = end_us - now_us()) > 0) {
        struct timespec rest = {rest_us / 1000000, rest_us % 1000000 * 1000};
        syscall(SYS_futex, (void *)word, FUTEX_WAIT_PRIVATE, value, &rest, NULL, 0);
    }
}

static void enter(Phase next) {
    atomic_store(&phase, next);
    syscall(SYS_futex, (void *)&phase, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* CPython counts the kernel's threads at a fork, and warns of more than one. */
static void wait_until_uncounted(void) {
    static _Atomic uint32_t nobody_wakes;
    struct timespec moment = {0, MOMENT_US * 1000L};
    for (long long end_us = now_us() + GONE_MS_MAX * 1000LL; now_us() < end_us;) {
        if (syscall(SYS_tgkill, getpid(), atomic_load(&thread_id), 0) != 0) return;
        syscall(SYS_futex, (void *)&nobody_wakes, FUTEX_WAIT_PRIVATE, 0, &moment, NULL, 0);
    }
}

/* ---- The thread ---- */

static bool is_over(void) {
    uint32_t stop = ORDER_STOP;
    return atomic_load(&order) == ORDER_ENDING || atomic_compare_exchange_strong(&order, &stop, ORDER_ENDING);
}

/* It inherits the scheduling of the thread that starts it, which may be a real-time one, or bound to one processor. */
static void use_scheduling_of_process(void) {
    enum { PROCESSORS_MAX = 8192, WORD_BITS = 8 * sizeof(unsigned long) };
    const struct sched_param ordinary = {.sched_priority = 0};
    unsigned long processors[PROCESSORS_MAX / WORD_BITS];
    (void)syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &ordinary);
    long bytes = syscall(SYS_sched_getaffinity, getpid(), sizeof processors, processors);
    if (bytes > 0) (void)syscall(SYS_sched_setaffinity, 0, (size_t)bytes, processors);
}

static void *thread_main(void *unused) {
    (void)unused;
    use_scheduling_of_process();
    atomic_store(&thread_id, (int)syscall(SYS_gettid));
    prctl(PR_SET_NAME, "hakmem stats");
    failure = stats_socket_leave_table();
    StatsSocket opened;
    if (failure.call == NULL) failure = stats_socket_open(name_prefix, &opened);
    if (failure.call == NULL) {
        enter(PHASE_SERVING);
        stats_socket_serve(&opened, identity, is_over);
        stats_socket_close(&opened);
    }
    enter(PHASE_ABSENT);
    return NULL;
}

/* 0 or an errno. Detached: nobody may come who would join it. */
static int create(void) {
    sigset_t all_signals, previous_signals;
    pthread_attr_t attributes;
    pthread_t thread;
    int result = pthread_attr_init(&attributes);
    if (result != 0) return result;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN) + STACK_BYTES_MORE);
    sigfillset(&all_signals); /* the new thread inherits the mask: no signal handler of the program's ever runs on it */
    pthread_sigmask(SIG_SETMASK, &all_signals, &previous_signals);
    result = pthread_create(&thread, &attributes, thread_main, NULL);
    pthread_sigmask(SIG_SETMASK, &previous_signals, NULL);
    pthread_attr_destroy(&attributes);
    return result;
}

static void watch_main_thread(void);

/* Its begin is awaited, with the GIL: until the thread has left the program's table it may hold copies of descriptors,
 * and what the program closes meanwhile would stay open. */
static StatsFailure try_to_start(void) {
    uint32_t stop = ORDER_STOP;
    if (process_without_main == process_generation()) return (StatsFailure){NULL, 0};
    watch_main_thread();
    if (pause_count > 0) return (StatsFailure){NULL, 0}; /* the resume starts it */
    if (atomic_load(&phase) != PHASE_ABSENT) {
        if (atomic_compare_exchange_strong(&order, &stop, ORDER_GO_ON) || stop == ORDER_GO_ON)
            return (StatsFailure){NULL, 0}; /* it did not stop in time, and need not any more */
        wait_while(&phase, PHASE_SERVING, WAIT_MS_MAX);
        if (atomic_load(&phase) != PHASE_ABSENT) return (StatsFailure){"the thread before", ETIMEDOUT};
    }
    atomic_store(&order, ORDER_GO_ON);
    atomic_store(&phase, PHASE_STARTING);
    int error = create();
    if (error != 0) {
        atomic_store(&phase, PHASE_ABSENT);
        return (StatsFailure){"pthread_create", error};
    }
    wait_while(&phase, PHASE_STARTING, WAIT_MS_MAX);
    return atomic_load(&phase) == PHASE_ABSENT ? failure : (StatsFailure){NULL, 0};
}

/* There may be no descriptor, thread or memory for a while. */
static StatsFailure start(void) {
    StatsFailure result = try_to_start();
    if (result.call != NULL && is_wanted) {
        due_us = now_us() + RETRY_US;
        is_due = true;
    }
    return result;
}

static void stop(void) {
    uint32_t go_on = ORDER_GO_ON;
    wait_while(&phase, PHASE_STARTING, WAIT_MS_MAX);
    if (atomic_load(&phase) != PHASE_SERVING) return;
    if (!atomic_compare_exchange_strong(&order, &go_on, ORDER_STOP)) return;
    uint32_t still = ORDER_STOP;
    if (!stats_socket_wake(atomic_load(&thread_id)) && atomic_compare_exchange_strong(&order, &still, ORDER_GO_ON))
        return;
    wait_while(&phase, PHASE_SERVING, WAIT_MS_MAX);
    if (atomic_load(&phase) == PHASE_ABSENT) wait_until_uncounted();
}

/* ---- The end of the main thread ---- */

/* The C library ends the process when the last thread ends, and the kernel passes SIGTERM to a thread that does not
 * block it: where the program's last thread leaves by pthread_exit, this one has to be away. */
static void main_thread_ends(void *unused) {
    (void)unused;
    if (process != process_generation()) return;
    pthread_mutex_lock(&life_lock);
    process_without_main = process_generation();
    stop();
    pthread_mutex_unlock(&life_lock);
}

static pthread_key_t main_key;
static bool has_main_key;

static void make_main_key(void) { has_main_key = pthread_key_create(&main_key, main_thread_ends) == 0; }

static void watch_main_thread(void) {
    static pthread_once_t key_is_made = PTHREAD_ONCE_INIT;
    (void)pthread_once(&key_is_made, make_main_key);
    if (has_main_key && getpid() == (pid_t)syscall(SYS_gettid)) (void)pthread_setspecific(main_key, &main_key);
}

/* ---- Around a fork ---- */

#define COUNTS_AFTER_HOOKS (PY_VERSION_HEX >= 0x030D0000 && PY_VERSION_HEX < 0x030F0000)

static bool restart_is_due;
static const void *forking_frame; /* compared, never followed */
static long long restart_end_us;

/* CPython 3.13 and 3.14 count threads after the hooks of a fork: what starts in one makes it warn. So the thread starts
 * when the function that forked goes on, which is a frame that no hook runs in; or after a while, whatever runs. */
static int restart(void *unused) {
    enum { PATIENCE_US = 100000 };
    (void)unused;
    pthread_mutex_lock(&life_lock);
    if (restart_end_us == 0) restart_end_us = now_us() + PATIENCE_US;
    bool is_too_early = PyEval_GetFrame() != forking_frame && now_us() < restart_end_us;
    if (restart_is_due && !(is_too_early && Py_AddPendingCall(restart, NULL) == 0)) {
        restart_is_due = false;
        (void)start();
    }
    pthread_mutex_unlock(&life_lock);
    return 0;
}

/* Pending calls wait for the main thread. A fork in another one has other threads to be warned of. */
static bool queue_restart(void) {
    if (!COUNTS_AFTER_HOOKS || getpid() != (pid_t)syscall(SYS_gettid)) return false;
    forking_frame = PyEval_GetFrame();
    restart_end_us = 0;
    restart_is_due = Py_AddPendingCall(restart, NULL) == 0;
    return restart_is_due;
}

/* Who forks without the C library calls no handler of it. */
static void notice_process(void) {
    if (process != process_generation()) stats_thread_begin_anew();
}

PyObject *stats_thread_before_fork(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    notice_process();
    pthread_mutex_lock(&life_lock);
    restart_is_due = false;
    stop();
    pthread_mutex_unlock(&life_lock);
    Py_RETURN_NONE;
}

PyObject *stats_thread_after_fork_in_parent(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    pthread_mutex_lock(&life_lock);
    is_due = false;
    if (is_wanted && !queue_restart()) (void)start();
    pthread_mutex_unlock(&life_lock);
    Py_RETURN_NONE;
}

PyObject *stats_thread_after_fork_in_child(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    stats_thread_start_if_due();
    Py_RETURN_NONE;
}

void stats_thread_begin_anew(void) {
    (void)pthread_mutex_init(&life_lock, NULL); /* another thread of the parent may have held it */
    process = process_generation();
    atomic_store(&phase, PHASE_ABSENT);
    atomic_store(&order, ORDER_GO_ON);
    restart_is_due = false;
    due_us = 0;
    is_due = is_wanted;
}

void stats_thread_start_if_due(void) {
    if (is_wanted) notice_process();
    if (!is_due || now_us() < due_us || PyInterpreterState_Get() != PyInterpreterState_Main()) return;
    int saved = errno;
    pthread_mutex_lock(&life_lock);
    is_due = false;
    (void)start();
    pthread_mutex_unlock(&life_lock);
    errno = saved;
}

/* ---- A pause ---- */

bool stats_thread_pause(void) {
    if (is_wanted) notice_process();
    pthread_mutex_lock(&life_lock);
    restart_is_due = false;
    stop();
    bool is_absent = atomic_load(&phase) == PHASE_ABSENT;
    if (is_absent)
        pause_count++;
    else
        (void)start();
    pthread_mutex_unlock(&life_lock);
    return is_absent;
}

void stats_thread_resume(void) {
    pthread_mutex_lock(&life_lock);
    if (--pause_count == 0 && is_wanted) (void)start();
    pthread_mutex_unlock(&life_lock);
}

/* ---- The start ---- */

PyObject *stats_thread_serve(PyObject *module, PyObject *arguments) {
    const char *new_prefix, *new_identity;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "ss:serve_stats", &new_prefix, &new_identity)) return NULL;
    if (is_wanted) Py_RETURN_NONE;
    name_prefix = strdup(new_prefix);
    identity = strdup(new_identity);
    if (name_prefix == NULL || identity == NULL) return PyErr_NoMemory();
    pthread_mutex_lock(&life_lock);
    StatsFailure result = start();
    is_wanted = result.call == NULL;
    process = process_generation();
    pthread_mutex_unlock(&life_lock);
    if (result.call == NULL) Py_RETURN_NONE;
    errno = result.error;
    return PyErr_SetFromErrnoWithFilename(PyExc_OSError, result.call);
}
