/*
 * machine/fiber.c - ucontext makes a fiber, setjmp switches: swapcontext would ask the kernel for the signal mask.
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE /* whose longjmp refuses to go to another stack */
#include "machine/fiber.h"

#include <sys/mman.h>
#include <ucontext.h>

#include "machine/sanitizer.h"
#include "support/require.h"

enum { STACK_BYTES = 256 << 10, GUARD_BYTES = 64 << 10 };

static jmp_buf outside;
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

/* Both are static, because this function never returns: AddressSanitizer would not learn that its frame is over. It
 * learns from swapcontext that the fiber's stack is new. */
static void begin_on_stack(const Fiber *fiber) {
    static ucontext_t context, left;
    REQUIRE_EQUAL(getcontext(&context), 0);
    context.uc_stack.ss_sp = fiber->stack;
    context.uc_stack.ss_size = STACK_BYTES;
    context.uc_link = NULL;
    makecontext(&context, fiber_main, 0);
    REQUIRE_EQUAL(swapcontext(&left, &context), 0);
}

/* A fiber that is over goes on in fiber_main, with the next function. */
void fiber_begin(Fiber *fiber, void (*run)(void *argument), void *argument) {
    if (fiber->stack == NULL) make_stack(fiber);
    if (!fiber->is_over) fiber->is_new = true;
    fiber->run = run;
    fiber->argument = argument;
    fiber->is_over = false;
}

static void switch_to(Fiber *fiber) {
    if (!fiber->is_new) _longjmp(fiber->inside, 1);
    fiber->is_new = false;
    fiber->sanitizer_stack = NULL;
    begin_on_stack(fiber);
}

void fiber_enter(Fiber *fiber) {
    void *own_stack = NULL;
    starting = fiber;
    __sanitizer_start_switch_fiber(&own_stack, fiber->stack, (size_t)STACK_BYTES);
    if (_setjmp(outside) == 0) switch_to(fiber);
    __sanitizer_finish_switch_fiber(own_stack, NULL, NULL);
}

void fiber_leave(Fiber *fiber) {
    __sanitizer_start_switch_fiber(&fiber->sanitizer_stack, outside_bottom, outside_bytes);
    if (_setjmp(fiber->inside) == 0) _longjmp(outside, 1);
    __sanitizer_finish_switch_fiber(fiber->sanitizer_stack, &outside_bottom, &outside_bytes);
}
