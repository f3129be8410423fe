/*
 * runtime.h - a language runtime as the shared scenarios see it: its allocator, without and with hakmem. An adapter
 * (python.c, lua.c, libc.c) fills it in, and calls contract_run.
 */
#ifndef CONTRACT_RUNTIME_H
#define CONTRACT_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct Runtime {
    /* The runtime begins, in the main thread, on the allocator that it has without hakmem. is_unsafe: in a state in
     * which the binding must refuse. */
    void (*begin)(bool is_unsafe);
    /* Switches hakmem on and off. enable: false after one line that says why not. disable NULL: there is no switch. */
    bool (*enable)(void);
    void (*disable)(void);
    /* A thread, other than the main one, begins and ends to use what is below. */
    void (*begin_thread)(void);
    void (*end_thread)(void);
    /* Any thread: it lets the others of the runtime go on, and goes on itself. */
    void (*pause)(void);
    void (*go_on)(void);

    /* The runtime's requests, as its own code makes them. make and resize return NULL where they are refused. */
    void *(*make)(size_t bytes);
    void *(*resize)(void *block, size_t bytes, size_t new_bytes);
    void (*drop)(void *block, size_t bytes);
    /* A block that hakmem did not make; called before enable. */
    void *(*make_foreign)(size_t bytes);

    /* fork, with what the runtime does around it. */
    pid_t (*fork_process)(void);
    /* Hakmem serves before the program begins. */
    bool is_served_at_start;
    /* The former allocator has its large blocks from the system, not from malloc. */
    bool has_own_heap;
    /* Another thread may drop a block than the one that made it, also after that one has ended. */
    bool has_shared_blocks;
} Runtime;

/* Runs a scenario and ends the process: 0, or 1 after a line that says what does not hold, and where. */
_Noreturn void contract_run(const Runtime *runtime, int count, char **words);

#endif
