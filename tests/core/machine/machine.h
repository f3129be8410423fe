/*
 * machine/machine.h - a machine for the core alone: its threads, its clock, its kernel calls and its start are the
 * test's.
 *
 * The core is the real one, in a library of its own, with an address window of a few SuperSlabs and with internal
 * checks. Its calls of platform/os.h come here (os_calls.c): memory is a cheaper kind of the kernel's (memory.h),
 * each call may be refused, threads are fibers (threads.h). machine_start gives a core that has served nobody, at the
 * cost of a copy. So a run is a function of its bytes alone.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct MachineStart {
    size_t os_page_bytes;    /* 4096, 16384 or 65536 */
    unsigned debug;          /* the option, 0 to 2 */
    bool is_align_16;        /* option align=16 */
    unsigned huge_pages;     /* option thp: 0 never, 1 auto, 2 always */
    unsigned environment;    /* 0: the core has started; else further variables, and its first request starts it */
    bool has_barrier;        /* the kernel has membarrier */
    bool has_huge_pages;     /* the kernel gives huge pages */
    bool is_slow_to_clear;   /* the first touch of a huge page takes long */
    bool is_clock_near_wrap; /* the lower half of os_now_ms wraps soon */
    bool is_memory_kernels;  /* not the arenas' (memory.h) */
    bool has_one_thread;     /* as far as the C library knows */
    bool is_guest;           /* the process lives in another one's memory */
    size_t misaligned_bytes; /* of mappings that the kernel places, against 2 MiB */
} MachineStart;

/* From outside of all threads. */
void machine_start(const MachineStart *start);

/* How many lines the core says when it reads its environment. */
unsigned machine_start_lines(const MachineStart *start);

/* The memory of the core goes, whatever lives in it. */
void machine_stop(void);

/* ---- What the kernel refuses ---- */

enum {
    REFUSE_MAP = 1,
    REFUSE_UNMAP = 2,
    REFUSE_PURGE = 4,
    REFUSE_MOVE = 8,
    REFUSE_THREAD = 16,
    REFUSE_HINT = 32,
    REFUSE_EXTEND = 64,
    REFUSE_LOCKED = 128 /* an extension, because a part is locked */
};

/* Of the calls of these kinds the first `passed` pass, and the next `refused` fail. */
void machine_refuse(unsigned kinds, unsigned passed, unsigned refused);
uint64_t machine_refusals(void); /* so far */

/* An unmap was refused since the start; where the core cannot use such memory, it counts it no more. */
bool machine_has_kept_mapped(void);

/* ---- What the core says ---- */

/* From here on lines of the core are expected, or are a finding. Returns their number so far. */
uint64_t machine_expect_lines(bool are_expected);

/* ---- In a thread ---- */

/* What happens when a thread ends: the core's hook runs, then `later`, as the destructor of another key would, and
 * both again while the hook is armed, `rounds` times at most. A new thread goes on. */
void machine_end_thread(unsigned rounds, void (*later)(void *context), void *context);

/* A fork with the core's hooks; the caller goes on as parent, or as child, without the other threads. True: one of
 * these was in the middle of something. */
bool machine_fork(bool is_child);

/* The caller goes on as the child of a clone without hooks. The other threads are idle. */
void machine_clone(void);

/* `run` is interrupted at its `place`-th place where a switch is possible, if it has so many, by the handler of a
 * signal, which forks unless other threads are in the middle of something; the caller goes on as parent or as child.
 * True: as the child. */
bool machine_interrupt(unsigned place, bool is_child, void (*run)(void *context), void *context);

#endif
