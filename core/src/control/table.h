/*
 * control/table.h - the functions of this core, as other shared objects get them.
 *
 * Layer: control. Thread rule: constant.
 */
#ifndef HAK_CONTROL_TABLE_H
#define HAK_CONTROL_TABLE_H

#include <hakmem_core.h>

#include "base/base.h"

extern const hak_core_t core_table;

/* "hak_published", which leads there from outside. */
#define CORE_SYMBOL "hak_published"

#endif
