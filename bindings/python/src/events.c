/*
 * events.c - named moments and full runs of the garbage collector: appended to a recorder's file, kept for who asks.
 *
 * Layer: bindings/python, bottom. Thread rule: see events.h. The lock is held for a copy or one write at most; whoever
 * cannot have it within a second goes without.
 */
#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

enum { KEPT_MAX = 1000, WAIT_SECONDS_MAX = 1, GENERATIONS = 3, FULL_GENERATION = 2, LINE_BYTES_MORE = 96 };
enum { HELD_BYTES = 1 }; /* mapped without access, and none of them is ever read */
enum { NANOSECONDS = 1000000000, NANOSECONDS_PER_MICROSECOND = 1000 };

static pthread_mutex_t events_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t process; /* the generation whose lock and lines these are */

/* A child that no handler of fork's was called in (_Fork, clone) begins anew here. */
static bool lock(void) {
    if (process != process_generation()) events_begin_anew();
    if (pthread_mutex_trylock(&events_lock) == 0) return true;
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += WAIT_SECONDS_MAX;
    return pthread_mutex_timedlock(&events_lock, &limit) == 0;
}

static void unlock(void) { pthread_mutex_unlock(&events_lock); }

/* ---- The recorder's file ---- */

/* The descriptor's number is the program's as soon as the program closes it, so each use asks whose file it leads to.
 * Under events_lock. */
static struct {
    char *path; /* NULL: nobody records */
    int descriptor;
    dev_t device;
    ino_t inode;
    void *held; /* keeps the inode, whose number would be another file's after the recorder has removed this one */
    bool takes_collections;
} file = {.descriptor = -1};

/* The name may outlive the recorder in the environment of a daemon, and become somebody else's: neither a link is
 * followed, nor is a pipe waited for. To read, since the kernel maps no other. -1: there is no such file any more. */
static int open_regular(const char *path, struct stat *status) {
    int descriptor = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (descriptor >= 0 && fstat(descriptor, status) == 0 && S_ISREG(status->st_mode) && status->st_nlink == 1)
        return descriptor;
    if (descriptor >= 0) close(descriptor);
    return -1;
}

static bool is_the_file(const struct stat *status) {
    return status->st_dev == file.device && status->st_ino == file.inode;
}

/* The recorder has ended, and what is written goes to a file without a name, which only fills the disk. */
static void end_recording(void) {
    close(file.descriptor);
    (void)munmap(file.held, HELD_BYTES);
    free(file.path);
    file.path = NULL;
    file.descriptor = -1;
}

/* Beyond the program's limit on the size of files (RLIMIT_FSIZE) the kernel sends a signal, which is the program's to
 * get for its own files alone. */
static void write_within_limit(int descriptor, const char *line, size_t bytes) {
    const struct timespec none = {0, 0};
    sigset_t set, previous, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    (void)pthread_sigmask(SIG_BLOCK, &set, &previous);
    bool was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ);
    if (write(descriptor, line, bytes) < 0 && errno == EFBIG && !was_pending) (void)sigtimedwait(&set, NULL, &none);
    (void)pthread_sigmask(SIG_SETMASK, &previous, NULL);
}

/* One write a line: lines of several processes do not mix. A full disk must not stop the program. */
static void write_line(const char *line, size_t bytes) {
    struct stat status;
    if (file.path == NULL) return;
    if (file.descriptor >= 0 && (fstat(file.descriptor, &status) != 0 || !is_the_file(&status))) file.descriptor = -1;
    if (file.descriptor >= 0 && status.st_nlink == 0) {
        end_recording();
        return;
    }
    int descriptor = file.descriptor >= 0 ? file.descriptor : open_regular(file.path, &status);
    if (descriptor < 0) return;
    if (is_the_file(&status)) write_within_limit(descriptor, line, bytes);
    if (descriptor != file.descriptor) close(descriptor); /* the program has closed one already */
}

