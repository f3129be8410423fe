/*
 * unit/test_errno.c - errno is the program's: the start of the process, a thread's first malloc and free, the helper
 * thread and the end of a thread leave it alone, whatever the C library's calls do to it.
 *
 * In unit because the link wraps the C library's calls: each sets errno, as it may.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "support/child.h"
#include "support/resident.h"
#include "support/suite.h"
#include "support/threads.h"

/* ---- The C library ---- */

enum { SPOILT = EXDEV, KEPT = EDOM };

/* Number of calls of each function. */
static _Atomic unsigned forks_hooked, keys_made, keys_set, vectors_read, sizes_read, attributes_made, threads_made;
static _Atomic bool refuses_attributes;

static void spoil(_Atomic unsigned *calls) {
    atomic_fetch_add(calls, 1);
    errno = SPOILT;
}

typedef void (*ForkHook)(void);
int __real_pthread_atfork(ForkHook prepare, ForkHook parent, ForkHook child);
int __wrap_pthread_atfork(ForkHook prepare, ForkHook parent, ForkHook child);
int __wrap_pthread_atfork(ForkHook prepare, ForkHook parent, ForkHook child) {
    int result = __real_pthread_atfork(prepare, parent, child);
    spoil(&forks_hooked);
    return result;
}

int __real_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *)) {
    int result = __real_pthread_key_create(key, destructor);
    spoil(&keys_made);
    return result;
}

int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value) {
    int result = __real_pthread_setspecific(key, value);
    spoil(&keys_set);
    return result;
}

unsigned long __real_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type) {
    unsigned long value = __real_getauxval(type);
    spoil(&vectors_read);
    return value;
}

long __real_sysconf(int name);
long __wrap_sysconf(int name);
long __wrap_sysconf(int name) {
    long value = __real_sysconf(name);
    spoil(&sizes_read);
    return value;
}

int __real_pthread_attr_init(pthread_attr_t *attributes);
int __wrap_pthread_attr_init(pthread_attr_t *attributes);
int __wrap_pthread_attr_init(pthread_attr_t *attributes) {
    spoil(&attributes_made);
    return atomic_load(&refuses_attributes) ? ENOMEM : __real_pthread_attr_init(attributes);
}

typedef void *(*ThreadMain)(void *context);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, ThreadMain run, void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, ThreadMain run, void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, ThreadMain run, void *context) {
    int result = __real_pthread_create(thread, attributes, run, context);
    spoil(&threads_made);
    return result;
}

/* ---- The start of the process ---- */

static int errno_at_start;

/* C promises a program that errno is 0 when main begins. */
static void test_constructors_keep_errno(void **state) {
    (void)state;
    REQUIRE_EQUAL(forks_hooked, 1);
    REQUIRE_EQUAL(errno_at_start, 0);
}

static void first_block_of_the_process(void *unused) {
    (void)unused;
    unsigned vectors_before = vectors_read;
    errno = KEPT;
    void *block = hak_malloc(100);
    REQUIRE_EQUAL(errno, KEPT);
    REQUIRE(block != NULL);
    REQUIRE_EQUAL(keys_made, 1);
    REQUIRE_EQUAL(keys_set, 1);
    REQUIRE_OP(vectors_read, >, vectors_before);
    hak_free(block);
    REQUIRE_EQUAL(errno, KEPT);
}

static void test_first_block_of_the_process(void **state) {
    (void)state;
    child_must_succeed(first_block_of_the_process, NULL);
}

/* ---- A thread ---- */

static void *first_and_last_block(void *block_bytes) {
    unsigned keys_before = keys_set;
    errno = KEPT;
    void *block = hak_malloc(*(const size_t *)block_bytes);
    REQUIRE_EQUAL(errno, KEPT);
    REQUIRE(block != NULL);
    REQUIRE_OP(keys_set, >, keys_before);
    hak_free(block);
    REQUIRE_EQUAL(errno, KEPT);
    return NULL;
}

/* Its heap is attached at a free. */
static void *free_of_anothers(void *block) {
    unsigned keys_before = keys_set;
    errno = KEPT;
    hak_free(block);
    REQUIRE_EQUAL(errno, KEPT);
    REQUIRE_OP(keys_set, >, keys_before);
    return NULL;
}

static void test_first_block_of_a_thread(void **state) {
    (void)state;
    size_t block_bytes = 200;
    threads_join(threads_start(first_and_last_block, &block_bytes));
    void *block = hak_malloc(block_bytes);
    REQUIRE(block != NULL);
    threads_join(threads_start(free_of_anothers, block));
}

/* ---- The helper ---- */

static void free_much(void) {
    enum { BLOCKS = 4000, BLOCK_BYTES = 8192 };
    static char *block[BLOCKS];
    for (size_t number = 0; number < BLOCKS; number++) {
        REQUIRE((block[number] = hak_malloc(BLOCK_BYTES)) != NULL);
        block[number][0] = 1;
    }
    for (size_t number = 0; number < BLOCKS; number++) {
        errno = KEPT;
        hak_free(block[number]);
        REQUIRE_EQUAL(errno, KEPT);
    }
}

static void start_of_the_helper(void *unused) {
    (void)unused;
    free_much();
    REQUIRE_OP(sizes_read, >, 0);
    REQUIRE_OP(threads_made, >, 0);
}

static void start_that_is_refused(void *unused) {
    (void)unused;
    atomic_store(&refuses_attributes, true);
    free_much();
    REQUIRE_OP(attributes_made, >, 0);
    REQUIRE_EQUAL(threads_made, 0);
}

static void test_start_of_the_helper(void **state) {
    (void)state;
    child_must_succeed(start_of_the_helper, NULL);
    child_must_succeed(start_that_is_refused, NULL);
}

int main(void) {
    errno_at_start = errno;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constructors_keep_errno),
        cmocka_unit_test(test_first_block_of_the_process),
        cmocka_unit_test(test_start_of_the_helper),
        cmocka_unit_test(test_first_block_of_a_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
