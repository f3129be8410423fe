/*
 * machine/other_core.h - a core in another loaded object, which may serve the process before the core of the machine
 * has started.
 */
#ifndef MACHINE_OTHER_CORE_H
#define MACHINE_OTHER_CORE_H

typedef enum OtherCore {
    OTHER_NONE,    /* as far as the loader knows */
    OTHER_IDLE,    /* of another version, and nobody has asked it */
    OTHER_STARTED, /* of the same version: it serves. Its functions are those of the machine's core */
    OTHER_NEWER,   /* of another version: it serves, and every function that needs a core says so */
    OTHER_CORES
} OtherCore;

/* Asks for the core that serves, before the core has started. Afterwards there is no other one. */
void other_core_check(OtherCore other);

#endif
