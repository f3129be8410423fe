/*
 * machine/fiber.h - a function with a stack of its own that can be left in the middle and gone on with.
 */
#ifndef MACHINE_FIBER_H
#define MACHINE_FIBER_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Fiber {
    char *stack;    /* NULL: not made yet */
    bool is_new;    /* it has not begun */
    jmp_buf inside; /* where it was left */
    void (*run)(void *argument);
    void *argument;
    bool is_over;
    void *sanitizer_stack; /* AddressSanitizer's, while the fiber is left */
} Fiber;

/* The fiber begins `run(argument)` when it is entered next; what it was doing is forgotten. */
void fiber_begin(Fiber *fiber, void (*run)(void *argument), void *argument);

/* From outside: runs the fiber until it leaves or is over. */
void fiber_enter(Fiber *fiber);

/* From inside: goes back to who entered it. */
void fiber_leave(Fiber *fiber);

#endif
