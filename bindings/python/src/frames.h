/*
 * frames.h - hides the launcher's own Python frames while a program runs.
 *
 * Layer: bindings/python, bottom. Knows CPython's thread state and nothing else.
 * Thread rule: with the GIL held, both calls on the same thread; pairs nest.
 */
#ifndef HAKMEM_PYTHON_FRAMES_H
#define HAKMEM_PYTHON_FRAMES_H

typedef struct HiddenFrames {
    void *top_frame;
    int used_recursion; /* nested Python calls that counted against the recursion limit */
} HiddenFrames;

/* Hides the calling thread's frames from sys._getframe, traceback.print_stack and the stacklevel of warnings, and
 * takes them off its recursion count. Does nothing on a CPython whose thread state frames.c does not know. */
HiddenFrames frames_hide(void);

/* Shows and counts them again. */
void frames_restore(HiddenFrames hidden);

#endif
