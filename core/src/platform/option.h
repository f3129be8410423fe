/*
 * platform/option.h - the option table: one row drives environment, API, command line and docs.
 *
 * Layer: platform. Does not act on options. Thread rule: option_initialize once, under the start lock
 * (lifecycle/start.c); the rest from any thread. Values are relaxed atomics.
 */
#ifndef HAK_PLATFORM_OPTION_H
#define HAK_PLATFORM_OPTION_H

#include <hakmem.h>

#include "base/base.h"

enum { OPTION_AT_START = 1, OPTION_ANY_TIME = 0 };

/* ROW(name, NAME, kind, default text, minimum, maximum, choices, unit, at start only, help) */
#define OPTION_TABLE(ROW)                                                                                           \
    ROW(retain_bytes, RETAIN_BYTES, HAK_OPTION_INTEGER, "4194304", 0, INT64_MAX, "", "bytes", OPTION_ANY_TIME,      \
        "the idle bound: resident OS pages that have been free for longer than purge_delay_ms")                     \
    ROW(retain_percent, RETAIN_PERCENT, HAK_OPTION_INTEGER, "5", 0, 1000, "", "%", OPTION_ANY_TIME,                 \
        "added to the idle bound: percent of used bytes (live and cached)")                                         \
    ROW(retain_burst_bytes, RETAIN_BURST_BYTES, HAK_OPTION_INTEGER, "16777216", 0, INT64_MAX, "", "bytes",          \
        OPTION_ANY_TIME,                                                                                            \
        "the burst bound: resident OS pages that are free at all (the larger of this and the next); once set, it "  \
        "is not learned")                                                                                           \
    ROW(retain_burst_percent, RETAIN_BURST_PERCENT, HAK_OPTION_INTEGER, "25", 0, 1000, "", "%", OPTION_ANY_TIME,    \
        "the burst bound as percent of used bytes; never below the idle bound; once set, it is not learned")        \
    ROW(purge_delay_ms, PURGE_DELAY_MS, HAK_OPTION_INTEGER, "250", 0, 3600000, "", "ms", OPTION_ANY_TIME,           \
        "how long a free OS page is exempt from the idle bound; 0: no burst bound, and no helper thread")           \
    ROW(learn, LEARN, HAK_OPTION_SET, "1", 0, 0, "0,1,burst,window", "", OPTION_ANY_TIME,                           \
        "what is learned: 0 nothing, whatever stands beside it; 1 the default: burst; burst: the burst bound, where " \
        "holding more of what is freed pays; window: it is what the last second used, whether it pays or not")      \
    ROW(first_thread_bytes, FIRST_THREAD_BYTES, HAK_OPTION_INTEGER, "0", 0, INT64_MAX, "", "bytes", OPTION_ANY_TIME, \
        "in a process that never had a thread: as much above the idle bound is not worth the helper")               \
    ROW(thp, THP, HAK_OPTION_CHOICE, "auto", 0, 0, "never,auto,always", "", OPTION_AT_START,                        \
        "transparent huge pages for SuperSlabs; auto: for those of a heap that is dense and grows")                 \
    ROW(align, ALIGN, HAK_OPTION_CHOICE, "8", 0, 0, "8,16", "bytes", OPTION_AT_START,                               \
        "no block lies below this alignment")                                                                       \
    ROW(on_error, ON_ERROR, HAK_OPTION_CHOICE, "abort", 0, 0, "abort,report", "", OPTION_ANY_TIME,                  \
        "after a misuse line: stop the process, or go on and leave alone what is not a live block")                 \
    ROW(counters, COUNTERS, HAK_OPTION_CHOICE, "0", 0, 0, "0,1", "", OPTION_ANY_TIME,                               \
        "debug counters of the refill stages and the ways of a free")                                               \
    ROW(stats_at_exit, STATS_AT_EXIT, HAK_OPTION_CHOICE, "0", 0, 0, "0,1", "", OPTION_ANY_TIME,                     \
        "print the stats table on stderr when the interpreter ends")                                                \
    ROW(stats_socket, STATS_SOCKET, HAK_OPTION_CHOICE, "0", 0, 0, "0,1", "", OPTION_AT_START,                       \
        "CPython: answer 'hakmem stats' and 'hakmem doctor' on a socket of this user's alone")                      \
    ROW(domains, DOMAINS, HAK_OPTION_SET, "mem,obj", 0, 0, "raw,mem,obj", "", OPTION_AT_START,                      \
        "CPython's allocator domains that are served")                                                              \
    ROW(arrays, ARRAYS, HAK_OPTION_CHOICE, "auto", 0, 0, "auto,on,off", "", OPTION_ANY_TIME,                        \
        "NumPy's array data: auto: served where that is safe; on: the same, and says where not; off: not served") \
    ROW(debug, DEBUG, HAK_OPTION_CHOICE, "0", 0, 0, "0,1,2", "", OPTION_AT_START,                                   \
        "1: check sizes given to sized free; 2: also canaries, poisoned free blocks, all invariants (slow)")        \
    ROW(system_calls, SYSTEM_CALLS, HAK_OPTION_CHOICE, "all", 0, 0, "all,plain", "", OPTION_AT_START,               \
        "plain: none that the C library's malloc does not make, so no helper thread and no huge pages")             \
    ROW(deepbind, DEEPBIND, HAK_OPTION_CHOICE, "mask", 0, 0, "mask,keep", "", OPTION_ANY_TIME,                      \
        "libhakmem-malloc.so: what it does with dlopen's flag RTLD_DEEPBIND")                                       \
    ROW(tiny_use_superslab, TINY_USE_SUPERSLAB, HAK_OPTION_CHOICE, "1", 0, 0, "0,1", "", OPTION_AT_START,           \
        "0 passes every request of a binding to the previous allocator")

