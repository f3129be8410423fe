/*
 * support/sandbox.c - a filter of the kernel for each answer. The kernel asks all of them; one that answers prevails
 * over those that let the call pass.
 */
#include "support/sandbox.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "support/require.h"

typedef struct Condition {
    unsigned argument;
    uint32_t value;
    bool answers_equal, answers_others;
} Condition;

static void install(uint32_t call, Condition condition, uint32_t answer) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 (uint32_t)(offsetof(struct seccomp_data, args) + condition.argument * sizeof(uint64_t))),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, condition.value, !condition.answers_equal, !condition.answers_others),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    REQUIRE_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    REQUIRE_EQUAL(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

void sandbox_answer(uint32_t call, uint32_t answer) { install(call, (Condition){0, 0, true, true}, answer); }

void sandbox_answer_where(uint32_t call, unsigned argument, uint32_t value, uint32_t answer) {
    install(call, (Condition){argument, value, true, false}, answer);
}

void sandbox_answer_unless(uint32_t call, unsigned argument, uint32_t value, uint32_t answer) {
    install(call, (Condition){argument, value, false, true}, answer);
}
