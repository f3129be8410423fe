/*
 * forks_in_handler.c - a signal handler that forks, in a program of one thread that allocates and forks itself.
 *
 *     forks_in_handler COUNT
 *
 * fork is a function that handlers may call; they find this thread inside malloc, free or another fork. The blocks are
 * few, so that hakmem's helper is not started: with a second thread glibc's fork waits for a lock of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { BLOCKS = 300, BYTES_MAX = 10000, DELAY_US_MAX = 1000 };

static volatile sig_atomic_t handled_count, has_failed;
static void *blocks[BLOCKS];

static int child_ends_well(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void fork_in_handler(int number) {
    (void)number;
    int saved = errno;
    pid_t child = fork();
    if (child == 0) _exit(0);
    if (child < 0 || !child_ends_well(child)) has_failed = 1;
    handled_count++;
    errno = saved;
}

static void churn(unsigned *seed, int rounds) {
    for (int round = 0; round < rounds; round++) {
        void **place = &blocks[rand_r(seed) % BLOCKS];
        free(*place);
        *place = malloc((size_t)rand_r(seed) % BYTES_MAX);
        REQUIRE(*place != NULL);
    }
}

int main(int count, char **arguments) {
    int wanted = count == 2 ? atoi(arguments[1]) : 0;
    unsigned seed = 1;
    struct sigaction action = {.sa_handler = fork_in_handler};
    REQUIRE(wanted > 0 && sigaction(SIGALRM, &action, NULL) == 0);
    while (handled_count < wanted && !has_failed) {
        /* Once: with an interval below the handler's time nothing else would run. */
        struct itimerval once = {.it_value = {0, 1 + rand_r(&seed) % DELAY_US_MAX}};
        REQUIRE(setitimer(ITIMER_REAL, &once, NULL) == 0);
        churn(&seed, 50);
        pid_t child = fork();
        if (child == 0) {
            churn(&seed, 50);
            _exit(0);
        }
        REQUIRE(child > 0 && child_ends_well(child));
    }
    REQUIRE(!has_failed);
    return 0;
}
