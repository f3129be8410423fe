/*
 * support/sandbox.h - system calls that are answered and not done, to the end of the process: a sandbox forbids them,
 * an old kernel does not know them, an emulator only says that it did them. Tests call it in a child.
 */
#ifndef SUPPORT_SANDBOX_H
#define SUPPORT_SANDBOX_H

#include <stdint.h>

/* `answer` is an errno, or 0: the call seems to succeed. */
void sandbox_answer(uint32_t call, uint32_t answer);

/* Of this call those alone whose argument of that number, counted from 0, has this value; and all but those. */
void sandbox_answer_where(uint32_t call, unsigned argument, uint32_t value, uint32_t answer);
void sandbox_answer_unless(uint32_t call, unsigned argument, uint32_t value, uint32_t answer);

#endif
