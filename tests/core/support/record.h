/*
 * support/record.h - a stream of bytes as records of one operation each. All of one size: where the fuzzer inserts or
 * drops one, the others keep their meaning.
 */
#ifndef SUPPORT_RECORD_H
#define SUPPORT_RECORD_H

#include <stddef.h>
#include <stdint.h>

enum { RECORD_BYTES = 6 };

typedef struct Record {
    uint8_t operation; /* which one, by share (operations.c) */
    uint8_t schedule;  /* which thread, and where another one goes on in the middle of it (machine/play.c) */
    uint16_t a, b;     /* operands */
} Record;

static inline Record record_at(const uint8_t *bytes) {
    return (Record){bytes[0], bytes[1], (uint16_t)(bytes[2] | bytes[3] << 8), (uint16_t)(bytes[4] | bytes[5] << 8)};
}

/* Most sizes are small; every size class can be met, runs, mappings, and the sizes around each border. */
size_t record_size(uint16_t operand);

#endif
