/*
 * host.c - a process in which several cores meet: which one serves, and that all see the same blocks.
 *
 *     host SCENARIO FOLDER      exit code 0, or a line on stderr and 1
 *
 * Built without a core, with the archive inside (HOST_HAS_CORE), and linked with libhakmem.so (the same).
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../require.h"
#include "binding.h"

static const char *folder;
static int visibility = RTLD_LOCAL;

static void *load(const char *name) {
    char path[4096];
    REQUIRE((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) < sizeof path);
    void *object = dlopen(path, RTLD_NOW | visibility);
    if (object == NULL) fprintf(stderr, "%s\n", dlerror());
    REQUIRE(object != NULL);
    return object;
}

static const Binding *load_binding(const char *name) {
    BindingOpen open = (BindingOpen)(uintptr_t)dlsym(load(name), BINDING_OPEN);
    REQUIRE(open != NULL);
    return open();
}

static const hak_core_t *asked(const Binding *binding) {
    char message[HAK_CORE_MESSAGE_BYTES];
    const hak_core_t *core = binding->ask(message, sizeof message);
    if (core == NULL) fprintf(stderr, "%s\n", message);
    REQUIRE(core != NULL);
    return core;
}

/* Blocks and heaps that one binding makes, the other knows. */
static void require_same_blocks(const Binding *one, const Binding *other) {
    void *block = asked(one)->malloc(1000);
    REQUIRE(asked(other)->owns(block) == 1);
    REQUIRE(asked(other)->free_if_owned(block) == 1);

    uint64_t number;
    hak_error_t error;
    REQUIRE(one->heap_new(0, 1 << 20, 1, &number, &error) == HAK_ERROR_NONE);
    for (int count = 0; count < 3; count++) REQUIRE(asked(other)->heap_malloc(other->heap(number), 1000) != NULL);
    char *text_of_one, *text_of_other, wanted[64];
    REQUIRE(one->stats_json(&text_of_one, &error) == 0);
    REQUIRE(other->stats_json(&text_of_other, &error) == 0);
    snprintf(wanted, sizeof wanted, "{\"heap\": %d, \"used_bytes\": 3072, \"used_blocks\": 3, ", (int)number);
    REQUIRE(strstr(text_of_one, wanted) != NULL);
    REQUIRE(strcmp(strstr(text_of_one, wanted), strstr(text_of_other, wanted)) == 0);
    one->text_free(text_of_one);
    other->text_free(text_of_other);
}

#ifndef HOST_HAS_CORE
static void first_loaded_serves(void) {
    const Binding *first = load_binding("first.so"), *second = load_binding("second.so");
    REQUIRE(first->own() != second->own());
    REQUIRE(asked(second) == first->own()); /* whoever asks first */
    REQUIRE(asked(first) == first->own());
    REQUIRE(second->own()->is_started() == 0);
    require_same_blocks(first, second);
    require_same_blocks(second, first);
}

/* Some interpreters load their extensions so: the second one's hak_published must not become the first one's. */
static void first_loaded_serves_among_global_ones(void) {
    visibility = RTLD_GLOBAL;
    first_loaded_serves();
}

static void one_that_serves_stays(void) {
    const Binding *second = load_binding("second.so");
    REQUIRE(asked(second) == second->own());
    const Binding *first = load_binding("first.so");
    REQUIRE(asked(first) == second->own());
    require_same_blocks(first, second);
}

static void another_version_is_refused(void) {
    (void)load("stranger_started.so");
    const Binding *first = load_binding("first.so");
    char message[HAK_CORE_MESSAGE_BYTES] = "", wanted[HAK_CORE_MESSAGE_BYTES];
    REQUIRE(first->ask(NULL, 0) == NULL);
    REQUIRE(first->ask(message, sizeof message) == NULL);
    snprintf(wanted, sizeof wanted,
             "another hakmem serves this process, with interface %u where hakmem %s knows %u: ", HAK_CORE_VERSION + 7,
             HAK_VERSION_STRING, HAK_CORE_VERSION);
    REQUIRE(strncmp(message, wanted, strlen(wanted)) == 0);
    REQUIRE(strstr(message, "/stranger_started.so; use the same release of hakmem in both") != NULL);
    REQUIRE(strchr(message, '\n') == NULL);
    REQUIRE(first->own()->is_started() == 0);

    hak_error_t error;
    REQUIRE(first->option_set("counters", "1", &error) == HAK_ERROR_CORE);
    REQUIRE(strcmp(error.message, message) == 0);
}

static void another_version_at_rest_is_passed_by(void) {
    (void)load("stranger_at_rest.so");
    const Binding *first = load_binding("first.so");
    REQUIRE(asked(first) == first->own());
}

enum { THREADS = 8 };
static pthread_barrier_t start;

static void *ask_at_once(void *binding) {
    pthread_barrier_wait(&start);
    return (void *)(uintptr_t)asked(binding);
}

static void all_at_once_agree(void) {
    const Binding *bindings[2] = {load_binding("second.so"), load_binding("first.so")};
    pthread_t threads[THREADS];
    REQUIRE(pthread_barrier_init(&start, NULL, THREADS) == 0);
    for (int index = 0; index < THREADS; index++)
        REQUIRE(pthread_create(&threads[index], NULL, ask_at_once, (void *)(uintptr_t)bindings[index % 2]) == 0);
    for (int index = 0; index < THREADS; index++) {
        void *core;
        REQUIRE(pthread_join(threads[index], &core) == 0);
        REQUIRE(core == (void *)(uintptr_t)bindings[0]->own());
    }
}

#else
static void host_serves(void) {
    void *block = hak_malloc(100);
    const Binding *first = load_binding("first.so"), *second = load_binding("second.so");
    REQUIRE(asked(first) == hak_published());
    REQUIRE(asked(second) == hak_published());
    REQUIRE(asked(first)->free_if_owned(block) == 1);
    require_same_blocks(first, second);
}

/* Linked, not used yet: it comes before what is loaded. */
static void host_at_rest_serves(void) {
    const Binding *first = load_binding("first.so");
    REQUIRE(asked(first) == hak_published());
    void *block = hak_malloc(100);
    REQUIRE(asked(first)->free_if_owned(block) == 1);
}
#endif

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
#ifdef HOST_HAS_CORE
    {"host_serves", host_serves},
    {"host_at_rest_serves", host_at_rest_serves},
#else
    {"first_loaded_serves", first_loaded_serves},
    {"first_loaded_serves_among_global_ones", first_loaded_serves_among_global_ones},
    {"one_that_serves_stays", one_that_serves_stays},
    {"another_version_is_refused", another_version_is_refused},
    {"another_version_at_rest_is_passed_by", another_version_at_rest_is_passed_by},
    {"all_at_once_agree", all_at_once_agree},
#endif
};

int main(int count, char **arguments) {
    REQUIRE(count == 3);
    folder = arguments[2];
    for (size_t index = 0; index < sizeof scenarios / sizeof *scenarios; index++) {
        if (strcmp(scenarios[index].name, arguments[1]) != 0) continue;
        scenarios[index].run();
        return 0;
    }
    fprintf(stderr, "no scenario %s\n", arguments[1]);
    return 1;
}
