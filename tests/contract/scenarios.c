/*
 * scenarios.c - what every binding has to do, said once: docs/adding-a-runtime.md has the clauses.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../rendezvous/binding.h"
#include "../require.h"
#include "blocks.h"
#include "core_table.h"
#include "many.h"

static void require_served(const Runtime *runtime, bool is_served) {
    for (size_t index = 0; index < SIZES; index++) {
        Block block;
        REQUIRE(block_make(runtime, &block, size_number(index)));
        REQUIRE(core_owns(block.address) == is_served);
        block_drop(runtime, &block);
    }
}

static void begin_and_enable(const Runtime *runtime) {
    runtime->begin(false);
    REQUIRE(runtime->enable());
    require_served(runtime, true);
}

/* ---- Blocks of others ---- */

/* Needs passing_malloc.c preloaded, from which a former allocator has its large blocks. Smaller ones may come from a
 * pool of its own. */
enum { LARGE_BYTES = 1024 };

static void foreign(const Runtime *runtime) {
    enum { WAYS = 4 };
    static Block blocks[SIZES][WAYS];
    unsigned long (*frees)(void), large_count = 0;
    *(void **)&frees = dlsym(RTLD_DEFAULT, "passing_malloc_frees");
    REQUIRE(frees != NULL);
    runtime->begin(false);
    for (size_t index = 0; index < SIZES; index++)
        for (size_t way = 0; way < WAYS; way++)
            block_fill(&blocks[index][way], runtime->make_foreign(size_number(index)), size_number(index));
    REQUIRE(runtime->enable());
    require_served(runtime, true);
    unsigned long frees_before = frees();
    for (size_t index = 0; index < SIZES; index++) {
        Block *by_way = blocks[index];
        size_t bytes = by_way[0].bytes;
        if (bytes >= LARGE_BYTES) large_count += WAYS;
        for (size_t way = 0; way < WAYS; way++) REQUIRE(!core_owns(by_way[way].address));
        REQUIRE(block_resize(runtime, &by_way[0], bytes * 3));
        REQUIRE(block_resize(runtime, &by_way[1], bytes / 2 + 1));
        REQUIRE(block_resize(runtime, &by_way[2], bytes * 2) && block_resize(runtime, &by_way[2], bytes * 4));
        for (size_t way = 0; way < WAYS; way++) block_drop(runtime, &by_way[way]);
    }
    REQUIRE(runtime->has_own_heap || frees() - frees_before >= large_count);
    core_require_whole();
}

static void off_and_on(const Runtime *runtime) {
    static Block ours[SIZES], theirs[SIZES];
    begin_and_enable(runtime);
    for (size_t index = 0; index < SIZES; index++) REQUIRE(block_make(runtime, &ours[index], size_number(index)));
    runtime->disable();
    require_served(runtime, false);
    for (size_t index = 0; index < SIZES; index++) REQUIRE(block_make(runtime, &theirs[index], size_number(index)));
    for (size_t index = 0; index < SIZES; index++) {
        size_t bytes = ours[index].bytes;
        if (index % 3 == 1) REQUIRE(block_resize(runtime, &ours[index], bytes * 3));
        if (index % 3 == 2) REQUIRE(block_resize(runtime, &ours[index], bytes / 2 + 1));
        if (index % 2 == 0) block_drop(runtime, &ours[index]);
    }
    REQUIRE(runtime->enable());
    require_served(runtime, true);
    for (size_t index = 0; index < SIZES; index++) {
        if (index % 3 == 1) REQUIRE(block_resize(runtime, &theirs[index], theirs[index].bytes * 3));
        block_drop(runtime, &ours[index]);
        block_drop(runtime, &theirs[index]);
    }
    core_require_whole();
}

/* ---- Refusal ---- */

static void refuse(const Runtime *runtime, bool is_unsafe) {
    Block before;
    runtime->begin(is_unsafe);
    REQUIRE(block_make(runtime, &before, 1000));
    REQUIRE(!runtime->enable());
    require_served(runtime, false);
    REQUIRE(block_resize(runtime, &before, 3000));
    block_drop(runtime, &before);
}

static void unsafe_state(const Runtime *runtime) { refuse(runtime, true); }

/* ---- Other cores ---- */

static void *loaded(const char *path) {
    void *object = dlopen(path, RTLD_NOW);
    if (object == NULL) fprintf(stderr, "%s\n", dlerror());
    REQUIRE(object != NULL);
    return object;
}

