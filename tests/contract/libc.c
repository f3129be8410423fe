/*
 * libc.c - the C library's malloc as a runtime: what is preloaded serves it from the start.
 *
 *     libc SCENARIO
 */
#include <stdlib.h>
#include <unistd.h>

#include "core_table.h"
#include "runtime.h"

extern void *__libc_malloc(size_t bytes);

/* The compiler knows what malloc and free do. */
static void *hidden(void *address) {
    void *volatile copy = address;
    return copy;
}

static void *make(size_t bytes) { return hidden(malloc(bytes)); }
static void *resize(void *block, size_t bytes, size_t new_bytes) {
    (void)bytes;
    return hidden(realloc(block, new_bytes));
}
static void drop(void *block, size_t bytes) {
    (void)bytes;
    free(hidden(block));
}

/* The library has said why not, when it was loaded. */
static bool is_served(void) {
    void *block = make(100);
    bool is_ours = core_owns(block);
    drop(block, 100);
    return is_ours;
}

static void begin(bool is_unsafe) { (void)is_unsafe; }
static void nothing(void) {}

int main(int count, char **words) {
    static const Runtime runtime = {
        .begin = begin,
        .enable = is_served,
        .begin_thread = nothing,
        .end_thread = nothing,
        .pause = nothing,
        .go_on = nothing,
        .make = make,
        .resize = resize,
        .drop = drop,
        .make_foreign = __libc_malloc,
        .fork_process = fork,
        .is_served_at_start = true,
        .has_shared_blocks = true,
    };
    contract_run(&runtime, count, words);
}
