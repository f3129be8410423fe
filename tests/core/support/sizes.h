/*
 * support/sizes.h - which size a block must have for a request, computed from what hakmem.h promises and from the
 * classes that hak_stats_classes lists: a model of its own.
 */
#ifndef SUPPORT_SIZES_H
#define SUPPORT_SIZES_H

#include <stdbool.h>
#include <stddef.h>

typedef enum SizesAlignment { SIZES_C, SIZES_OBJECT, SIZES_ALIGN_8, SIZES_ALIGN_16 } SizesAlignment;

/* Reads the classes, and the options that matter. At the start of a core. */
void sizes_learn(size_t os_page_bytes);

/* The alignment that a request may count on. */
size_t sizes_alignment(SizesAlignment alignment, size_t bytes);

/* hak_usable_size of a block that was made for the request. */
size_t sizes_usable_bytes(SizesAlignment alignment, size_t bytes);

/* What a block of so many usable bytes counts in live_bytes. */
size_t sizes_live_bytes(size_t usable_bytes);

bool sizes_are_guarded(void); /* debug=2 */
bool sizes_are_checked(void); /* debug=1 or 2: hak_free_sized compares */

#endif
