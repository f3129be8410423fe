/*
 * figures.h - the stats as text.
 *
 * Layer: bindings/libc.
 */
#ifndef HAKMEM_LIBC_FIGURES_H
#define HAKMEM_LIBC_FIGURES_H

#include <stdio.h>

/* A table of one line per figure. */
void figures_print(FILE *stream);

#endif
