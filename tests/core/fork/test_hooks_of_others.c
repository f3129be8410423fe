/*
 * fork/test_hooks_of_others.c - hooks around fork that others have set before the core's: they run between the core's
 * and the fork itself, in both processes, and may allocate, free, and call whatever they like.
 */
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/child.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { THREADS = 3, FORKS = 40, KEPT = 64, ROUNDS = 400, BYTES_MAX = 3 << 20 };

static char *kept[KEPT];
static bool are_active, is_alone;
static _Atomic bool is_over;

/* More than may stay free for long: elsewhere a thread that drops as much wakes the helper. */
static void build_and_drop(void) {
    enum { BLOCKS = 24 };
    char *blocks[BLOCKS];
    for (size_t number = 0; number < BLOCKS; number++) {
        blocks[number] = hak_malloc(MIB);
        memset(blocks[number], 1, MIB);
    }
    for (size_t number = 0; number < BLOCKS; number++) hak_free(blocks[number]);
}

/* Other threads stand still in their slow paths meanwhile. */
static void use_all(void) {
    static Random random;
    static bool has_begun;
    if (!are_active) return;
    if (!has_begun) random = random_start(random_seed());
    has_begun = true;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t slot = random_below(&random, KEPT);
        size_t bytes = 1 + (round % 40 == 0 ? random_below(&random, BYTES_MAX) : random_size(&random, 32768));
        kept[slot] = hak_realloc(kept[slot], bytes);
        REQUIRE(kept[slot] != NULL);
        kept[slot][bytes - 1] = 1;
        if (round % 3 == 0) {
            hak_free(kept[slot]);
            kept[slot] = NULL;
        }
    }
    hak_heap_t *heap = hak_heap_new(NULL);
    REQUIRE(heap != NULL);
    hak_heap_free(heap, hak_heap_malloc(heap, 100));
    hak_heap_destroy(heap);
    build_and_drop();
    if (is_alone) REQUIRE_EQUAL(resident_thread_count(), 1);
    REQUIRE_EQUAL(hak_check(), 0);
}

/* The program's constructors run before those of the library with the same priority. */
__attribute__((constructor(101))) static void set_hooks(void) { (void)pthread_atfork(use_all, use_all, use_all); }

static void free_kept(void) {
    for (size_t slot = 0; slot < KEPT; slot++) {
        hak_free(kept[slot]);
        kept[slot] = NULL;
    }
}

static void fork_often(void) {
    for (unsigned number = 0; number < FORKS; number++) {
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            free_kept();
            REQUIRE_EQUAL(hak_check(), 0);
            _exit(0);
        }
        int status = 0;
        REQUIRE_EQUAL(waitpid(pid, &status, 0), pid);
        REQUIRE_EQUAL(status, 0);
    }
}

static void fork_alone(void *unused) {
    (void)unused;
    are_active = is_alone = true;
    fork_often();
    free_kept();
    stats_require_all_returned();
}

static void test_hooks_allocate(void **state) {
    (void)state;
    child_must_succeed(fork_alone, NULL);
}

static void fork_or_allocate(void *unused, size_t number) {
    (void)unused;
    if (number == 0) {
        fork_often(); /* the hook's request is this thread's first one */
        atomic_store(&is_over, true);
        return;
    }
    Random random = random_start(random_seed() + number);
    while (!atomic_load(&is_over)) {
        char *blocks[200];
        for (size_t slot = 0; slot < 200; slot++) blocks[slot] = hak_malloc(1 + random_size(&random, 100000));
        for (size_t slot = 0; slot < 200; slot++) hak_free(blocks[slot]);
    }
}

static void fork_among_threads(void *unused) {
    (void)unused;
    are_active = true;
    threads_run(THREADS, fork_or_allocate, NULL);
    free_kept();
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_hooks_allocate_among_threads(void **state) {
    (void)state;
    child_must_succeed(fork_among_threads, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hooks_allocate),
        cmocka_unit_test(test_hooks_allocate_among_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