PyObject *events_open_file(PyObject *module, PyObject *arguments) {
    const char *text;
    int takes_collections;
    struct stat status;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "yp:open_events_file", &text, &takes_collections)) return NULL;
    if (lock()) {
        int descriptor = file.path == NULL ? open_regular(text, &status) : -1;
        void *held = descriptor >= 0 ? mmap(NULL, HELD_BYTES, PROT_NONE, MAP_SHARED, descriptor, 0) : MAP_FAILED;
        file.path = held != MAP_FAILED ? strdup(text) : file.path;
        if (descriptor >= 0 && file.path != NULL) {
            file.descriptor = descriptor;
            file.held = held;
            file.device = status.st_dev;
            file.inode = status.st_ino;
            file.takes_collections = takes_collections;
        } else if (descriptor >= 0) {
            close(descriptor);
        }
        unlock();
    }
    Py_RETURN_NONE;
}

/* ---- What is kept ---- */

static bool is_kept;         /* under events_lock, as the next two */
static char *kept[KEPT_MAX]; /* a ring */
static size_t kept_count;    /* ever; the last KEPT_MAX are there */

/* Of the main interpreter: runs, objects collected, objects that could not be. */
static _Atomic uint64_t totals[GENERATIONS][3];

static void keep(char *line) {
    char **place = &kept[kept_count++ % KEPT_MAX];
    free(*place);
    *place = line;
}

PyObject *events_keep(PyObject *module, PyObject *counts) {
    (void)module;
    if (!PyTuple_Check(counts)) return PyErr_Format(PyExc_TypeError, "totals must be a tuple");
    for (Py_ssize_t index = 0; index < PyTuple_GET_SIZE(counts) && index < GENERATIONS * 3; index++)
        totals[index / 3][index % 3] = PyLong_AsUnsignedLongLongMask(PyTuple_GET_ITEM(counts, index));
    if (PyErr_Occurred()) return NULL;
    if (lock()) {
        is_kept = true;
        unlock();
    }
    Py_RETURN_NONE;
}

void events_begin_anew(void) {
    /* Who held the lock is not in this process. The lines stay where they are: to free them would copy the parent's. */
    events_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    process = process_generation();
    memset(kept, 0, sizeof kept);
    kept_count = 0;
}

/* ---- Noting ---- */

/* Whole numbers only: with %f a locale of the program's would decide about the point. */
static char *line_of(const char *fragment) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    size_t capacity = strlen(fragment) + LINE_BYTES_MORE;
    char *line = malloc(capacity);
    if (line != NULL)
        snprintf(line, capacity, "{%s, \"monotonic\": %lld.%06ld, \"pid\": %ld}\n", fragment, (long long)now.tv_sec,
                 now.tv_nsec / NANOSECONDS_PER_MICROSECOND, (long)getpid());
    return line;
}

static void note(const char *fragment, bool is_collection) {
    char *line = line_of(fragment);
    if (line == NULL || !lock()) {
        free(line);
        return;
    }
    size_t bytes = strlen(line);
    if (!is_collection || file.takes_collections) write_line(line, bytes);
    if (is_kept) {
        line[bytes - 1] = '\0';
        keep(line);
        line = NULL;
    }
    unlock();
    free(line);
}

/* All but plain letters as \uXXXX, two of them beyond 0xFFFF. */
static size_t quote(char *place, Py_UCS4 letter) {
    enum { BEYOND = 0x10000, HIGH = 0xD800, LOW = 0xDC00, LOW_BITS = 10, LOW_MASK = 0x3FF };
    if (letter >= ' ' && letter < 0x7F && letter != '"' && letter != '\\') {
        *place = (char)letter;
        return 1;
    }
    if (letter < BEYOND) return (size_t)sprintf(place, "\\u%04x", letter);
    unsigned rest = letter - BEYOND;
    return (size_t)sprintf(place, "\\u%04x\\u%04x", HIGH + (rest >> LOW_BITS), LOW + (rest & LOW_MASK));
}

PyObject *events_quoted(PyObject *module, PyObject *text) {
    enum { LETTER_BYTES_MAX = 12 };
    (void)module;
    if (!PyUnicode_Check(text)) return PyErr_Format(PyExc_TypeError, "text must be str");
    Py_ssize_t letters = PyUnicode_GET_LENGTH(text);
    char *quoted = malloc((size_t)letters * LETTER_BYTES_MAX + 3);
    if (quoted == NULL) return PyErr_NoMemory();
    size_t used = 0;
    quoted[used++] = '"';
    for (Py_ssize_t index = 0; index < letters; index++) used += quote(quoted + used, PyUnicode_READ_CHAR(text, index));
    quoted[used++] = '"';
    PyObject *result = PyUnicode_FromStringAndSize(quoted, (Py_ssize_t)used);
    free(quoted);
    return result;
}

