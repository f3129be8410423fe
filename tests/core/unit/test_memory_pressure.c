/*
 * unit/test_memory_pressure.c - whether memory is short for the control group of this process, as the kernel's files
 * say it; where it is, nothing is held for a burst.
 *
 * In unit because the link wraps os_call, through which the core opens files: those of /proc/self/cgroup and of
 * /sys/fs/cgroup have the text that a case gives them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/os.h"
#include "support/await.h"
#include "support/blocks.h"
#include "support/child.h"
#include "support/sandbox.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"
#include "unit/group_files.h"

/* ---- Who looks ---- */

static unsigned open_descriptors(const char *path) {
    unsigned count = 0;
    DIR *folder = opendir(path);
    REQUIRE(folder != NULL);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) count += *entry->d_name != '.';
    REQUIRE_EQUAL(closedir(folder), 0);
    return count - 1; /* without the folder itself */
}

static int64_t asked_room_bytes;
static bool is_found_short;

static void ask(void) {
    errno = EDOM;
    is_found_short = os_memory_is_short(asked_room_bytes);
    REQUIRE_EQUAL(errno, EDOM);
}

static void run_as_helper(void (*run)(void)) {
    REQUIRE_EQUAL(os_helper_start(run), 0);
    os_helper_await_gone();
}

static bool is_short(size_t room_bytes) {
    unsigned descriptors = open_descriptors("/proc/self/fd");
    asked_room_bytes = (int64_t)room_bytes;
    run_as_helper(ask);
    REQUIRE_EQUAL(open_descriptors("/proc/self/fd"), descriptors);
    return is_found_short;
}

/* ---- What they say ---- */

#define CALM "some avg10=0.99 avg60=50.00 avg300=50.00 total=1\nfull avg10=9.00 avg60=0.00 avg300=0.00 total=0\n"
#define STALLED "some avg10=1.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"

static void test_unknown_is_not_short(void **state) {
    (void)state;
    static char long_group[2000];
    const char *groups[] = {NULL, "", "9:name=systemd:/a/b\n4:memory:/a/b\n", "0::\n", "0::", long_group};
    memset(long_group, 'a', sizeof long_group - 1);
    memcpy(long_group, "0::/", 4);
    for (size_t index = 0; index < sizeof groups / sizeof *groups; index++) {
        set_files(groups[index], "1000", "1000", STALLED);
        REQUIRE(!is_short(100));
    }
    set_files("0::/a/b\n", NULL, NULL, NULL);
    REQUIRE(!is_short(100));
    set_files("0::/a/b\n", "1000\n", NULL, "no such text");
    REQUIRE(!is_short(1000));
    set_files("0::/a/b\n", "max\n", "1000\n", "");
    REQUIRE(!is_short(1000));
}

static void test_near_the_high_mark_is_short(void **state) {
    (void)state;
    opened = 0;
    set_files("9:name=systemd:/\n0::/a/b\n", "1000000\n", "900000\n", CALM);
    REQUIRE(!is_short(100000));
    REQUIRE(is_short(100001));
    REQUIRE_AT_LEAST(opened, 4);
    set_files("0::/a/b\n", "1000000\n", "2000000\n", CALM);
    REQUIRE(is_short(0));
}

/* Docker and Kubernetes set memory.max alone. */
static void test_near_the_maximum_is_short(void **state) {
    (void)state;
    set_files("0::/a/b\n", "max\n", "900000\n", CALM);
    REQUIRE(!is_short(1000000));
    files[MAX].text = "1000000\n";
    REQUIRE(!is_short(100000));
    REQUIRE(is_short(100001));
    files[HIGH].text = "950000\n";
    REQUIRE(!is_short(50000));
    REQUIRE(is_short(50001));
    files[HIGH].text = "1050000\n";
    REQUIRE(!is_short(100000));
    REQUIRE(is_short(100001));
}

static void test_idle_pages_of_files_are_room(void **state) {
    (void)state;
    set_files("0::/a/b\n", "1000000\n", "900000\n", CALM);
    files[STAT].text = "anon 5\nworkingset_inactive_file 3\ninactive_anon 7\ninactive_file 50000\nactive_file 9\n";
    REQUIRE(!is_short(150000));
    REQUIRE(is_short(150001));
    files[STAT].text = "anon 5\n";
    REQUIRE(is_short(100001));
}

static void test_limits_around_the_group_count(void **state) {
    (void)state;
    set_files("0::/a/b\n", "1000000\n", "300000\n", CALM);
    files[OUTER_HIGH].text = "max\n";
    files[OUTER_MAX].text = "1000000\n";
    files[OUTER_CURRENT].text = "800000\n";
    REQUIRE(!is_short(200000));
    REQUIRE(is_short(200001));
    files[ROOT_MAX].text = "1000000\n"; /* of a container, which sees its own group as the root */
    files[ROOT_CURRENT].text = "900000\n";
    REQUIRE(!is_short(100000));
    REQUIRE(is_short(100001));
    files[GROUP].text = "0::/\n";
    REQUIRE(!is_short(100000));
    REQUIRE(is_short(100001));
}

