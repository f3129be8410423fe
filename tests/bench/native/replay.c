/*
 * replay.c - replays a recorded trace on hakmem, deterministically.
 *
 *     replay time TRACE     ns per event, by phase (cpu time of the process)
 *     replay pages TRACE    OS pages, by phase, against an ideal packing of the same trace; calls of the kernel
 *
 * Prints one line of JSON per phase and a last one for the whole trace. Under callgrind, --toggle-collect=replay_events
 * counts the instructions of `replay time` without the reading of the trace. Time is virtual (virtual_time.h). A phase
 * that is called "idle" begins with IDLE_MS in which nothing happens.
 */
#include <hakmem.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "trace_file.h"
#include "virtual_time.h"

enum { SAMPLES_PER_TRACE = 2000 };

typedef struct Replay {
    Trace trace;
    void **blocks;
} Replay;

static double cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void keep(void **slot, void *block, uint64_t size_bytes) {
    if (block == NULL) {
        fprintf(stderr, "replay: out of memory\n");
        exit(1);
    }
    if (size_bytes >= sizeof(void *)) *(void **)block = block;
    *slot = block;
}

static void replay_one(Replay *replay, const Event *event) {
    void **slot = &replay->blocks[event->id];
    switch (event->kind) {
    case TRACE_MALLOC_OBJECT: keep(slot, hak_malloc_object(event->size_bytes), event->size_bytes); break;
    case TRACE_MALLOC_PLAIN: keep(slot, hak_malloc(event->size_bytes), event->size_bytes); break;
    case TRACE_CALLOC: keep(slot, hak_calloc(1, event->size_bytes), event->size_bytes); break;
    case TRACE_FREE: hak_free(*slot); break;
    case TRACE_REALLOC_OBJECT: keep(slot, hak_realloc_object(*slot, event->size_bytes), event->size_bytes); break;
    case TRACE_REALLOC_PLAIN: keep(slot, hak_realloc(*slot, event->size_bytes), event->size_bytes); break;
    default: break;
    }
}

/* The events from `first` up to the next mark, or to `end`; where it stopped. */
__attribute__((noinline)) size_t replay_events(Replay *replay, size_t first, size_t end);
size_t replay_events(Replay *replay, size_t first, size_t end) {
    const Event *events = replay->trace.events;
    size_t index = first;
    for (; index < end && events[index].kind != TRACE_MARK; index++) replay_one(replay, &events[index]);
    return index;
}

static const char *phase_begins(const Trace *trace, const Event *mark) {
    const char *phase = trace->phases[mark->id];
    if (strncmp(phase, "idle", 4) == 0) virtual_time_idle();
    return phase;
}

static size_t at_most(size_t value, size_t limit) { return value < limit ? value : limit; }

/* ---- replay time ---- */

static void print_time(const char *phase, size_t events, double ns) {
    printf("{\"phase\": \"%s\", \"events\": %zu, \"ns_per_event\": %.3f}\n", phase, events,
           events == 0 ? 0.0 : ns / (double)events);
}

/* The helper may be started in a chunk, and is late by one then at most. */
static size_t chunk_events(void) {
    enum { CHUNK_EVENTS = 100000 };
    return at_most(CHUNK_EVENTS, virtual_time_events_left());
}

static void replay_time(Replay *replay) {
    const Trace *trace = &replay->trace;
    const char *phase = "start";
    size_t events = 0;
    double total_ns = 0;
    for (size_t index = 0; index < trace->event_count;) {
        if (trace->events[index].kind == TRACE_MARK) {
            phase = phase_begins(trace, &trace->events[index++]);
            continue;
        }
        size_t start = index;
        double before = cpu_ns();
        while (index < trace->event_count && trace->events[index].kind != TRACE_MARK) {
            size_t first = index;
            index = replay_events(replay, first, first + at_most(trace->event_count - first, chunk_events()));
            virtual_time_pass(index - first);
        }
        double ns = cpu_ns() - before;
        print_time(phase, index - start, ns);
        events += index - start;
        total_ns += ns;
    }
    print_time("all", events, total_ns);
}

/* ---- replay pages ---- */

