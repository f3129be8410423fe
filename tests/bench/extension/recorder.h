/*
 * recorder.h - writes the mem and obj requests of a Python program to a file that tests/bench/native/replay.c reads.
 *
 * The trace: the bytes "hakmem-trace 1\n", then events. An event is one unsigned LEB128 number, value * 8 + TraceEvent,
 * followed by more of them where it says so. A block is known by its id. Ids are not written at allocation: recorder
 * and replayer both take the most recently freed id, or else the next new one.
 */
#ifndef BENCH_RECORDER_H
#define BENCH_RECORDER_H

#include <stddef.h>

#define TRACE_MAGIC "hakmem-trace 1\n"

typedef enum TraceEvent {
    TRACE_MALLOC_OBJECT,  /* value: size */
    TRACE_MALLOC_PLAIN,   /* value: size; mem domain */
    TRACE_CALLOC,         /* value: size */
    TRACE_FREE,           /* value: id */
    TRACE_REALLOC_OBJECT, /* value: id, then size */
    TRACE_REALLOC_PLAIN,  /* value: id, then size; mem domain */
    TRACE_MARK            /* value: length, then so many bytes of text: a new phase begins */
} TraceEvent;

/* Wraps the mem and obj domains for ever and writes to `path` until recorder_stop. 0, or -1 with errno. Needs the GIL,
 * as all of these. Blocks that were there before are not part of the trace. */
int recorder_start(const char *path);
void recorder_mark(const char *text, size_t length);

/* Number of events written, or -1 with errno when the file could not be written. */
long long recorder_stop(void);

#endif
