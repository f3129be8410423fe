/*
 * replay.c - replays a recorded trace on hakmem, deterministically.
 *
 *     replay time TRACE     ns per event, by phase (cpu time of the process)
 *     replay pages TRACE    OS pages that hold a live block, by phase, against an ideal packing of the same trace
 *
 * Prints one line of JSON per phase and a last one for the whole trace. Under callgrind, --toggle-collect=replay_events
 * counts the instructions of `replay time` without the reading of the trace. There are no times in a trace: purges by
 * age happen at the speed of the replay. That does not change which OS pages hold a live block, but placement that
 * prefers resident OS pages sees more of them.
 */
#include <hakmem.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "trace_file.h"

enum { SAMPLES_PER_TRACE = 2000 };

typedef struct Replay {
    Trace trace;
    void **blocks;
    uint64_t *sizes; /* as asked for; only in `pages` */
    uint64_t live_requested_bytes;
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

/* The events from `first` up to the next mark; their end. */
__attribute__((noinline)) size_t replay_events(Replay *replay, size_t first);
size_t replay_events(Replay *replay, size_t first) {
    const Trace *trace = &replay->trace;
    size_t index = first;
    for (; index < trace->event_count && trace->events[index].kind != TRACE_MARK; index++)
        replay_one(replay, &trace->events[index]);
    return index;
}

/* ---- replay time ---- */

static void print_time(const char *phase, size_t events, double ns) {
    printf("{\"phase\": \"%s\", \"events\": %zu, \"ns_per_event\": %.3f}\n", phase, events,
           events == 0 ? 0.0 : ns / (double)events);
}

static void replay_time(Replay *replay) {
    const Trace *trace = &replay->trace;
    const char *phase = "start";
    size_t events = 0;
    double total_ns = 0;
    for (size_t index = 0; index < trace->event_count;) {
        if (trace->events[index].kind == TRACE_MARK) {
            phase = trace->phases[trace->events[index++].id];
            continue;
        }
        double before = cpu_ns();
        size_t end = replay_events(replay, index);
        double ns = cpu_ns() - before;
        print_time(phase, end - index, ns);
        events += end - index;
        total_ns += ns;
        index = end;
    }
    print_time("all", events, total_ns);
}

/* ---- replay pages ---- */

typedef struct Pages {
    uint64_t ideal_end, ideal_peak;
    uint64_t held_end, held_peak; /* OS pages with a live block: live + pinned */
    uint64_t resident_end, resident_peak;
} Pages;

static uint64_t page_bytes;

static uint64_t pages_of(uint64_t size_bytes) { return (size_bytes + page_bytes - 1) / page_bytes; }

static void raise_to(uint64_t *peak, uint64_t value) {
    if (value > *peak) *peak = value;
}

static void look(const Replay *replay, Pages *pages) {
    hak_stats_t stats = HAK_STATS_INIT;
    hak_stats_get(&stats);
    uint64_t held_bytes = stats.live_bytes + stats.pinned_bytes;
    pages->ideal_end = pages_of(replay->live_requested_bytes);
    pages->held_end = pages_of(held_bytes);
    pages->resident_end = pages_of(held_bytes + stats.cached_bytes + stats.free_resident_bytes);
    raise_to(&pages->ideal_peak, pages->ideal_end);
    raise_to(&pages->held_peak, pages->held_end);
    raise_to(&pages->resident_peak, pages->resident_end);
}

static void print_pages(const char *phase, const Pages *pages) {
    printf("{\"phase\": \"%s\", \"ideal_peak\": %llu, \"held_peak\": %llu, \"resident_peak\": %llu,"
           " \"ideal_end\": %llu, \"held_end\": %llu, \"resident_end\": %llu}\n",
           phase, (unsigned long long)pages->ideal_peak, (unsigned long long)pages->held_peak,
           (unsigned long long)pages->resident_peak, (unsigned long long)pages->ideal_end,
           (unsigned long long)pages->held_end, (unsigned long long)pages->resident_end);
}

static void count_requested(Replay *replay, const Event *event) {
    if (event->kind == TRACE_MARK) return;
    replay->live_requested_bytes += event->size_bytes - replay->sizes[event->id]; /* TRACE_FREE has size 0 */
    replay->sizes[event->id] = event->size_bytes;
}

static void add_to_whole(Pages *whole, const Pages *part) {
    raise_to(&whole->ideal_peak, part->ideal_peak);
    raise_to(&whole->held_peak, part->held_peak);
    raise_to(&whole->resident_peak, part->resident_peak);
}

static void replay_pages(Replay *replay) {
    const Trace *trace = &replay->trace;
    size_t interval = trace->event_count / SAMPLES_PER_TRACE + 1;
    const char *phase = "start";
    Pages part = {0}, whole = {0};
    for (size_t index = 0; index <= trace->event_count; index++) {
        bool is_end = index == trace->event_count;
        if (is_end || trace->events[index].kind == TRACE_MARK) {
            look(replay, &part);
            print_pages(phase, &part);
            add_to_whole(&whole, &part);
            if (is_end) break;
            phase = trace->phases[trace->events[index].id];
            part = (Pages){0};
        }
        count_requested(replay, &trace->events[index]);
        if (trace->events[index].kind != TRACE_MARK) replay_one(replay, &trace->events[index]);
        if (index % interval == 0) look(replay, &part);
    }
    hak_trim();
    look(replay, &part);
    whole.ideal_end = part.ideal_end;
    whole.held_end = part.held_end;
    whole.resident_end = part.resident_end;
    print_pages("all, trimmed at the end", &whole);
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
    replay.sizes = calloc(replay.trace.id_count + 1, sizeof *replay.sizes);
    if (replay.blocks == NULL || replay.sizes == NULL) return 1;
    if (wants_time)
        replay_time(&replay);
    else
        replay_pages(&replay);
    return 0;
}
