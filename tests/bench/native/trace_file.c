/*
 * trace_file.c - reads a trace that tests/bench/extension/recorder.c wrote (format: recorder.h) into memory.
 */
#include "trace_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Reader {
    FILE *file;
    const char *path;
    uint32_t *free_ids;
    size_t free_id_count, free_id_capacity, event_capacity;
    Trace trace;
} Reader;

static void fail(const Reader *reader, const char *why) {
    fprintf(stderr, "replay: %s: %s\n", reader->path, why);
    exit(1);
}

static void *grown(Reader *reader, void *array, size_t *capacity, size_t element_bytes) {
    *capacity = *capacity == 0 ? 1 << 16 : *capacity * 2;
    array = realloc(array, *capacity * element_bytes);
    if (array == NULL) fail(reader, "out of memory");
    return array;
}

static uint64_t number_after(Reader *reader, int byte) {
    uint64_t number = 0;
    for (int shift = 0;; shift += 7) {
        if (byte == EOF || shift > 63) fail(reader, "ends in the middle of an event");
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return number;
        byte = getc(reader->file);
    }
}

static uint32_t id_take(Reader *reader) {
    if (reader->free_id_count > 0) return reader->free_ids[--reader->free_id_count];
    return (uint32_t)reader->trace.id_count++;
}

static void id_give_back(Reader *reader, uint32_t id) {
    if (reader->free_id_count == reader->free_id_capacity)
        reader->free_ids = grown(reader, reader->free_ids, &reader->free_id_capacity, sizeof *reader->free_ids);
    reader->free_ids[reader->free_id_count++] = id;
}

static void add_event(Reader *reader, Event event) {
    Trace *trace = &reader->trace;
    if (trace->event_count == reader->event_capacity)
        trace->events = grown(reader, trace->events, &reader->event_capacity, sizeof *trace->events);
    trace->events[trace->event_count++] = event;
}

static uint32_t read_phase(Reader *reader, uint64_t length) {
    Trace *trace = &reader->trace;
    if (trace->phase_count == TRACE_PHASES_MAX) fail(reader, "has too many marks");
    char *name = trace->phases[trace->phase_count];
    for (uint64_t i = 0; i < length; i++) {
        int byte = getc(reader->file);
        if (byte == EOF) fail(reader, "ends in the middle of a mark");
        if (i + 1 < TRACE_NAME_MAX) name[i] = (char)(byte == '"' || byte == '\\' || byte < ' ' ? '?' : byte);
    }
    return (uint32_t)trace->phase_count++;
}

static uint32_t checked_id(Reader *reader, uint64_t id) {
    if (id >= reader->trace.id_count) fail(reader, "names a block that it did not allocate");
    return (uint32_t)id;
}

static void read_event(Reader *reader, int byte) {
    uint64_t number = number_after(reader, byte), value = number >> 3;
    Event event = {.kind = (uint32_t)(number & 7)};
    switch (event.kind) {
    case TRACE_MALLOC_OBJECT:
    case TRACE_MALLOC_PLAIN:
    case TRACE_CALLOC:
        event.id = id_take(reader);
        event.size_bytes = value;
        break;
    case TRACE_FREE:
        event.id = checked_id(reader, value);
        id_give_back(reader, event.id);
        break;
    case TRACE_REALLOC_OBJECT:
    case TRACE_REALLOC_PLAIN:
        event.id = checked_id(reader, value);
        event.size_bytes = number_after(reader, getc(reader->file));
        break;
    case TRACE_MARK: event.id = read_phase(reader, value); break;
    default: fail(reader, "has an event that is not known");
    }
    add_event(reader, event);
}

/* In place of the events at every tenth a mark goes in front: the events move up once. */
static void mark_tenths(Reader *reader) {
    Trace *trace = &reader->trace;
    size_t count = trace->event_count;
    if (count < 10) return;
    for (int i = 0; i < 10; i++) add_event(reader, (Event){.kind = TRACE_MARK});
    for (size_t tenth = 10; tenth-- > 0;) {
        size_t start = count * tenth / 10, end = count * (tenth + 1) / 10;
        memmove(&trace->events[start + tenth + 1], &trace->events[start], (end - start) * sizeof *trace->events);
        trace->events[start + tenth] = (Event){.kind = TRACE_MARK, .id = (uint32_t)tenth};
        snprintf(trace->phases[tenth], TRACE_NAME_MAX, "tenth %zu", tenth + 1);
    }
    trace->phase_count = 10;
}

Trace trace_read(const char *path) {
    Reader reader = {.file = fopen(path, "rb"), .path = path};
    char magic[sizeof TRACE_MAGIC - 1];
    if (reader.file == NULL) fail(&reader, "cannot be opened");
    if (fread(magic, sizeof magic, 1, reader.file) != 1 || memcmp(magic, TRACE_MAGIC, sizeof magic) != 0)
        fail(&reader, "is not a trace");
    for (int byte; (byte = getc(reader.file)) != EOF;) read_event(&reader, byte);
    fclose(reader.file);
    free(reader.free_ids);
    if (reader.trace.phase_count == 0) mark_tenths(&reader);
    return reader.trace;
}
