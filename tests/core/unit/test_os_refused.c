/*
 * unit/test_os_refused.c - system calls and calls of the C library that a sandbox or an old kernel refuses at the start
 * of the process or of a thread: hakmem does without.
 *
 * In unit because it asks platform/os.h itself, and because the link wraps calls of the C library. In children, since a
 * filter stays until the end of the process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/os.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/sandbox.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

/* ---- What refuses ---- */

enum { MADVISE_ADVICE = 2 }; /* the number of that argument */

static bool refuses_keys, has_no_random_bytes;
static _Atomic unsigned policies_refused, threads_made;

int __real_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *)) {
    return refuses_keys ? EAGAIN : __real_pthread_key_create(key, destructor);
}

unsigned long __real_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type) {
    return has_no_random_bytes && type == AT_RANDOM ? 0 : __real_getauxval(type);
}

/* A process that may not choose a scheduling policy. */
static bool refuses_policies;
typedef void *(*ThreadMain)(void *context);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, ThreadMain run, void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, ThreadMain run, void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, ThreadMain run, void *context) {
    int inherits = PTHREAD_INHERIT_SCHED;
    if (attributes != NULL) REQUIRE_EQUAL(pthread_attr_getinheritsched(attributes, &inherits), 0);
    if (refuses_policies && inherits == PTHREAD_EXPLICIT_SCHED) {
        policies_refused++;
        return EPERM;
    }
    threads_made++;
    return __real_pthread_create(thread, attributes, run, context);
}

/* ---- Huge pages ---- */

static void require_no_huge_pages(void) {
    os_initialize(false);
    REQUIRE(os_page_bytes >= 4096);
    size_t bytes = os_page_bytes / sizeof(void *) * os_page_bytes;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    errno = EDOM;
    REQUIRE(!os_huge_pages_allow(memory, bytes));
    REQUIRE_EQUAL(errno, EDOM);
}

static void setting_cannot_be_opened(void *unused) {
    (void)unused;
    sandbox_answer(SYS_openat, EPERM);
    require_no_huge_pages();
}

static void setting_cannot_be_read(void *unused) {
    (void)unused;
    sandbox_answer(SYS_read, EPERM);
    require_no_huge_pages();
}

static void advice_is_refused(void *unused) {
    (void)unused;
    sandbox_answer_where(SYS_madvise, MADVISE_ADVICE, MADV_HUGEPAGE, EPERM);
    require_no_huge_pages();
}

static void test_huge_pages_are_off_where_the_kernel_does_not_say(void **state) {
    (void)state;
    child_must_succeed(setting_cannot_be_opened, NULL);
    child_must_succeed(setting_cannot_be_read, NULL);
    child_must_succeed(advice_is_refused, NULL);
}

/* ---- The helper ---- */

static _Atomic uint32_t helper_runs;

static void run_once(void) { helper_runs++; }

static void require_helper_runs(void) {
    os_initialize(false);
    os_process_mark();
    errno = EDOM;
    REQUIRE_EQUAL(os_helper_start(run_once), 0);
    REQUIRE_EQUAL(errno, EDOM);
    os_helper_await_gone();
    REQUIRE_EQUAL(helper_runs, 1);
}

static void policy_is_refused(void *unused) {
    (void)unused;
    refuses_policies = true;
    require_helper_runs();
    REQUIRE_EQUAL(policies_refused, 1);
    REQUIRE_EQUAL(threads_made, 1);
}

static void processors_are_not_told(void *unused) {
    (void)unused;
    sandbox_answer(SYS_sched_getaffinity, EPERM);
    require_helper_runs();
}

enum { WIPE_ON_FORK = 18 };

/* Children then do not know that the helper is not theirs: they are not told, and lose no more than that. */
static void mark_is_not_wiped(void *unused) {
    (void)unused;
    sandbox_answer_where(SYS_madvise, MADVISE_ADVICE, WIPE_ON_FORK, EPERM);
    require_helper_runs();
    REQUIRE(!os_process_claim_inherited());
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) _exit(os_process_claim_inherited() ? 1 : 0);
    int status;
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
}

static void test_helper_runs_all_the_same(void **state) {
    (void)state;
    child_must_succeed(policy_is_refused, NULL);
    child_must_succeed(processors_are_not_told, NULL);
    child_must_succeed(mark_is_not_wiped, NULL);
}

/* ---- Threads and addresses ---- */

static void *use_and_end(void *unused) {
    void *kept = hak_malloc(100);
    for (unsigned number = 0; number < 10; number++) hak_free(hak_malloc(100));
    hak_free(kept);
    return unused;
}

/* Nobody hears of the end of a thread: what it has cached stays cached, and a trim takes it. And no other key is taken
 * for the one that was refused. */
static void ends_are_not_heard_of(void *unused) {
    (void)unused;
    pthread_key_t first_key;
    REQUIRE_EQUAL(__real_pthread_key_create(&first_key, NULL), 0);
    REQUIRE_EQUAL(pthread_setspecific(first_key, &first_key), 0);
    refuses_keys = true;
    errno = EDOM;
    void *block = hak_malloc(10);
    REQUIRE(block != NULL);
    REQUIRE_EQUAL(errno, EDOM);
    REQUIRE(pthread_getspecific(first_key) == &first_key);
    for (unsigned number = 0; number < 5; number++) threads_join(threads_start(use_and_end, NULL));
    REQUIRE_EQUAL(stats_checked().live_blocks, 1);
    REQUIRE_EQUAL(hak_check(), 0);
    hak_free(block);
    stats_require_all_returned();
}

static void test_thread_ends_unheard(void **state) {
    (void)state;
    child_must_succeed(ends_are_not_heard_of, NULL);
}

static void addresses_without_random_bytes(void *unused) {
    (void)unused;
    has_no_random_bytes = true;
    void *block = hak_malloc(10);
    REQUIRE(block != NULL && hak_owns(block));
    hak_free(block);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_kernel_without_random_bytes(void **state) {
    (void)state;
    child_must_succeed(addresses_without_random_bytes, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_huge_pages_are_off_where_the_kernel_does_not_say),
        cmocka_unit_test(test_helper_runs_all_the_same),
        cmocka_unit_test(test_thread_ends_unheard),
        cmocka_unit_test(test_kernel_without_random_bytes),
    };
    if (resident_is_distorted()) return 0; /* a sanitizer makes such calls, too */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
