/*
 * superslab/huge_pages.h - which SuperSlabs are backed by a huge page, and the end of it.
 *
 * Layer: superslab. Does not know live bytes or bounds: heap/ says whether the heap grows and is dense.
 * Thread rule: any thread; locks are said below.
 *
 * A huge page costs a third of its OS pages' faults and is given back at once; but all of it is resident from the first
 * touch on, and a purge of a part of it takes a split first, since the kernel would keep the memory otherwise.
 */
#ifndef HAK_SUPERSLAB_HUGE_PAGES_H
#define HAK_SUPERSLAB_HUGE_PAGES_H

#include "base/types.h"

/* With the option `thp` at auto: the next SuperSlab that is born will soon be full, or will not. For that one alone. */
void huge_pages_expect_dense(bool is_dense);

/* Under the supply lock. Asks for a huge page for a newborn SuperSlab where the option and the machine allow it; forbids one where not. True:
 * its first touch backs all of it, and is to be done by huge_pages_touch. */
bool huge_pages_begin(SuperSlab *superslab);

/* The first touch, timed: where huge pages come slowly the next SuperSlabs do without. Without the supply lock. */
void huge_pages_touch(void *address);

/* Before a purge of a part of a SuperSlab. With or without locks, like the next. */
void huge_pages_split(SuperSlab *superslab);

/* The SuperSlab is being released. */
void huge_pages_end(SuperSlab *superslab);

#endif
