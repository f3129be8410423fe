/*
 * sandbox.c - a process that the kernel ends for a system call which the C library's malloc does not make.
 *
 *     sandbox
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "check.h"

static const int allowed[] = {
#ifdef SYS_brk
    SYS_brk,
#endif
    SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_futex, SYS_getrandom, SYS_write, SYS_exit_group,
};

enum { ALLOWED = sizeof allowed / sizeof *allowed, LENGTH = 2 * ALLOWED + 2 };

static void begin_sandbox(void) {
    struct sock_filter filter[LENGTH];
    size_t used = 0;
    filter[used++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t index = 0; index < ALLOWED; index++) {
        filter[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[index], 0, 1);
        filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    struct sock_fprog program = {.len = (unsigned short)used, .filter = filter};
    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

int main(void) {
    enum { BLOCKS = 20000 };
    static void *blocks[BLOCKS];
    begin_sandbox();
    for (int round = 0; round < 3; round++) {
        for (size_t index = 0; index < BLOCKS; index++) {
            size_t size = index % 100 == 0 ? 300000 : index % 3000;
            blocks[index] = malloc(size);
            memset(hidden(blocks[index]), 1, size);
        }
        for (size_t index = 0; index < BLOCKS; index += 7) blocks[index] = realloc(blocks[index], index * 10 + 1);
        for (size_t index = 0; index < BLOCKS; index++) free(blocks[index]);
    }
    _Exit(0);
}
