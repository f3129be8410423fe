/*
 * machine/fiber.c - fibers by ucontext.
 */
#define _GNU_SOURCE
#include "machine/fiber.h"

#include <sys/mman.h>

#include "machine/sanitizer.h"
#include "support/require.h"

enum { STACK_BYTES = 256 << 10, GUARD_BYTES = 64 << 10 };

static ucontext_t outside;
static const void *outside_bottom;
static size_t outside_bytes;
static Fiber *starting;

static void fiber_main(void) {
    Fiber *fiber = starting;
    __sanitizer_finish_switch_fiber(NULL, &outside_bottom, &outside_bytes);
    for (;;) {
        fiber->run(fiber->argument);
        fiber->is_over = true;
        fiber_leave(fiber);
    }
}

static void make_stack(Fiber *fiber) {
    char *memory = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    REQUIRE_EQUAL(mprotect(memory, GUARD_BYTES, PROT_NONE), 0);
    fiber->stack = memory + GUARD_BYTES;
}

static void make_context(Fiber *fiber) {
    fiber->sanitizer_stack = NULL;
    REQUIRE_EQUAL(getcontext(&fiber->context), 0);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, fiber_main, 0);
}

/* A fiber that is over goes on in fiber_main, with the next function. */
void fiber_begin(Fiber *fiber, void (*run)(void *argument), void *argument) {
    if (fiber->stack == NULL) make_stack(fiber);
    if (!fiber->is_over) make_context(fiber);
    fiber->run = run;
    fiber->argument = argument;
    fiber->is_over = false;
}

void fiber_enter(Fiber *fiber) {
    void *own_stack = NULL;
    starting = fiber;
    __sanitizer_start_switch_fiber(&own_stack, fiber->stack, (size_t)STACK_BYTES);
    REQUIRE_EQUAL(swapcontext(&outside, &fiber->context), 0);
    __sanitizer_finish_switch_fiber(own_stack, NULL, NULL);
}

void fiber_leave(Fiber *fiber) {
    __sanitizer_start_switch_fiber(&fiber->sanitizer_stack, outside_bottom, outside_bytes);
    REQUIRE_EQUAL(swapcontext(&fiber->context, &outside), 0);
    __sanitizer_finish_switch_fiber(fiber->sanitizer_stack, &outside_bottom, &outside_bytes);
}
