/*
 * account.pml - one thread counts in an account with plain stores, until another one comes and they share it.
 *
 * Models an account with its hard limit, and THREADS threads with a heap each. The first thread counts alone at the
 * start. Each thread allocates a block or frees one, by the fast path or by the slow one (account_thread.pml). The
 * memory of the first thread is that of store_buffer.pml; the others' is sequentially consistent. With -DTIMES_OUT the
 * wait for the former user may end too early, and the kernel may refuse the barrier. With -DSLOW_PATHS no request takes
 * the fast path, and with -DSEQUENTIAL the memory of the first thread is like that of the others.
 *
 * Leaves out: the soft limit, ceiling_bytes and watch_bytes (either path may be taken at any time), the peak, blocks
 * beside bytes (each block has one byte), how often a thread comes before it claims: it may do so each time, until
 * that was tried CLAIMS times.
 *
 * Checked: no count is lost. The hard limit holds, unless the wait was over too early, and no thread that shares sees
 * more in the account than that. No free of a block that is held is reported as misuse. Nobody waits for ever.
 *
 * OPERATIONS of each thread: how many. MUTATION_...: a step is left out or changed.
 */
#ifndef THREADS
#define THREADS 2
#endif
#ifndef OPERATIONS
#define OPERATIONS 2
#endif
#ifndef CLAIMS
#define CLAIMS 1
#endif
#define LIMIT 2
#define NOBODY 255

#define MALLOCS(number) (4 * (number))
#define MALLOCS_DONE(number) (4 * (number) + 1)
#define FREES(number) (4 * (number) + 2)
#define FREES_DONE(number) (4 * (number) + 3)
#define VARIABLE_USER (4 * THREADS)
#define VARIABLE_USED (4 * THREADS + 1)
#define VARIABLE_GIVEN (4 * THREADS + 2)
#define VARIABLES (4 * THREADS + 3)
#define EARLY_ONE VARIABLE_USER
#define EARLY_TWO VARIABLE_USED

#include "store_buffer.pml"

bit list_lock;
byte former = NOBODY;
byte generation = 1; /* odd: one counts alone, or claims */
byte claims_left = CLAIMS;
bit is_former_findable;
short shared;

byte held;   /* blocks that the program has */
byte own;    /* of them: that the first thread has */
byte theirs; /* that any thread may free */
byte taken;  /* by the other threads, of those that the first thread has given to them: memory says how many */
bit is_wait_cut;
byte ended;

#ifdef TIMES_OUT
#define HARD_LIMIT_HOLDS (held <= LIMIT || is_wait_cut)
#define SEEN_WITHIN_LIMIT (used + seen_shared <= LIMIT || is_wait_cut)
#else
#define HARD_LIMIT_HOLDS (held <= LIMIT)
#define SEEN_WITHIN_LIMIT (used + seen_shared <= LIMIT)
#endif

#include "account_user.pml"
#include "account_thread.pml"

proctype end_state() {
    atomic {
        ended == THREADS && buffer_count == 0;
        assert(!list_lock);
        assert(memory[VARIABLE_USED] + shared == held)
    }
}

init {
    atomic {
        memory[VARIABLE_USER] = 0;
        memory[VARIABLE_USED] = 1;
        held = 1;
#ifdef SEQUENTIAL
        theirs = 1;
#else
        if :: own = 1 :: theirs = 1 fi;
#endif
        run processor();
        run thread(0);
        run thread(1);
#if THREADS == 3
        run thread(2);
#endif
        run end_state()
    }
}