static void test_eight_groups_are_looked_at(void **state) {
    (void)state;
    set_files("0::/a/2/3/4/5/6/7/8\n", NULL, NULL, CALM);
    files[OUTER_MAX].text = "1000000\n";
    files[OUTER_CURRENT].text = "1000001\n";
    REQUIRE(is_short(0));
    files[GROUP].text = "0::/a/2/3/4/5/6/7/8/9\n";
    REQUIRE(!is_short(0));
}

static void test_each_file_is_read_once(void **state) {
    (void)state;
    opened = 0;
    set_files("0::/a/b\n", "1000000\n", "900000\n", CALM);
    REQUIRE(!is_short(0));
    REQUIRE_EQUAL(opened, 4);
}

static void test_stalls_are_short(void **state) {
    (void)state;
    set_files("0::/a/b", "max\n", "900000\n", CALM);
    REQUIRE(!is_short(100000));
    set_files("0::/a/b", "max\n", "900000\n", STALLED);
    REQUIRE(is_short(100000));
}

/* ---- Whose descriptors ---- */

static void ask_twice(void) {
    ask();
    REQUIRE_EQUAL(open_descriptors("/proc/thread-self/fd"), 0);
    ask();
    REQUIRE_EQUAL(open_descriptors("/proc/thread-self/fd"), 0);
}

static void test_no_number_of_the_program_is_taken(void **state) {
    (void)state;
    set_files("0::/a/b\n", "1000000\n", "2000000\n", CALM);
    opened = opened_in_program = 0;
    run_as_helper(ask_twice);
    REQUIRE(is_found_short);
    REQUIRE_EQUAL(opened, 2 * 4);
    REQUIRE_EQUAL(opened_in_program, 0);
}

static Story story = STORY_START;
enum { ASKED = 1, CLOSED };

static void ask_and_stay(void) {
    ask();
    story_reach(&story, ASKED);
    story_await(&story, CLOSED);
}

/* Else who reads from a pipe would wait for the helper's end. */
static void test_nothing_stays_open_that_the_program_closes(void **state) {
    (void)state;
    int ends[2];
    char byte;
    REQUIRE_EQUAL(pipe2(ends, O_NONBLOCK), 0);
    REQUIRE_EQUAL(os_helper_start(ask_and_stay), 0);
    story_await(&story, ASKED);
    REQUIRE_EQUAL(close(ends[1]), 0);
    REQUIRE_EQUAL(read(ends[0], &byte, 1), 0);
    REQUIRE_EQUAL(close(ends[0]), 0);
    story_reach(&story, CLOSED);
    os_helper_await_gone();
}

static void cannot_leave(void *unused) {
    (void)unused;
    sandbox_answer(CLOSE_RANGE, ENOSYS);
    REQUIRE(!is_short(100000));
}

static void test_nothing_is_opened_without_descriptors_of_its_own(void **state) {
    (void)state;
    set_files("0::/a/b\n", "1000000\n", "2000000\n", STALLED);
    unsigned opened_before = opened;
    unsigned descriptors = open_descriptors("/proc/self/fd");
    asked_room_bytes = 100000;
    ask();
    REQUIRE(!is_found_short);
    REQUIRE_EQUAL(open_descriptors("/proc/self/fd"), descriptors);
    REQUIRE_EQUAL(opened, opened_before);
    if (!resident_is_distorted()) child_must_succeed(cannot_leave, NULL);
}

#define LINE "hakmem: error: found by the helper\n"

static void ask_and_report(void) {
    ask();
    REQUIRE(is_found_short);
    errno = EDOM;
    os_write_error(LINE, sizeof LINE - 1);
    os_write_error(LINE, sizeof LINE - 1);
    REQUIRE_EQUAL(errno, EDOM);
    REQUIRE_EQUAL(open_descriptors("/proc/thread-self/fd"), 0);
}

static void reports(void *forbidden) {
    if (forbidden != NULL) sandbox_answer(*(uint32_t *)forbidden, EPERM);
    run_as_helper(ask_and_report);
    story.step = 0;
    REQUIRE_EQUAL(os_helper_start(ask_and_stay), 0);
    story_await(&story, ASKED);
    os_write_error(LINE, sizeof LINE - 1); /* of a thread of the program, whose descriptors are as they were */
    story_reach(&story, CLOSED);
    os_helper_await_gone();
}

