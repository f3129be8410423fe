/*
 * frames.c - hides the launcher's own Python frames while a program runs.
 *
 * Layer: bindings/python, bottom. Knows CPython's thread state and nothing else. Thread rule: see frames.h.
 *
 * When `python` starts a program, the thread's `current_frame` is NULL; from 3.15 on it is the thread's base frame,
 * which the interpreter owns and does not show. frames_hide sets this state. The C functions called in between
 * (PyRun_..., PyErr_Print) can cope with it, since CPython's main calls them in it. The evaluation of the program
 * restores it at the end, and frames_restore the launcher's frame.
 *
 * In free-threaded builds both functions do nothing: their garbage collector walks the frames of every thread.
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

/* Number of nested Python calls that count against the recursion limit. */
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