/* A core of another version serves before the binding comes. */
static void other_version(const Runtime *runtime) {
    (void)loaded(getenv("CONTRACT_OTHER"));
    refuse(runtime, false);
}

/* Another binding, with a core inside, has begun before, or comes behind: the core that serves is one for both. */
static void second_core(const Runtime *runtime) {
    BindingOpen open_other;
    *(void **)&open_other = dlsym(loaded(getenv("CONTRACT_OTHER")), BINDING_OPEN);
    REQUIRE(open_other != NULL);
    const Binding *other = open_other();
    const hak_core_t *core = runtime->is_served_at_start ? other->ask(NULL, 0) : other->own();
    void *its_block = core->malloc(100);
    REQUIRE(other->ask(NULL, 0) == core);
    begin_and_enable(runtime);
    REQUIRE(core_that_serves() == core); /* and no other has started */
    Block block;
    REQUIRE(block_make(runtime, &block, 100) && core->owns(block.address));
    block_drop(runtime, &block);
    core->free(its_block);
    core_require_whole();
}

/* ---- Misuse: the caller reads stderr ---- */

static void freed_twice(const Runtime *runtime) {
    begin_and_enable(runtime);
    void *keeper = runtime->make(100), *block = runtime->make(100);
    runtime->drop(block, 100);
    runtime->drop(block, 100);
    runtime->drop(keeper, 100);
    puts("goes on");
}

static void freed_inside(const Runtime *runtime) {
    begin_and_enable(runtime);
    char *keeper = runtime->make(100), *block = runtime->make(100);
    runtime->drop(block + 16, 84);
    runtime->drop(block, 100);
    runtime->drop(keeper, 100);
    puts("goes on");
}

/* ---- What a binding must not do ---- */

enum { ERRNO_MARK = 4711, DESCRIPTORS = 64, SIGNALS = 32 };

typedef struct Surroundings {
    bool is_open[DESCRIPTORS];
    void (*handler[SIGNALS])(int);
    char *variable; /* one that is there */
} Surroundings;

static Surroundings surroundings_now(void) {
    Surroundings now = {.variable = getenv("PATH")};
    for (int number = 0; number < DESCRIPTORS; number++) now.is_open[number] = dup2(number, number) == number;
    for (int number = 1; number < SIGNALS; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0) now.handler[number] = action.sa_handler;
    }
    return now;
}

/* As the tests start a program. */
static Surroundings surroundings_at_start(void) {
    Surroundings start = {.variable = getenv("PATH")};
    for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++) start.is_open[number] = true;
    return start;
}

static void errno_is_kept(const Runtime *runtime) {
    for (size_t index = 0; index < SIZES; index++) {
        size_t bytes = size_number(index);
        errno = ERRNO_MARK;
        void *block = runtime->make(bytes);
        block = runtime->resize(block, bytes, bytes * 3);
        block = runtime->resize(block, bytes * 3, bytes);
        runtime->drop(block, bytes);
        REQUIRE(errno == ERRNO_MARK);
    }
}

static void leaves_alone(const Runtime *runtime) {
    runtime->begin(false);
    Surroundings before = runtime->is_served_at_start ? surroundings_at_start() : surroundings_now();
    REQUIRE(runtime->enable());
    require_served(runtime, true);
    REQUIRE(blocks_work(runtime) == 0);
    Surroundings after = surroundings_now();
    REQUIRE(memcmp(before.is_open, after.is_open, sizeof before.is_open) == 0);
    REQUIRE(memcmp(before.handler, after.handler, sizeof before.handler) == 0);
    REQUIRE(before.variable == after.variable);
    errno_is_kept(runtime);
}

/* ---- The one that is asked for ---- */

static const struct {
    const char *name;
    void (*run)(const Runtime *runtime);
} scenarios[] = {
    {"foreign", foreign},           {"off_and_on", off_and_on},
    {"unsafe_state", unsafe_state}, {"other_version", other_version},
    {"second_core", second_core},   {"freed_twice", freed_twice},
    {"freed_inside", freed_inside}, {"leaves_alone", leaves_alone},
    {"threads", many_threads},      {"forks", many_forks},
    {"faults", many_faults},
};

void contract_run(const Runtime *runtime, int count, char **words) {
    REQUIRE(count == 2);
    for (size_t index = 0; index < sizeof scenarios / sizeof *scenarios; index++) {
        if (strcmp(scenarios[index].name, words[1]) != 0) continue;
        scenarios[index].run(runtime);
        fflush(stdout);
        _exit(0);
    }
    fprintf(stderr, "there is no scenario %s\n", words[1]);
    _exit(2);
}
