/*
 * fuzz/mutate.c - records are inserted, dropped, exchanged and changed.
 */
#include "fuzz/mutate.h"

#include <string.h>

#include "support/record.h"

typedef struct Records {
    uint8_t *bytes;
    size_t count, count_max; /* of records */
} Records;

static uint8_t *record_bytes(const Records *records, size_t index) { return records->bytes + index * RECORD_BYTES; }

/* The first record is the start of the core. */
static size_t any_operation(const Records *records, Random *random) {
    return records->count == 1 ? 0 : 1 + random_below(random, records->count - 1);
}

static void insert(Records *records, Random *random, const uint8_t *record) {
    if (records->count == records->count_max) return;
    size_t place = 1 + random_below(random, records->count);
    uint8_t *to = record_bytes(records, place);
    uint8_t copy[RECORD_BYTES];
    memcpy(copy, record, RECORD_BYTES);
    memmove(to + RECORD_BYTES, to, (records->count - place) * RECORD_BYTES);
    memcpy(to, copy, RECORD_BYTES);
    records->count++;
}

static void insert_new(Records *records, Random *random) {
    uint64_t bits = random_next(random);
    uint8_t record[RECORD_BYTES];
    memcpy(record, &bits, RECORD_BYTES);
    if (random_below(random, 2) == 0) record[1] &= 3; /* not suspended */
    insert(records, random, record);
}

static void insert_known(Records *records, Random *random) {
    insert(records, random, record_bytes(records, any_operation(records, random)));
}

static void drop(Records *records, Random *random) {
    size_t place = any_operation(records, random), run = 1 + random_below(random, 3);
    if (place == 0) return;
    if (run > records->count - place) run = records->count - place;
    uint8_t *from = record_bytes(records, place + run);
    memmove(record_bytes(records, place), from, (records->count - place - run) * RECORD_BYTES);
    records->count -= run;
}

static void swap(Records *records, Random *random) {
    uint8_t *one = record_bytes(records, any_operation(records, random)), copy[RECORD_BYTES];
    uint8_t *other = record_bytes(records, any_operation(records, random));
    memcpy(copy, one, RECORD_BYTES);
    memmove(one, other, RECORD_BYTES);
    memcpy(other, copy, RECORD_BYTES);
}

static void change_schedule(Records *records, Random *random) {
    record_bytes(records, any_operation(records, random))[1] = (uint8_t)random_next(random);
}

static void change_operation(Records *records, Random *random) {
    record_bytes(records, any_operation(records, random))[0] = (uint8_t)random_next(random);
}

/* Two bytes of one record become those of another, random, or a little more or less. */
static void change_operand(Records *records, Random *random) {
    size_t offset = 2 + 2 * random_below(random, 2);
    uint8_t *operand = record_bytes(records, any_operation(records, random)) + offset;
    uint16_t value, other = (uint16_t)random_next(random);
    memcpy(&value, operand, sizeof value);
    switch (random_below(random, 3)) {
    case 0: memcpy(&value, record_bytes(records, any_operation(records, random)) + offset, sizeof value); break;
    case 1: value = other; break;
    default: value = (uint16_t)(value + other % 33 - 16); break;
    }
    memcpy(operand, &value, sizeof value);
}

static void change_start(Records *records, Random *random) {
    records->bytes[random_below(random, RECORD_BYTES)] = (uint8_t)random_next(random);
}

static void (*const mutations[])(Records *records, Random *random) = {
    insert_new,      insert_new,       insert_known,   drop,           drop,         swap,
    change_schedule, change_operation, change_operand, change_operand, change_start,
};

size_t mutate(uint8_t *bytes, size_t count, size_t count_max, Random *random) {
    if (count < 2 * RECORD_BYTES) return count;
    Records records = {bytes, count / RECORD_BYTES, count_max / RECORD_BYTES};
    size_t times = 1 + random_below(random, 4);
    for (; times > 0; times--) mutations[random_below(random, sizeof mutations / sizeof *mutations)](&records, random);
    return records.count * RECORD_BYTES;
}

size_t mutate_cross(const uint8_t *left, size_t left_count, const uint8_t *right, size_t right_count, uint8_t *out,
                    size_t out_max, Random *random) {
    size_t kept = random_below(random, left_count / RECORD_BYTES + 1) * RECORD_BYTES;
    size_t skipped = random_below(random, right_count / RECORD_BYTES + 1) * RECORD_BYTES;
    if (kept > out_max) kept = out_max / RECORD_BYTES * RECORD_BYTES;
    size_t added = right_count - skipped < out_max - kept ? right_count - skipped : out_max - kept;
    memcpy(out, left, kept);
    memcpy(out + kept, right + skipped, added);
    return kept + added;
}
