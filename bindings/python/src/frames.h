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
    int used_recursion;
} HiddenFrames;

/* From here on the caller's frames are neither seen (sys._getframe, traceback.print_stack, warnings' stacklevel) nor
 * counted (sys.getrecursionlimit). Does nothing on a CPython whose thread state is not known here. */
HiddenFrames frames_hide(void);

void frames_restore(HiddenFrames hidden);

#endif
