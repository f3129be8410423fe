/*
 * helper_sizes.pml - how many threads of each kind a run of helper.pml has, unless the run says so.
 */
#ifndef CALLERS
#define CALLERS 1
#endif
#ifndef FREES
#define FREES 2
#endif
#ifndef STOPS
#define STOPS 0
#endif
#ifndef QUIESCES
#define QUIESCES 0
#endif
#ifdef RAW_CHILD
#define TRIMS 1
#else
#define TRIMS 0
#endif
#define THREADS (CALLERS + STOPS + TRIMS + (QUIESCES + 1) / 2)
