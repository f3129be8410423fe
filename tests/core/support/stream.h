/*
 * support/stream.h - reads operands from the bytes of a fuzzer or of a generator. Past its end a stream is all zero.
 */
#ifndef SUPPORT_STREAM_H
#define SUPPORT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Stream {
    const uint8_t *next, *end;
} Stream;

static inline bool stream_is_over(const Stream *stream) { return stream->next >= stream->end; }

static inline unsigned stream_byte(Stream *stream) { return stream_is_over(stream) ? 0 : *stream->next++; }

static inline unsigned stream_word(Stream *stream) {
    unsigned low = stream_byte(stream);
    return low | stream_byte(stream) << 8;
}

/* Most sizes are small; every entry of the class table can be met, and runs and mappings of a few MiB. */
static inline size_t stream_size(Stream *stream) {
    unsigned word = stream_word(stream), scale = word >> 13, value = word & 0x1FFF;
    if (scale < 4) return value % 513;
    if (scale < 6) return value;
    if (scale == 6) return value * 5;
    return value < 0x1800 ? (size_t)value * 60 : (size_t)value * 500;
}

/* The next `bytes`, or what is left, as a stream of its own. */
static inline Stream stream_split(Stream *stream, size_t bytes) {
    size_t left = (size_t)(stream->end - stream->next);
    Stream part = {stream->next, stream->next + (bytes < left ? bytes : left)};
    stream->next = part.end;
    return part;
}

#endif
