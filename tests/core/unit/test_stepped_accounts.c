/*
 * unit/test_stepped_accounts.c - a thread that shares an account is stopped at the instructions of a request, one in
 * each run. Another thread then makes whole requests, which claim the account: no byte and no block is lost. Or it sets
 * the limits that the first one is setting, too: the ceiling fits the limits that hold in the end.
 *
 * In unit because it looks into the account. The processor stops after each instruction, which is the same everywhere
 * on x86-64; elsewhere the test is left out, as under the thread sanitizer, which keeps signals back.
 */
#define _GNU_SOURCE
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

#include "api/account.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)

enum { TRAP_FLAG = 0x100, INSTRUCTIONS_MAX = 20000, WAIT_MS_MAX = 5 };

/* Of the longer requests every fifth instruction, for time. */
enum { STRIDE = 5 };

typedef enum Request {
    REQUEST_MALLOC,
    REQUEST_FREE,
    REQUEST_GROW,
    REQUEST_SHRINK,
    SET_HARD_LIMIT,
    SET_BOTH_LIMITS
} Request;

static hak_heap_t *account;
static Request request;
static void *block; /* of the thread that is stopped */
static unsigned stop_at, instructions;
static bool is_over;
static _Atomic bool is_stopped;
static sem_t may_begin, stopped_or_done, may_go_on;

/* ---- The thread that is stopped ---- */

/* The other thread may have to wait for a lock that this one holds, so this one does not wait for it for ever. */
static void stop(int signal_number, siginfo_t *information, void *context_pointer) {
    (void)signal_number;
    (void)information;
    ucontext_t *context = context_pointer;
    if (instructions++ != stop_at) return;
    is_stopped = true;
    sem_post(&stopped_or_done);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += WAIT_MS_MAX * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)sem_timedwait(&may_go_on, &until);
    context->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

#define STOP_AFTER_EACH_INSTRUCTION() __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc")
#define STOP_NO_MORE() __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc")

static void *make_request(void) {
    switch (request) {
    case REQUEST_MALLOC: return hak_heap_malloc(account, 100);
    case REQUEST_FREE: hak_heap_free(account, block); return NULL;
    case REQUEST_GROW: return hak_heap_realloc(account, block, 3000);
    case SET_HARD_LIMIT: (void)hak_heap_set_limit(account, 0, 5000); return NULL;
    case SET_BOTH_LIMITS: (void)hak_heap_set_limit(account, 1000, 5000); return NULL;
    default: return hak_heap_realloc(account, block, 20);
    }
}

static void *make_requests(void *unused) {
    (void)unused;
    hak_free(hak_malloc(8)); /* gives the thread a heap */
    for (;;) {
        sem_wait(&may_begin);
        if (is_over) return NULL;
        STOP_AFTER_EACH_INSTRUCTION();
        block = make_request();
        STOP_NO_MORE();
        sem_post(&stopped_or_done);
    }
}

/* ---- The other thread ---- */

static void require_held(size_t count, void *const *blocks) {
    uint64_t held_bytes = 0, held_blocks = 0;
    for (size_t index = 0; index < count; index++) {
        held_bytes += hak_usable_size(blocks[index]);
        held_blocks += blocks[index] != NULL;
    }
    REQUIRE_EQUAL(stats_of_heap(account).used_bytes, held_bytes);
    REQUIRE_EQUAL(stats_of_heap(account).used_blocks, held_blocks);
}

/* Lets the request begin, until that instruction. False: it was over before. */
static bool begin_request(unsigned instruction) {
    stop_at = instruction;
    instructions = 0;
    is_stopped = false;
    sem_post(&may_begin);
    sem_wait(&stopped_or_done);
    return is_stopped;
}

static void end_request(void) {
    sem_post(&may_go_on);
    sem_wait(&stopped_or_done);
    while (sem_trywait(&may_go_on) == 0) continue;
}

/* False: the request was over before that instruction. */
static bool run_with_stop_at(unsigned instruction) {
    account = hak_heap_new(NULL);
    account->claim_count = 1; /* the second request of a thread in succession claims */
    void *own = hak_heap_malloc(account, 500);
    block = request == REQUEST_MALLOC ? NULL : hak_malloc(100);
    if (block != NULL) {
        REQUIRE(account_add(account, hak_usable_size(block), 1));
        account->recent = NULL;
    }
    bool was_stopped = begin_request(instruction);
    if (was_stopped) {
        hak_heap_free(account, own);
        own = hak_heap_malloc(account, 200);
        hak_heap_free(account, own);
        own = NULL;
        end_request();
    }
    void *blocks[] = {own, block};
    require_held(2, blocks);
    hak_heap_free(account, block);
    hak_heap_free(account, own);
    require_held(0, NULL);
    hak_heap_destroy(account);
    return was_stopped;
}

/* The same for limits, in an account whose user is this thread: else its ceiling is 0. */
static bool set_limit_with_stop_at(unsigned instruction) {
    account = hak_heap_new(NULL);
    account->claim_count = 1;
    void *own[] = {hak_heap_malloc(account, 100), hak_heap_malloc(account, 100)};
    REQUIRE(account->user != NULL);
    bool was_stopped = begin_request(instruction);
    if (was_stopped) {
        REQUIRE_EQUAL(hak_heap_set_limit(account, request == SET_BOTH_LIMITS ? 400 : 0, 9000), 0);
        end_request();
    }
    uint64_t ceiling_bytes = account->ceiling_bytes;
    account_update_ceiling(account);
    REQUIRE_EQUAL(ceiling_bytes, account->ceiling_bytes);
    for (unsigned index = 0; index < 2; index++) hak_heap_free(account, own[index]);
    hak_heap_destroy(account);
    return was_stopped;
}

static void test_no_count_or_limit_is_lost_at_any_instruction(void **state) {
    (void)state;
    struct sigaction action = {.sa_sigaction = stop, .sa_flags = SA_SIGINFO};
    REQUIRE_EQUAL(sigaction(SIGTRAP, &action, NULL), 0);
    sem_init(&may_begin, 0, 0);
    sem_init(&stopped_or_done, 0, 0);
    sem_init(&may_go_on, 0, 0);
    pthread_t thread = threads_start(make_requests, NULL);
    for (request = REQUEST_MALLOC; request <= REQUEST_SHRINK; request++) {
        unsigned instruction = 0;
        while (run_with_stop_at(instruction)) instruction += request == REQUEST_MALLOC ? 1 : STRIDE;
        REQUIRE_AT_LEAST(instruction, 50);
        REQUIRE_AT_MOST(instruction, INSTRUCTIONS_MAX);
    }
    for (request = SET_HARD_LIMIT; request <= SET_BOTH_LIMITS; request++) {
        unsigned instruction = 0;
        while (set_limit_with_stop_at(instruction)) instruction++;
        REQUIRE_AT_LEAST(instruction, 50);
        REQUIRE_AT_MOST(instruction, INSTRUCTIONS_MAX);
    }
    is_over = true;
    sem_post(&may_begin);
    threads_join(thread);
}

#else
static void test_no_count_or_limit_is_lost_at_any_instruction(void **state) { (void)state; }
#endif

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_count_or_limit_is_lost_at_any_instruction)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