/* All in OS pages but the waste. */
typedef struct Pages {
    uint64_t ideal_end, ideal_peak;                      /* live bytes as asked for, without a gap */
    uint64_t classes_end, classes_peak;                  /* live blocks as they are, those of one size without a gap */
    uint64_t pinned_end, pinned_peak;                    /* hold a live or cached block */
    uint64_t resident_end, resident_peak;                /* the allocator's, free ones included */
    uint64_t ideal_sum, pinned_sum, resident_sum, looks; /* for means over the events */
    double waste_percent;                                /* blocks larger than asked for, at the ideal's peak */
} Pages;

enum { SIZES = 32768 / 8 + 1 };

typedef struct Requests {
    uint64_t *sizes; /* as asked for, by id */
    uint64_t live_bytes, live_block_bytes;
    uint64_t block_bytes_by_size[SIZES]; /* live ones; above 32 KiB: whole OS pages, in [0] */
} Requests;

static uint64_t page_bytes;

static uint64_t pages_of(uint64_t size_bytes) { return (size_bytes + page_bytes - 1) / page_bytes; }

static void raise_to(uint64_t *peak, uint64_t value) {
    if (value > *peak) *peak = value;
}

static uint64_t class_pages(const Requests *requests) {
    uint64_t pages = 0;
    for (size_t size = 0; size < SIZES; size++) pages += pages_of(requests->block_bytes_by_size[size]);
    return pages;
}

static void look(const Requests *requests, Pages *pages) {
    hak_stats_t stats = HAK_STATS_INIT;
    hak_stats_get(&stats);
    uint64_t pinned_bytes = stats.live_bytes + stats.cached_bytes + stats.pinned_bytes;
    pages->ideal_end = pages_of(requests->live_bytes);
    pages->classes_end = class_pages(requests);
    pages->pinned_end = pages_of(pinned_bytes);
    pages->resident_end = pages_of(pinned_bytes + stats.free_resident_bytes);
    if (pages->ideal_end > pages->ideal_peak && requests->live_bytes != 0)
        pages->waste_percent =
            100.0 * (double)(requests->live_block_bytes - requests->live_bytes) / (double)requests->live_bytes;
    pages->ideal_sum += pages->ideal_end;
    pages->pinned_sum += pages->pinned_end;
    pages->resident_sum += pages->resident_end;
    pages->looks++;
    raise_to(&pages->ideal_peak, pages->ideal_end);
    raise_to(&pages->classes_peak, pages->classes_end);
    raise_to(&pages->pinned_peak, pages->pinned_end);
    raise_to(&pages->resident_peak, pages->resident_end);
}

static double mean(uint64_t sum, uint64_t looks) { return looks == 0 ? 0.0 : (double)sum / (double)looks; }

static void print_pages(const char *phase, const Pages *pages, const char *more) {
    printf("{\"phase\": \"%s\", \"ideal_peak\": %llu, \"classes_peak\": %llu, \"pinned_peak\": %llu,"
           " \"resident_peak\": %llu, \"ideal_end\": %llu, \"classes_end\": %llu, \"pinned_end\": %llu,"
           " \"resident_end\": %llu, \"ideal_mean\": %.1f, \"pinned_mean\": %.1f, \"resident_mean\": %.1f,"
           " \"waste_percent\": %.3f%s}\n",
           phase, (unsigned long long)pages->ideal_peak, (unsigned long long)pages->classes_peak,
           (unsigned long long)pages->pinned_peak, (unsigned long long)pages->resident_peak,
           (unsigned long long)pages->ideal_end, (unsigned long long)pages->classes_end,
           (unsigned long long)pages->pinned_end, (unsigned long long)pages->resident_end,
           mean(pages->ideal_sum, pages->looks), mean(pages->pinned_sum, pages->looks),
           mean(pages->resident_sum, pages->looks), pages->waste_percent, more);
}

static void count_block(Requests *requests, const void *block, bool is_added) {
    uint64_t bytes = hak_usable_size(block);
    size_t size = bytes / 8 < SIZES ? (size_t)bytes / 8 : 0;
    if (size == 0) bytes = pages_of(bytes) * page_bytes;
    requests->block_bytes_by_size[size] += is_added ? bytes : 0 - bytes;
    requests->live_block_bytes += is_added ? bytes : 0 - bytes;
}

static void touch_all(void *block, uint64_t size_bytes) {
    volatile char *bytes = block;
    for (uint64_t offset = 0; offset < size_bytes; offset += page_bytes) bytes[offset] = 0;
    if (size_bytes != 0) bytes[size_bytes - 1] = 0;
}

