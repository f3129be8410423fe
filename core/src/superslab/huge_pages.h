/*
 * superslab/huge_pages.h - which SuperSlabs get a huge page, and when they lose it.
 *
 * Layer: superslab. Does not know used bytes or bounds; retention/ knows whether the heap is dense. Thread rule:
 * any thread, with or without locks, unless a comment says otherwise.
 *
 * Gain: the fault of a huge page takes a third of the time of its OS pages' faults, and one call gives it back.
 * Cost: all of it is resident after the first touch, and it has to be split before a part of it is purged, or the
 * kernel keeps the memory.
 */
#ifndef HAK_SUPERSLAB_HUGE_PAGES_H
#define HAK_SUPERSLAB_HUGE_PAGES_H

#include "base/types.h"

/* thp=auto: whether the next new SuperSlab will soon be full. Holds for one SuperSlab. */
void huge_pages_expect_dense(bool is_dense);

/* Under the supply lock. Asks for a huge page for a new SuperSlab, if the option and the machine allow it; else
 * forbids it. True: the first touch, which huge_pages_touch has to do, backs all of it. */
bool huge_pages_begin(SuperSlab *superslab);

/* Without the supply lock. Touches a SuperSlab for the first time and measures how long that takes. After a slow
 * one, some new SuperSlabs get no huge page (back-off, huge_pages.c). */
void huge_pages_touch(void *address);

/* Splits the huge page, if the SuperSlab has one. Call it before a part of the SuperSlab is purged. */
void huge_pages_split(SuperSlab *superslab);

/* Uncounts the huge page, if the SuperSlab has one. Call it when the SuperSlab is released. */
void huge_pages_end(SuperSlab *superslab);

#endif
