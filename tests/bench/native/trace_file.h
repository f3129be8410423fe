/*
 * trace_file.h - reads a trace that tests/bench/extension/recorder.c wrote (format: recorder.h) into memory.
 */
#ifndef BENCH_TRACE_FILE_H
#define BENCH_TRACE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "recorder.h"

typedef struct Event {
    uint32_t kind; /* TraceEvent */
    uint32_t id;   /* of the block; index of the phase for TRACE_MARK */
    uint64_t size_bytes;
} Event;

enum { TRACE_PHASES_MAX = 64, TRACE_NAME_MAX = 64 };

typedef struct Trace {
    Event *events;
    size_t event_count;
    size_t id_count; /* ids are below */
    char phases[TRACE_PHASES_MAX][TRACE_NAME_MAX];
    size_t phase_count;
} Trace;

/* A trace without marks gets ten phases of equal length. Ends the program with a message when the file is no trace. */
Trace trace_read(const char *path);

#endif
