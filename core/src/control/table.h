/*
 * control/table.h - the table of this core's functions, for other shared objects.
 *
 * Layer: control. Thread rule: any thread; the table is constant.
 */
#ifndef HAK_CONTROL_TABLE_H
#define HAK_CONTROL_TABLE_H

#include <hakmem_core.h>

#include "base/base.h"

extern const hak_core_t core_table;

/* The function that other shared objects find the table with. */
#define CORE_SYMBOL "hak_published"

#endif