typedef enum OptionIndex {
#define ROW(name, NAME, kind, default_value, minimum, maximum, choices, unit, at_start, help) OPTION_##NAME,
    OPTION_TABLE(ROW)
#undef ROW
    OPTION_COUNT
} OptionIndex;

/* The value of an INTEGER; of a CHOICE, the index in `choices`; of a SET, bit i for choice i. */
extern _Atomic int64_t option_values[OPTION_COUNT];

/* The environment or hak_option_set gave the value, not the default. */
extern _Atomic bool option_is_set[OPTION_COUNT];

HAK_INLINE int64_t option_value(OptionIndex index) { return LOAD_RELAXED(option_values[index]); }

enum { OPTION_LEARN_NOTHING = 1, OPTION_LEARN_ALL = 2, OPTION_LEARN_BURST = 4, OPTION_LEARN_WINDOW = 8 }; /* bits */
enum { OPTION_THP_NEVER, OPTION_THP_AUTO, OPTION_THP_ALWAYS };
enum { OPTION_ON_ERROR_ABORT, OPTION_ON_ERROR_REPORT };
enum { OPTION_ALIGN_8, OPTION_ALIGN_16 };
enum { OPTION_SYSTEM_CALLS_ALL, OPTION_SYSTEM_CALLS_PLAIN };
enum { OPTION_DEBUG_OFF, OPTION_DEBUG_SIZES, OPTION_DEBUG_GUARD };

/* Former names, which work until 0.3.0 and warn once: ROW(former name, FORMER NAME, NAME) */
#define OPTION_FORMER_NAMES(ROW)                                            \
    ROW(retain_young_bytes, RETAIN_YOUNG_BYTES, RETAIN_BURST_BYTES)         \
    ROW(retain_young_percent, RETAIN_YOUNG_PERCENT, RETAIN_BURST_PERCENT)

/* Sets the defaults, then reads the environment; warns on stderr of bad values and of unknown HAKMEM_ variables. */
void option_initialize(void);

/* NULL: no such index. */
const hak_option_info_t *option_info(size_t index);

/* Do the work of hak_option_get and hak_option_set; errors and messages as in hakmem.h. */
int option_get(const char *name, char *value, size_t value_bytes);
int option_set(const char *name, const char *value, char *message, size_t message_bytes);

#endif
