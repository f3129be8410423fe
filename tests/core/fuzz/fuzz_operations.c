/*
 * fuzz/fuzz_operations.c - the operation stream under libFuzzer: `make fuzz SECONDS=60`.
 */
#include <stddef.h>
#include <stdint.h>

#include "support/operations.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    operations_run(bytes, count);
    return 0;
}
