/*
 * frames.c - hides the launcher's own Python frames while a program runs.
 *
 * Layer: bindings/python, bottom. Knows CPython's thread state and nothing else. Thread rule: see frames.h.
 *
 * Why: a program that `python` starts has no frame below its own: when its evaluation begins, `current_frame` is NULL
 * or, from 3.15 on, the thread's base frame, which belongs to the interpreter and is not shown. So that is what it is
 * for the duration; C code between (PyRun_..., PyErr_Print) is written for it, because CPython's own main calls it so.
 * Evaluation restores what it found when it ends.
 * Free-threaded builds are left alone: their garbage collector walks the frames of every thread.
 */
#include "frames.h"

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if PY_VERSION_HEX < 0x030B0000
#define FRAMES_KNOWN 1
#define TOP_FRAME(state) ((state)->frame)
#elif PY_VERSION_HEX < 0x030D0000
#define FRAMES_KNOWN 1
#define TOP_FRAME(state) ((state)->cframe->current_frame)
#elif PY_VERSION_HEX < 0x03100000 && !defined(Py_GIL_DISABLED)
#define FRAMES_KNOWN 1
#define TOP_FRAME(state) ((state)->current_frame)
#else
#define FRAMES_KNOWN 0
#endif

#if FRAMES_KNOWN

#if PY_VERSION_HEX < 0x030F0000
#define NO_FRAME(state) NULL
#else
#define NO_FRAME(state) ((state)->base_frame)
#endif

static int used_recursion(const PyThreadState *state) {
#if PY_VERSION_HEX < 0x030B0000
    return state->recursion_depth;
#elif PY_VERSION_HEX < 0x030C0000
    return state->recursion_limit - state->recursion_remaining;
#else
    return state->py_recursion_limit - state->py_recursion_remaining;
#endif
}

static void add_used_recursion(PyThreadState *state, int calls) {
#if PY_VERSION_HEX < 0x030B0000
    state->recursion_depth += calls;
#elif PY_VERSION_HEX < 0x030C0000
    state->recursion_remaining -= calls;
#else
    state->py_recursion_remaining -= calls;
#endif
}

HiddenFrames frames_hide(void) {
    PyThreadState *state = PyThreadState_Get();
    HiddenFrames hidden = {TOP_FRAME(state), used_recursion(state)};
    TOP_FRAME(state) = NO_FRAME(state);
    add_used_recursion(state, -hidden.used_recursion);
    return hidden;
}

void frames_restore(HiddenFrames hidden) {
    PyThreadState *state = PyThreadState_Get();
    TOP_FRAME(state) = hidden.top_frame;
    add_used_recursion(state, hidden.used_recursion);
}

#else

HiddenFrames frames_hide(void) { return (HiddenFrames){NULL, 0}; }

void frames_restore(HiddenFrames hidden) { (void)hidden; }

#endif
