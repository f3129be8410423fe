/*
 * fuzz/fuzz_operations.c - streams on the machine under libFuzzer: `make fuzz SECONDS=60`.
 *
 * Half of the mutations are libFuzzer's, of bytes; the others work on whole records.
 */
#include "fuzz/mutate.h"
#include "machine/play.h"
#include "support/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t count, size_t count_max);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t count, size_t count_max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *left, size_t left_count, const uint8_t *right, size_t right_count,
                                 uint8_t *out, size_t out_max, unsigned seed);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    play(bytes, count, false);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t count, size_t count_max, unsigned seed) {
    Random random = random_start(seed);
    if (count < 2 * RECORD_BYTES || random_below(&random, 2) == 0) return LLVMFuzzerMutate(bytes, count, count_max);
    return mutate(bytes, count, count_max, &random);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *left, size_t left_count, const uint8_t *right, size_t right_count,
                                 uint8_t *out, size_t out_max, unsigned seed) {
    Random random = random_start(seed);
    return mutate_cross(left, left_count, right, right_count, out, out_max, &random);
}
