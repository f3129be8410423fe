/*
 * unit/test_message.c - messages without stdio: each letter of the format, texts from outside, buffers that are too
 * small, a stderr that takes a part or nothing, and the line of a broken assertion.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/message.h"
#include "platform/os.h"
#include "support/await.h"
#include "support/child.h"
#include "support/suite.h"

#define REQUIRE_TEXT(wanted, ...)                                                            \
    do {                                                                                     \
        char written[MESSAGE_BYTES_MAX];                                                     \
        REQUIRE_EQUAL(message_format(written, sizeof written, __VA_ARGS__), strlen(wanted)); \
        assert_string_equal(written, wanted);                                                \
    } while (0)

static void test_letters_of_the_format(void **state) {
    (void)state;
    REQUIRE_TEXT("a name, 100%", "a %s, 100%%", "name");
    REQUIRE_TEXT("(null)", "%s", (const char *)NULL);
    REQUIRE_TEXT("0 18446744073709551615", "%u %u", (uint64_t)0, UINT64_MAX);
    REQUIRE_TEXT("-1 0 7", "%d %d %d", (int64_t)-1, (int64_t)0, (int64_t)7);
    REQUIRE_TEXT("-9223372036854775808", "%d", INT64_MIN);
    REQUIRE_TEXT("0xbeef", "%p", (void *)0xbeef);
}

static void test_quoted_text_is_printable(void **state) {
    (void)state;
    REQUIRE_TEXT("'a?b?c?'", "%q",
                 "a\nb\x1b"
                 "c\x7f");
    REQUIRE_TEXT("''", "%q", "");
}

/* 80 bytes are shown; a letter of several bytes is not cut. */
static void test_quoted_text_is_cut_between_letters(void **state) {
    (void)state;
    char text[200], wanted[200];
    for (size_t before = 76; before <= 80; before++) {
        memset(text, 'a', before);
        strcpy(text + before, "\xe2\x82\xac\xe2\x82\xac"); /* two signs of three bytes */
        size_t signs = (80 - before) / 3;
        snprintf(wanted, sizeof wanted, "'%.*s...'", (int)(before + 3 * signs), text);
        if (before + 6 <= 80) snprintf(wanted, sizeof wanted, "'%s'", text);
        REQUIRE_TEXT(wanted, "%q", text);
    }
    memset(text, '\x80', 100); /* no letter begins anywhere */
    text[100] = '\0';
    REQUIRE_TEXT("'...'", "%q", text);
}

static void test_small_buffers_are_never_overrun(void **state) {
    (void)state;
    for (size_t bytes = 0; bytes < 8; bytes++) {
        char text[16];
        memset(text, '#', sizeof text);
        size_t shown = bytes == 0 ? 0 : bytes - 1 < 5 ? bytes - 1 : 5;
        REQUIRE_EQUAL(message_format(text, bytes, "%u", (uint64_t)12345), shown);
        REQUIRE_EQUAL(memcmp(text, "12345", shown), 0);
        if (bytes > 0) REQUIRE_EQUAL(text[shown], '\0');
        REQUIRE_EQUAL(text[shown + (bytes > 0)], '#');
    }
}

/* ---- stderr ---- */

static void warn_without_stderr(void *unused) {
    (void)unused;
    close(STDERR_FILENO);
    errno = EDOM;
    message_warning("nobody reads this");
    if (errno != EDOM) _exit(1);
}

static void test_closed_stderr_is_no_error(void **state) {
    (void)state;
    ChildResult result = child_run(warn_without_stderr, NULL);
    REQUIRE_EQUAL(result.exit_code, 0);
    assert_string_equal(result.errors, "");
}

static int full_pipe[2];
static _Atomic int signals_seen;

static void note_signal(int number) {
    (void)number;
    signals_seen++;
}

static size_t bytes_to_read(int pipe_end) {
    int bytes = 0;
    REQUIRE_EQUAL(ioctl(pipe_end, FIONREAD, &bytes), 0);
    return (size_t)bytes;
}

/* A pipe that is full but for less than the text: the kernel takes a part, and a signal ends the wait for the rest. */
static void write_into_full_pipe(void *unused) {
    (void)unused;
    struct sigaction action = {.sa_handler = note_signal}; /* the call does not go on by itself */
    REQUIRE_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
    REQUIRE_EQUAL(pipe(full_pipe), 0);
    int room_bytes = fcntl(full_pipe[1], F_SETPIPE_SZ, 4096);
    REQUIRE_AT_LEAST(room_bytes, 4096);
    pid_t writer = fork();
    REQUIRE(writer >= 0);
    if (writer == 0) {
        static char text[100000];
        memset(text, 'x', sizeof text);
        dup2(full_pipe[1], STDERR_FILENO);
        close(full_pipe[0]);
        os_write_error(text, sizeof text);
        _exit(signals_seen > 0 ? 0 : 1);
    }
    close(full_pipe[1]);
    AWAIT_EQUAL(bytes_to_read(full_pipe[0]), room_bytes);
    for (unsigned time = 0; time < 20; time++) { /* it waits in the kernel meanwhile, and goes on waiting */
        os_sleep_ms(5);
        REQUIRE_EQUAL(kill(writer, SIGUSR1), 0);
    }
    size_t got_bytes = 0;
    char portion[5000];
    for (long got; (got = read(full_pipe[0], portion, sizeof portion)) > 0;) got_bytes += (size_t)got;
    REQUIRE_EQUAL(got_bytes, 100000);
    int status;
    REQUIRE_EQUAL(waitpid(writer, &status, 0), writer);
    REQUIRE_EQUAL(status, 0);
}

static void test_signal_does_not_cut_a_text(void **state) {
    (void)state;
    child_must_succeed(write_into_full_pipe, NULL);
}

/* ---- Broken assertions ---- */

static void break_assertion(void *unused) {
    (void)unused;
    message_assert_failed("heap/heap.c", 12, "left <= right", 5, 3);
}

static void test_broken_assertion_names_itself(void **state) {
    (void)state;
    static const char *const words[] = {"heap/heap.c:12: broken: left <= right (left 5, right 3); please report this",
                                        NULL};
    ChildResult result = child_run(break_assertion, NULL);
    child_require_abort(&result, words);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_of_the_format),
        cmocka_unit_test(test_quoted_text_is_printable),
        cmocka_unit_test(test_quoted_text_is_cut_between_letters),
        cmocka_unit_test(test_small_buffers_are_never_overrun),
        cmocka_unit_test(test_closed_stderr_is_no_error),
        cmocka_unit_test(test_signal_does_not_cut_a_text),
        cmocka_unit_test(test_broken_assertion_names_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
