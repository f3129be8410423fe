/*
 * unit/test_start.c - two threads make the first request at once: one starts the core, the other one waits for that,
 * and the core is started once.
 *
 * In unit because the link wraps the first step of the start.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/option.h"
#include "support/await.h"
#include "support/suite.h"
#include "support/threads.h"

static _Atomic unsigned starts;
static _Atomic long id_of_other;
static _Atomic bool other_is_served;
static pthread_t other;

/* 'S': it sleeps. */
static char state_of(long thread_id) {
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/self/task/%ld/stat", thread_id);
    FILE *file = fopen(path, "r");
    REQUIRE(file != NULL);
    REQUIRE(fgets(line, sizeof line, file) != NULL);
    fclose(file);
    const char *behind_name = strrchr(line, ')');
    REQUIRE(behind_name != NULL);
    return behind_name[2];
}

static void *request_at_once(void *unused) {
    id_of_other = syscall(SYS_gettid);
    void *block = hak_malloc(100);
    REQUIRE(block != NULL);
    other_is_served = true;
    hak_free(block);
    return unused;
}

void __real_hak_core_option_initialize(void);
void __wrap_hak_core_option_initialize(void);
void __wrap_hak_core_option_initialize(void) {
    if (++starts == 1) {
        other = threads_start(request_at_once, NULL);
        AWAIT_OP(id_of_other, !=, 0);
        AWAIT_EQUAL(state_of(id_of_other), 'S');
        REQUIRE(!other_is_served);
    }
    __real_hak_core_option_initialize();
}

static void test_the_core_is_started_once(void **state) {
    (void)state;
    REQUIRE_EQUAL(starts, 0);
    void *block = hak_malloc(100);
    REQUIRE(block != NULL);
    threads_join(other);
    REQUIRE(other_is_served);
    REQUIRE_EQUAL(starts, 1);
    hak_free(block);
    REQUIRE_EQUAL(hak_check(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_core_is_started_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
