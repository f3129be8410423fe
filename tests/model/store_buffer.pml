/*
 * store_buffer.pml - the memory of one thread that others read without its lock: its stores are delayed, and on a
 * weak machine its loads are early. Included by models that say what the variables are, and which of them are loaded
 * early (EARLY_ONE and so on).
 *
 * Default: total store order (x86-64). Stores leave the buffer in the order in which the thread made them. -DWEAK: a
 * machine like aarch64. Stores leave in any order, but those to one variable in theirs, and a release store after all
 * stores before it. A load may be made early, at any time since the thread's last barrier or lock.
 *
 * A buffer holds BUFFER_STORES stores, as many as the owner makes in two requests; the thread waits while it is full.
 * What the other threads store goes to memory at once: locks order it, or the model says why.
 */
#define BUFFER_STORES 8
#define PLAIN 0
#define RELEASE 1

byte memory[VARIABLES];
byte buffer_variable[BUFFER_STORES];
byte buffer_value[BUFFER_STORES];
bit buffer_release[BUFFER_STORES];
byte buffer_count;
#ifdef WEAK
byte early_value[VARIABLES];
bit is_early[VARIABLES];
#endif

/* The newest store of the thread itself, else a load that was made early, else memory. */
inline load(variable, into) {
    d_step {
        into = memory[variable];
#ifdef WEAK
        if :: is_early[variable] -> into = early_value[variable] :: else fi;
        is_early[variable] = 0;
        early_value[variable] = 0;
#endif
        at = 0;
        do
        :: at < buffer_count ->
            if :: buffer_variable[at] == variable -> into = buffer_value[at] :: else fi;
            at++
        :: else -> break
        od;
        at = 0
    }
}

inline store(variable, value, order) {
    d_step {
        buffer_count < BUFFER_STORES;
        buffer_variable[buffer_count] = variable;
        buffer_value[buffer_count] = value;
        buffer_release[buffer_count] = order;
        buffer_count++;
#ifdef WEAK
        is_early[variable] = 0;
        early_value[variable] = 0;
#endif
    }
}

/* Within a d_step, with `at` and `other` of the process: the store at index `at` reaches memory. */
inline leave_buffer() {
    memory[buffer_variable[at]] = buffer_value[at];
    buffer_count--;
    do
    :: at < buffer_count ->
        buffer_variable[at] = buffer_variable[at + 1];
        buffer_value[at] = buffer_value[at + 1];
        buffer_release[at] = buffer_release[at + 1];
        at++
    :: else -> break
    od;
    buffer_variable[at] = 0;
    buffer_value[at] = 0;
    buffer_release[at] = 0;
    at = 0
}

inline forget_early_loads() {
#ifdef WEAK
    at = 0;
    do :: at < VARIABLES -> is_early[at] = 0; early_value[at] = 0; at++ :: else -> break od;
    at = 0
#else
    skip
#endif
}

/* step: os_barrier_in_all_threads
 * A point in the thread's program: all stores before it are seen by all, no load behind it was made before. */
inline barrier_in_all_threads() {
    d_step {
        do :: buffer_count > 0 -> leave_buffer() :: else -> break od;
        forget_early_loads()
    }
}

#ifdef WEAK
/* The store at index `at` may leave: no earlier one is to the same variable, and none is left if it is a release. */
inline choose_leaving_store() {
    at = 0;
    do :: at + 1 < buffer_count -> at++ :: break od;
    is_leaving = (at == 0 || !buffer_release[at]);
    other = 0;
    do
    :: other < at ->
        if :: buffer_variable[other] == buffer_variable[at] -> is_leaving = 0 :: else fi;
        other++
    :: else -> break
    od;
    other = 0
}

/* Not a load of what the thread itself has stored: it sees its own stores. */
inline load_early(variable) {
    at = 0;
    do :: at < buffer_count && buffer_variable[at] != variable -> at++ :: else -> break od;
    if
    :: at == buffer_count -> is_early[variable] = 1; early_value[variable] = memory[variable]
    :: else
    fi;
    at = 0
}
#endif

/* Stores leave the buffer, and loads are made early, whenever it pleases the processor. */
proctype processor() {
    byte at;
#ifdef WEAK
    byte other;
    bit is_leaving;
#endif
end:
    do
#ifdef WEAK
    :: atomic {
           buffer_count > 0;
           choose_leaving_store();
           if :: is_leaving -> is_leaving = 0; d_step { leave_buffer() } :: else -> at = 0 fi
       }
    :: d_step { !is_early[EARLY_ONE] -> load_early(EARLY_ONE) }
    :: d_step { !is_early[EARLY_TWO] -> load_early(EARLY_TWO) }
#ifdef EARLY_THREE
    :: d_step { !is_early[EARLY_THREE] -> load_early(EARLY_THREE) }
#endif
#else
    :: d_step { buffer_count > 0 -> leave_buffer() }
#endif
    od
}
