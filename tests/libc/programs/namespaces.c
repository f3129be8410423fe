/*
 * namespaces.c - unshare and setns in a process that has given back memory a moment ago.
 *
 *     namespaces
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

static void leave_much_to_give_back(void) {
    enum { BLOCKS = 20000, BYTES = 2000 };
    static void *blocks[BLOCKS];
    for (size_t index = 0; index < BLOCKS; index++) memset(hidden(blocks[index] = malloc(BYTES)), 1, BYTES);
    for (size_t index = 0; index < BLOCKS; index++)
        if (index % 10 != 0) free(blocks[index]);
}

int main(void) {
    leave_much_to_give_back();
    usleep(20000);
    int own = open("/proc/self/ns/uts", O_RDONLY);
    REQUIRE(own >= 0);
    REQUIRE(setns(own, CLONE_NEWUTS) == 0 || errno == EPERM);
    if (unshare(CLONE_NEWUSER) != 0) {
        REQUIRE(errno == EPERM || errno == ENOSPC); /* forbidden here to everybody; EINVAL: more than one thread */
        puts("forbidden");
    }
    return 0;
}
