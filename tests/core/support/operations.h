/*
 * support/operations.h - a record as an operation of the whole public interface, compared with a reference.
 *
 * Every record is valid. The reference checks: patterns, alignment, sizes, no overlap, calloc is zero, live bytes and
 * blocks exact, accounts of heaps exact and their refusals foreseen, NULL only where a limit or the machine refuses,
 * errno, no line from the core but for misuse, hak_check finds nothing, nothing is left at the end. Of hooks: whether
 * the core or the previous allocator serves, what that one is asked for, and the counts of both.
 */
#ifndef SUPPORT_OPERATIONS_H
#define SUPPORT_OPERATIONS_H

#include "support/record.h"
#include "support/reference.h"

/* What a test can do to the core beside calling it. */
typedef struct Surroundings {
    void (*refuse)(unsigned kinds, unsigned passed, unsigned refused); /* calls of the OS; the kinds are bits */
    uint64_t (*refusals)(void);                                        /* number of refused calls */
    uint64_t (*expect_lines)(bool are_expected);                       /* returns the number of lines so far */
    void (*pass_time)(unsigned milliseconds);
    void (*end_thread)(unsigned rounds, void (*later)(void *context), void *context);
    bool (*fork)(bool is_child); /* true: threads were lost in the middle of something */
    void (*clone)(void);
    bool (*interrupt)(unsigned place, bool is_child, void (*run)(void *context), void *context); /* true: the child */
    uint64_t (*switches)(void); /* the same number twice: nobody else did anything in between */
} Surroundings;

/* A thread that runs operations. */
typedef struct Actor {
    Reference *reference;
    const Surroundings *surroundings; /* NULL: a process as any; operations that need more do nothing */
} Actor;

typedef struct Operation {
    unsigned char share; /* of 256 */
    const char *name;
    void (*run)(Actor *actor, const Record *record);
    bool is_alone; /* the other threads are outside meanwhile, and until it is done */
} Operation;

/* The operation of a record. */
const Operation *operation_of(const Record *record);

/* Runs a stream of records while other threads may do the same, and compares all at its end. In place of an operation
 * that has to be alone it calls hak_check. */
void operations_run_stream(Actor *actor, const uint8_t *stream, size_t records);

/* ---- At the start and at the end, while no other thread is inside ---- */

/* Nothing lives. `hooks` is for operations_hook. The figures of the process begin at 0. */
void operations_begin(Actor *actor, size_t os_page_bytes, unsigned hooks);

/* The core's functions go into a runtime's table, once in a process. Of `choice` two bits for each entry are 3 where it
 * is not served, the next two are the mode; 0: none is set, which is HAK_HOOK_PASS. */
void operations_hook(unsigned choice);
void operations_set_hook_mode(unsigned number);

/* All that lives is freed, after figures and invariants were compared. */
void operations_end(Actor *actor);

/* Afterwards, when the threads that took part have ended or flushed: nothing is left. */
void operations_require_nothing(Actor *actor);

/* As operations_end, without a comparison. */
void operations_free_all(Actor *actor);

void operations_reset_options(void);

#endif
