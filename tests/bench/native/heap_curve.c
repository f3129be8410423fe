/*
 * heap_curve.c - what a pair of free and malloc costs while a heap of a given size lives.
 *
 *     heap_curve MEBIBYTES
 *
 * Makes blocks of 16 to 512 bytes until MEBIBYTES live, replaces random ones, frees all in the order of their birth.
 * Prints one line of JSON: ns per pair of each batch after a warm-up that replaces about every block once (8 million
 * at most), ns per block of growing and dropping, and resident bytes per live byte when grown and when churned. Times
 * are cpu time of the process, an allocator's own threads included.
 */
#include "workload.h"

enum {
    BATCHES = 5,
    PAIRS_PER_BATCH = 1000 * 1000,
    WARM_UP_MAX = 8 * 1000 * 1000,
    MEAN_BYTES = (SMALLEST_BYTES + LARGEST_BYTES) / 2
};

typedef struct Heap {
    void **slots;
    size_t count;
    uint64_t random;
    long long resident_before;
} Heap;

static double cpu_ns(void) { return seconds_of(CLOCK_PROCESS_CPUTIME_ID) * 1e9; }

static double resident_per_live_byte(const Heap *heap) {
    return (double)(resident_bytes() - heap->resident_before) / ((double)heap->count * MEAN_BYTES);
}

static double grow(Heap *heap) {
    double before = cpu_ns();
    for (size_t i = 0; i < heap->count; i++) heap->slots[i] = make(random_size(next_random(&heap->random)));
    return (cpu_ns() - before) / (double)heap->count;
}

static double replace(Heap *heap, size_t pairs) {
    double before = cpu_ns();
    slots_replace(heap->slots, heap->count, &heap->random, pairs);
    return (cpu_ns() - before) / (double)pairs;
}

static double drop(Heap *heap) {
    double before = cpu_ns();
    for (size_t i = 0; i < heap->count; i++) release(heap->slots[i]);
    return (cpu_ns() - before) / (double)heap->count;
}

static size_t warm_up_pairs(size_t count) {
    size_t pairs = count < PAIRS_PER_BATCH ? PAIRS_PER_BATCH : count;
    return pairs > WARM_UP_MAX ? WARM_UP_MAX : pairs;
}

int main(int argument_count, char **arguments) {
    long mebibytes = argument_count == 2 ? atol(arguments[1]) : 0;
    if (mebibytes < 1) {
        fprintf(stderr, "usage: heap_curve MEBIBYTES\n");
        return 2;
    }
    Heap heap = {.count = ((size_t)mebibytes << 20) / MEAN_BYTES, .random = RANDOM_SEED};
    heap.slots = slots_from_os(heap.count);
    heap.resident_before = resident_bytes();
    double grow_ns = grow(&heap);
    double resident_grown = resident_per_live_byte(&heap);
    replace(&heap, warm_up_pairs(heap.count));
    double batches[BATCHES];
    for (int i = 0; i < BATCHES; i++) batches[i] = replace(&heap, PAIRS_PER_BATCH);
    double resident_churned = resident_per_live_byte(&heap);
    double drop_ns = drop(&heap);

    printf("{\"ns_per_pair\": [");
    for (int i = 0; i < BATCHES; i++) printf("%s%.3f", i == 0 ? "" : ", ", batches[i]);
    printf("], \"grow_ns\": %.3f, \"drop_ns\": %.3f, \"resident_grown\": %.4f, \"resident_churned\": %.4f}\n", grow_ns,
           drop_ns, resident_grown, resident_churned);
    return 0;
}
