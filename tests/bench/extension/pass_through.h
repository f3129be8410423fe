/*
 * pass_through.h - a hook that does nothing but forward: the floor of what any hook costs.
 */
#ifndef BENCH_PASS_THROUGH_H
#define BENCH_PASS_THROUGH_H

/* Wraps the mem and obj domains, for ever. */
void pass_through_install(void);

#endif