static void replay_and_count(Replay *replay, Requests *requests, const Event *event) {
    void **slot = &replay->blocks[event->id];
    bool is_free = event->kind == TRACE_FREE;
    if (is_free || event->kind == TRACE_REALLOC_OBJECT || event->kind == TRACE_REALLOC_PLAIN)
        count_block(requests, *slot, false);
    replay_one(replay, event);
    if (!is_free) {
        count_block(requests, *slot, true);
        touch_all(*slot, event->size_bytes);
    }
    requests->live_bytes += event->size_bytes - requests->sizes[event->id]; /* TRACE_FREE has size 0 */
    requests->sizes[event->id] = event->size_bytes;
}

static void add_to_whole(Pages *whole, const Pages *part) {
    whole->ideal_sum += part->ideal_sum;
    whole->pinned_sum += part->pinned_sum;
    whole->resident_sum += part->resident_sum;
    whole->looks += part->looks;
    if (part->ideal_peak > whole->ideal_peak) whole->waste_percent = part->waste_percent;
    raise_to(&whole->ideal_peak, part->ideal_peak);
    raise_to(&whole->classes_peak, part->classes_peak);
    raise_to(&whole->pinned_peak, part->pinned_peak);
    raise_to(&whole->resident_peak, part->resident_peak);
}

static uint64_t page_faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_minflt;
}

static void print_whole(Pages whole, const Pages *trimmed, uint64_t faults, KernelCalls calls, uint64_t purged_bytes) {
    char more[160];
    whole.ideal_end = trimmed->ideal_end;
    whole.classes_end = trimmed->classes_end;
    whole.pinned_end = trimmed->pinned_end;
    whole.resident_end = trimmed->resident_end;
    snprintf(more, sizeof more, ", \"faults\": %llu, \"purges\": %llu, \"releases\": %llu, \"purged\": %llu",
             (unsigned long long)faults, (unsigned long long)calls.purges, (unsigned long long)calls.releases,
             (unsigned long long)pages_of(purged_bytes));
    print_pages("all, trimmed at the end", &whole, more);
}

static void replay_pages(Replay *replay) {
    const Trace *trace = &replay->trace;
    static Requests requests;
    requests.sizes = calloc(trace->id_count + 1, sizeof *requests.sizes);
    if (requests.sizes == NULL) exit(1);
    touch_all(requests.sizes,
              (trace->id_count + 1) * sizeof *requests.sizes); /* these faults are not the allocator's */
    touch_all(replay->blocks, (trace->id_count + 1) * sizeof *replay->blocks);
    size_t interval = trace->event_count / SAMPLES_PER_TRACE + 1;
    uint64_t faults = page_faults();
    const char *phase = "start";
    Pages part = {0}, whole = {0};
    for (size_t index = 0; index <= trace->event_count; index++) {
        bool is_end = index == trace->event_count;
        if (is_end || trace->events[index].kind == TRACE_MARK) {
            look(&requests, &part);
            print_pages(phase, &part, "");
            add_to_whole(&whole, &part);
            if (is_end) break;
            phase = phase_begins(trace, &trace->events[index]);
            part = (Pages){0};
            continue;
        }
        replay_and_count(replay, &requests, &trace->events[index]);
        virtual_time_pass(1);
        if (index % interval == 0) look(&requests, &part);
    }
    faults = page_faults() - faults;
    hak_stats_t stats = HAK_STATS_INIT;
    hak_stats_get(&stats);
    KernelCalls calls = virtual_time_kernel_calls();
    hak_trim();
    look(&requests, &part);
    print_whole(whole, &part, faults, calls, stats.purged_bytes_total);
}

int main(int argument_count, char **arguments) {
    bool wants_time = argument_count == 3 && strcmp(arguments[1], "time") == 0;
    bool wants_pages = argument_count == 3 && strcmp(arguments[1], "pages") == 0;
    if (!wants_time && !wants_pages) {
        fprintf(stderr, "usage: replay time|pages TRACE\n");
        return 2;
    }
    Replay replay = {.trace = trace_read(arguments[2])};
    page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    replay.blocks = calloc(replay.trace.id_count + 1, sizeof *replay.blocks);
    if (replay.blocks == NULL) return 1;
    if (wants_time)
        replay_time(&replay);
    else
        replay_pages(&replay);
    return 0;
}