/* Docker's sandbox forbids pidfd_getfd. */
static void test_errors_of_the_helper_are_seen(void **state) {
    (void)state;
    uint32_t forbidden = PIDFD_GETFD;
    uint32_t *choices[] = {NULL, &forbidden};
    set_files("0::/a/b\n", "1000000\n", "2000000\n", CALM);
    for (size_t index = 0; index < sizeof choices / sizeof *choices; index++) {
        if (index > 0 && resident_is_distorted()) skip();
        ChildResult result = child_run(reports, choices[index]);
        child_require_success(&result);
        REQUIRE(strcmp(result.errors, LINE LINE LINE) == 0);
    }
}

/* ---- What comes of it ---- */

static void churn(void) {
    enum { BLOCKS = 40000, BLOCK_BYTES = 1200 };
    static void *blocks[BLOCKS];
    blocks_churn(blocks, BLOCKS, BLOCK_BYTES);
}

/* The helper looks while a level is held; the churn goes on, so that it is not taken back for want of use. */
static void holds_until_short(void *unused) {
    (void)unused;
    enum { ROUNDS_MAX = 3000 };
    set_files("0::/a/b\n", "max\n", "0\n", CALM);
    stats_option_set("purge_delay_ms", "1000");
    for (unsigned rounds = 0; stats_now().learn_kept == 0 && rounds < ROUNDS_MAX; rounds++) churn();
    REQUIRE_EQUAL(stats_now().learn_taken_back, 0);
    set_files("0::/a/b\n", "max\n", "0\n", STALLED);
    for (unsigned rounds = 0; stats_now().learn_taken_back == 0 && rounds < ROUNDS_MAX; rounds++) churn();
    REQUIRE_AT_LEAST(stats_now().learn_taken_back, 1);
}

/* The same of the window of peak demand. The fixed bound is 16 MiB. */
static void window_holds_until_short(void *unused) {
    (void)unused;
    enum { ROUNDS_MAX = 3000 };
    set_files("0::/a/b\n", "max\n", "0\n", CALM);
    stats_option_set("purge_delay_ms", "1000");
    stats_option_set("learn", "window");
    opened = 0;
    for (unsigned rounds = 0; opened == 0 && rounds < ROUNDS_MAX; rounds++) churn();
    REQUIRE_AT_LEAST(stats_now().burst_bound_bytes, 17 * MIB);
    stats_option_set("learn", "0"); /* nobody looks at what is not held */
    opened = 0;
    for (unsigned rounds = 0; rounds < 100; rounds++) churn();
    REQUIRE_EQUAL(opened, 0);
    stats_option_set("learn", "window");
    set_files("0::/a/b\n", "max\n", "0\n", STALLED);
    for (unsigned rounds = 0; stats_now().burst_bound_bytes > 16 * MIB && rounds < ROUNDS_MAX; rounds++) churn();
    REQUIRE_AT_MOST(stats_now().burst_bound_bytes, 16 * MIB);
}

static void test_nothing_is_held_while_memory_is_short(void **state) {
    (void)state;
    if (resident_is_distorted() || stats_are_of_guarded_blocks()) skip();
    child_must_succeed(holds_until_short, NULL);
    child_must_succeed(window_holds_until_short, NULL);
}

/* The sandbox of a program that has HAKMEM_LEARN=0 may forbid these calls at any time. */
static void never_looks(void *unused) {
    enum { ROUNDS = 100 };
    (void)unused;
    set_files("0::/a/b\n", "max\n", "0\n", STALLED);
    stats_option_set("learn", "0");
    stats_option_set("purge_delay_ms", "1000");
    for (unsigned rounds = 0; rounds < ROUNDS; rounds++) churn();
    REQUIRE_EQUAL(looks, 0);
    REQUIRE_EQUAL(opened, 0);
}

static void test_nothing_is_asked_where_nothing_is_learned(void **state) {
    (void)state;
    looks = opened = 0;
    child_must_succeed(never_looks, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_is_not_short),
        cmocka_unit_test(test_near_the_high_mark_is_short),
        cmocka_unit_test(test_near_the_maximum_is_short),
        cmocka_unit_test(test_idle_pages_of_files_are_room),
        cmocka_unit_test(test_limits_around_the_group_count),
        cmocka_unit_test(test_eight_groups_are_looked_at),
        cmocka_unit_test(test_each_file_is_read_once),
        cmocka_unit_test(test_stalls_are_short),
        cmocka_unit_test(test_no_number_of_the_program_is_taken),
        cmocka_unit_test(test_nothing_stays_open_that_the_program_closes),
        cmocka_unit_test(test_nothing_is_opened_without_descriptors_of_its_own),
        cmocka_unit_test(test_errors_of_the_helper_are_seen),
        cmocka_unit_test(test_nothing_is_held_while_memory_is_short),
        cmocka_unit_test(test_nothing_is_asked_where_nothing_is_learned),
    };
    if (syscall(CLOSE_RANGE, ~0u, ~0u, 0) != 0) return 0; /* before Linux 5.9 the helper does not ask */
    hak_free(hak_malloc(1));                              /* the core starts, so that each child knows that it is one */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
