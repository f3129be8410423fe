/*
 * unit/test_fork_in_handler.c - a signal handler that forks, in a process of one thread which it has interrupted in
 * the allocator: with a lock, in a purge of its own, while it waits for the helper, or while it makes one. The C
 * library's malloc does not mind. Neither process waits for itself, and the child goes on where its thread was.
 */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/heap_all.h"
#include "platform/os.h"
#include "superslab/superslab.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { BLOCKS = 20000, BLOCK_BYTES = 2000, SECONDS_MAX = 30 };

static void *blocks[BLOCKS];
static pid_t child_of_handler = -1;
static pthread_t main_thread;
static bool is_signalled_in_purge, is_signalled_in_wait, is_signalled_in_start;

static void fork_here(int unused) {
    (void)unused;
    child_of_handler = fork();
    alarm(SECONDS_MAX);
}

static void raise_once(bool *is_due) {
    if (!*is_due || pthread_equal(pthread_self(), main_thread) == 0) return;
    *is_due = false;
    (void)raise(SIGUSR1);
}

uint64_t __real_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);
uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);

uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count) {
    raise_once(&is_signalled_in_purge);
    return __real_hak_core_os_purge_ranges(ranges, count);
}

void __real_hak_core_os_helper_await_gone(void);
void __wrap_hak_core_os_helper_await_gone(void);

void __wrap_hak_core_os_helper_await_gone(void) {
    raise_once(&is_signalled_in_wait);
    __real_hak_core_os_helper_await_gone();
}

int __real_pthread_attr_init(pthread_attr_t *attributes);
int __wrap_pthread_attr_init(pthread_attr_t *attributes);

int __wrap_pthread_attr_init(pthread_attr_t *attributes) {
    raise_once(&is_signalled_in_start);
    return __real_pthread_attr_init(attributes);
}

static void build_and_drop_most(void) {
    size_t kept_every = 2 * resident_os_page_bytes() / BLOCK_BYTES + 2;
    for (size_t index = 0; index < BLOCKS; index++) memset(blocks[index] = hak_malloc(BLOCK_BYTES), 1, BLOCK_BYTES);
    for (size_t index = 0; index < BLOCKS; index++)
        if (index % kept_every != 0) hak_free(blocks[index]);
    hak_thread_flush();
}

static void begin(void) {
    main_thread = pthread_self();
    alarm(SECONDS_MAX);
    REQUIRE(signal(SIGUSR1, fork_here) != SIG_ERR);
}

/* In both processes. */
static void go_on(void) {
    REQUIRE(child_of_handler >= 0);
    REQUIRE_EQUAL(hak_check(), 0);
    build_and_drop_most();
    (void)hak_trim();
    REQUIRE_EQUAL(detached_count, 0);
    REQUIRE_EQUAL(stats_now().free_resident_bytes, 0);
    pid_t another = fork();
    REQUIRE(another >= 0);
    if (another == 0) _exit(hak_check() == 0 ? 0 : 1);
    int status;
    REQUIRE_EQUAL(waitpid(another, &status, 0), another);
    REQUIRE_EQUAL(status, 0);
    if (child_of_handler == 0) _exit(0);
    REQUIRE_EQUAL(waitpid(child_of_handler, &status, 0), child_of_handler);
    REQUIRE_EQUAL(status, 0);
}

static void with_a_lock(void *unused) {
    (void)unused;
    begin();
    hak_free(hak_malloc(1));
    lock_acquire(&heap_of_thread->lock);
    (void)raise(SIGUSR1);
    lock_release(&heap_of_thread->lock);
    go_on();
}

static void in_a_purge(void *unused) {
    (void)unused;
    begin();
    stats_option_set("retain_bytes", "1073741824"); /* no helper: the purge is this thread's */
    build_and_drop_most();
    is_signalled_in_purge = true;
    (void)hak_trim();
    REQUIRE(!is_signalled_in_purge);
    go_on();
}

static void in_a_wait(void *unused) {
    (void)unused;
    begin();
    stats_option_set("purge_delay_ms", "3600000");
    build_and_drop_most();
    is_signalled_in_wait = true;
    hak_quiesce_begin();
    REQUIRE_EQUAL(hak_quiesce_end(), 0);
    REQUIRE(!is_signalled_in_wait);
    go_on();
}

static size_t thread_count(void) {
    DIR *threads = opendir("/proc/self/task");
    size_t count = 0;
    REQUIRE(threads != NULL);
    for (const struct dirent *entry; (entry = readdir(threads)) != NULL;) count += entry->d_name[0] != '.';
    REQUIRE_EQUAL(closedir(threads), 0);
    return count;
}

/* The handler comes just before the thread is made. Neither process has two helpers. */
static void in_a_start(void *unused) {
    (void)unused;
    begin();
    stats_option_set("purge_delay_ms", "3600000");
    is_signalled_in_start = true;
    build_and_drop_most();
    REQUIRE(!is_signalled_in_start);
    build_and_drop_most();
    REQUIRE_AT_MOST(thread_count(), 2);
    stats_option_set("purge_delay_ms", "0");
    go_on();
}

static void test_nobody_waits_for_itself(void **state) {
    (void)state;
    resident_run(with_a_lock, NULL);
    child_must_succeed(in_a_purge, NULL);
    child_must_succeed(in_a_wait, NULL);
    child_must_succeed(in_a_start, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nobody_waits_for_itself)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
