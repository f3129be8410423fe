/*
 * pauses.c - how long single calls take in a heap that grows and is dropped, again and again.
 *
 *     pauses MEBIBYTES CYCLES
 *
 * Each cycle makes blocks of 16 to 512 bytes until MEBIBYTES live and frees them in the order of their birth. Each
 * malloc (with the write to the block's first word, so that the kernel's page faults count) and each free is timed on
 * its own by CLOCK_MONOTONIC; the clock's own cost, about 20 ns, is in every figure. From a call of 50 us and more the
 * time is taken off in which another process had the processor; time in which the thread waited of its own will (for a
 * lock) stays in. Prints one line of JSON: per kind of call the ns that 50, 99, 99.9, 99.99 and 99.9999 % of the calls
 * stay below (within 1.6 %), the longest one, the longest one by the clock on the wall, and how many took longer than
 * 100 us and 1 ms.
 */
#define _GNU_SOURCE /* RUSAGE_THREAD */
#include <sys/resource.h>

#include "workload.h"

enum { MEAN_BYTES = (SMALLEST_BYTES + LARGEST_BYTES) / 2 };

/* Counts by duration: below 2^(STEP_BITS + 1) ns exactly, above in 2^STEP_BITS steps for each power of two. */
enum { STEP_BITS = 6, STEPS = 1 << STEP_BITS, BUCKETS = 48 * STEPS };

typedef struct Durations {
    uint64_t buckets[BUCKETS];
    uint64_t calls, longest_ns, longest_wall_ns, above_100_us, above_1_ms;
} Durations;

enum { LOOK_CLOSER_NS = 50 * 1000 };

/* Where the thread stood when its processor time was last looked at. */
typedef struct Standing {
    uint64_t wall_ns, cpu_ns;
    long waits; /* switches to another thread of its own will */
} Standing;

static Standing last;

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

static Standing standing(void) {
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (Standing){now_ns(), clock_ns(CLOCK_THREAD_CPUTIME_ID), usage.ru_nvcsw};
}

/* `ns` without the time since the last look in which the thread could have run and did not. */
static uint64_t without_preemption(uint64_t ns) {
    Standing now = standing();
    uint64_t wall_ns = now.wall_ns - last.wall_ns, cpu_ns = now.cpu_ns - last.cpu_ns;
    uint64_t lost_ns = now.waits == last.waits && wall_ns > cpu_ns ? wall_ns - cpu_ns : 0;
    last = now;
    return lost_ns < ns ? ns - lost_ns : 0;
}

static size_t bucket_of(uint64_t ns) {
    if (ns < 2 * STEPS) return ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - STEP_BITS;
    return (size_t)shift * STEPS + (ns >> shift);
}

/* The longest duration that falls into the bucket. */
static uint64_t bucket_end_ns(size_t bucket) {
    if (bucket < 2 * STEPS) return bucket;
    unsigned shift = (unsigned)(bucket / STEPS) - 1;
    return ((uint64_t)(bucket - (size_t)shift * STEPS + 1) << shift) - 1;
}

static void note(Durations *durations, uint64_t ns) {
    if (ns > durations->longest_wall_ns) durations->longest_wall_ns = ns;
    if (ns >= LOOK_CLOSER_NS) ns = without_preemption(ns);
    size_t bucket = bucket_of(ns);
    durations->buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    durations->calls++;
    if (ns > durations->longest_ns) durations->longest_ns = ns;
    if (ns > 100 * 1000) durations->above_100_us++;
    if (ns > 1000 * 1000) durations->above_1_ms++;
}

static uint64_t percentile_ns(const Durations *durations, double percent) {
    double wanted = (double)durations->calls * percent / 100;
    uint64_t seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += durations->buckets[i];
        if ((double)seen >= wanted) return bucket_end_ns(i);
    }
    return durations->longest_ns;
}

static void grow(void **slots, size_t count, Durations *durations) {
    uint64_t random = RANDOM_SEED, before = now_ns();
    for (size_t i = 0; i < count; i++) {
        slots[i] = make(random_size(next_random(&random)));
        uint64_t after = now_ns();
        note(durations, after - before);
        before = now_ns(); /* again, so that the noting is not counted */
    }
}

static void drop(void **slots, size_t count, Durations *durations) {
    uint64_t before = now_ns();
    for (size_t i = 0; i < count; i++) {
        release(slots[i]);
        uint64_t after = now_ns();
        note(durations, after - before);
        before = now_ns();
    }
}

static void print(const char *kind, const Durations *durations) {
    static const double percents[] = {50, 99, 99.9, 99.99, 99.9999};
    printf("\"%s\": {\"calls\": %llu", kind, (unsigned long long)durations->calls);
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++)
        printf(", \"%g %%\": %llu", percents[i], (unsigned long long)percentile_ns(durations, percents[i]));
    printf(", \"longest\": %llu, \"longest by the wall\": %llu, \"above 100 us\": %llu, \"above 1 ms\": %llu}",
           (unsigned long long)durations->longest_ns, (unsigned long long)durations->longest_wall_ns,
           (unsigned long long)durations->above_100_us, (unsigned long long)durations->above_1_ms);
}

int main(int argument_count, char **arguments) {
    static Durations growing, dropping;
    long mebibytes = argument_count == 3 ? atol(arguments[1]) : 0;
    int cycles = argument_count == 3 ? atoi(arguments[2]) : 0;
    if (mebibytes < 1 || cycles < 1) {
        fprintf(stderr, "usage: pauses MEBIBYTES CYCLES\n");
        return 2;
    }
    size_t count = ((size_t)mebibytes << 20) / MEAN_BYTES;
    void **slots = slots_from_os(count);
    memset(&growing, 0, sizeof growing); /* touched before the clock runs */
    memset(&dropping, 0, sizeof dropping);
    last = standing();
    for (int i = 0; i < cycles; i++) {
        grow(slots, count, &growing);
        drop(slots, count, &dropping);
    }
    printf("{");
    print("malloc", &growing);
    printf(", ");
    print("free", &dropping);
    printf("}\n");
    return 0;
}