PyObject *events_note(PyObject *module, PyObject *fragment) {
    (void)module;
    const char *text = PyUnicode_AsUTF8(fragment);
    if (text == NULL) return NULL;
    note(text, false);
    Py_RETURN_NONE;
}

static uint64_t number_in(PyObject *information, const char *name) {
    PyObject *number = PyDict_Check(information) ? PyDict_GetItemString(information, name) : NULL; /* borrowed */
    unsigned long long value = number == NULL ? 0 : PyLong_AsUnsignedLongLongMask(number);
    PyErr_Clear();
    return value;
}

static void add_to_totals(uint64_t generation, uint64_t collected, uint64_t uncollectable) {
    if (generation >= GENERATIONS || PyInterpreterState_Get() != PyInterpreterState_Main()) return;
    totals[generation][0] += 1;
    totals[generation][1] += collected;
    totals[generation][2] += uncollectable;
}

PyObject *events_note_collection(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    static _Thread_local struct timespec begin; /* a run begins and ends in one thread */
    int saved = errno;                          /* any allocation of the program's may have begun the run */
    (void)module;
    if (count != 2 || !PyUnicode_Check(arguments[0])) Py_RETURN_NONE;
    uint64_t generation = number_in(arguments[1], "generation");
    if (PyUnicode_CompareWithASCIIString(arguments[0], "start") == 0) {
        clock_gettime(CLOCK_MONOTONIC, &begin);
    } else {
        uint64_t collected = number_in(arguments[1], "collected");
        add_to_totals(generation, collected, number_in(arguments[1], "uncollectable"));
        if (generation == FULL_GENERATION) {
            struct timespec end;
            char fragment[LINE_BYTES_MORE];
            clock_gettime(CLOCK_MONOTONIC, &end);
            long long nanoseconds = (end.tv_sec - begin.tv_sec) * (long long)NANOSECONDS + end.tv_nsec - begin.tv_nsec;
            snprintf(fragment, sizeof fragment, "\"gc_seconds\": %lld.%06lld, \"collected\": %llu",
                     nanoseconds / NANOSECONDS, nanoseconds % NANOSECONDS / NANOSECONDS_PER_MICROSECOND,
                     (unsigned long long)collected);
            note(fragment, true);
        }
    }
    errno = saved;
    Py_RETURN_NONE;
}

/* ---- Telling ---- */

static size_t totals_text(char *text, size_t capacity) {
    size_t used = 0;
    for (unsigned generation = 0; generation < GENERATIONS; generation++)
        used += (size_t)snprintf(text + used, capacity - used,
                                 "%s{\"collections\": %llu, \"collected\": %llu, \"uncollectable\": %llu}",
                                 generation == 0 ? "\"gc\": [" : ", ", (unsigned long long)totals[generation][0],
                                 (unsigned long long)totals[generation][1], (unsigned long long)totals[generation][2]);
    return used + (size_t)snprintf(text + used, capacity - used, "], \"marks\": [");
}

static size_t append(char *text, size_t used, const char *more) {
    size_t bytes = strlen(more);
    memcpy(text + used, more, bytes + 1);
    return used + bytes;
}

char *events_json(const hak_core_t *core) {
    enum { TOTALS_BYTES_MAX = 512 };
    if (!lock()) return NULL;
    size_t first = kept_count > KEPT_MAX ? kept_count - KEPT_MAX : 0, bytes = TOTALS_BYTES_MAX;
    for (size_t number = first; number < kept_count; number++) bytes += strlen(kept[number % KEPT_MAX]) + 2;
    char *text = core->malloc(bytes);
    if (text != NULL) {
        size_t used = totals_text(text, TOTALS_BYTES_MAX);
        for (size_t number = first; number < kept_count; number++) {
            if (number != first) used = append(text, used, ", ");
            used = append(text, used, kept[number % KEPT_MAX]);
        }
        (void)append(text, used, "]");
    }
    unlock();
    return text;
}
