/*
 * api/hook.h - functions for a runtime's table of allocators: the core serves its own blocks, the previous allocator
 * all foreign ones.
 *
 * Layer: api. Thread rule: hook_noticed and the functions in the runtime's table any thread; the others here one
 * thread at a time.
 */
#ifndef HAK_API_HOOK_H
#define HAK_API_HOOK_H

#include <hakmem_core.h>

#include "base/base.h"

/* hakmem_core.h says what they do. */
hak_hook_t hook_over(hak_hook_entry_t entry, const hak_hook_t *previous, int is_served);
int hook_is_ours(hak_hook_entry_t entry, const hak_hook_t *current);
void hook_set_mode(hak_hook_mode_t mode);
uint64_t hook_noticed(void);

#endif
