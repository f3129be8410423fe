/*
 * machine/play.h - a stream of bytes on the machine: the first record says how the core starts, the others are
 * operations in turn, each by one of the threads.
 *
 * The byte `schedule` of a record: which thread; at which place in the core, of those where a switch is possible, it
 * is suspended; how many further records later it goes on at the latest.
 */
#ifndef MACHINE_PLAY_H
#define MACHINE_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Aborts where the core and the reference differ, or where the core has mapped more or less at the end than it counts.
 * `is_shown`: writes each record to stderr. */
void play(const uint8_t *bytes, size_t count, bool is_shown);

#endif
