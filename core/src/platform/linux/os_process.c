/*
 * platform/linux/os_process.c - whether this process is the one that the core's state tells of.
 *
 * Layer: platform. Does not know heaps. Thread rule: any thread.
 *
 * A process that has a copy of the state (fork, _Fork, clone) finds its mark wiped by the kernel. One that runs in the
 * memory of another (vfork, clone with CLONE_VM) finds the mark as it was, and the number of another process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "platform/linux/os_call.h"
#include "platform/os.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

typedef enum MarkState { MARK_WIPED, MARK_BEING_CLAIMED, MARK_CLAIMED } MarkState;

typedef struct Mark {
    _Atomic uint32_t state;      /* a MarkState */
    _Atomic uint32_t process_id; /* who has claimed it; 0: not asked */
} Mark;

/* Where the kernel does not wipe (before Linux 4.14) the mark stays this one, and children are not told. */
static Mark unwiped = {MARK_CLAIMED, 0};
static Mark *_Atomic process_mark = &unwiped;

static uint32_t process_id_now(void) { return os_calls_are_plain ? 0 : (uint32_t)OS_CALL(SYS_getpid); }

void os_process_mark(void) {
    if (LOAD_RELAXED(process_mark) != &unwiped) return;
    int saved = errno;
    Mark *mark = mmap(NULL, os_page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool is_mapped = mark != MAP_FAILED;
    if (is_mapped && madvise(mark, os_page_bytes, MADV_WIPEONFORK) == 0) {
        STORE_RELAXED(mark->process_id, process_id_now());
        STORE_RELAXED(mark->state, MARK_CLAIMED);
        atomic_store(&process_mark, mark);
    } else if (is_mapped) {
        (void)munmap(mark, os_page_bytes);
    }
    errno = saved;
}

bool os_process_is_copy(void) { return LOAD_RELAXED(LOAD_RELAXED(process_mark)->state) == MARK_WIPED; }

bool os_process_is_guest(void) {
    uint32_t owner = LOAD_RELAXED(LOAD_RELAXED(process_mark)->process_id);
    return owner != 0 && owner != process_id_now();
}

bool os_process_claim_inherited(void) {
    Mark *mark = LOAD_RELAXED(process_mark);
    for (uint32_t state; HAK_UNLIKELY((state = atomic_load(&mark->state)) != MARK_CLAIMED);) {
        if (state == MARK_WIPED && atomic_compare_exchange_strong(&mark->state, &state, MARK_BEING_CLAIMED))
            return true;
        if (state == MARK_BEING_CLAIMED) os_wait(&mark->state, MARK_BEING_CLAIMED);
    }
    return false;
}

void os_process_claim_end(void) {
    Mark *mark = LOAD_RELAXED(process_mark);
    STORE_RELAXED(mark->process_id, process_id_now());
    atomic_store(&mark->state, MARK_CLAIMED);
    os_wake(&mark->state);
}
