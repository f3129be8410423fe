/*
 * binding.c - a loadable module with a core of its own inside, as the binding of a language is; built twice.
 */
#include "binding.h"

HAK_EXPORT const Binding *Init_binding(void);

const Binding *Init_binding(void) {
    static const Binding binding = {
        .own = hak_published,
        .ask = hak_core,
        .heap_new = hak_control_heap_new,
        .stats_json = hak_control_stats_json,
        .text_free = hak_control_text_free,
        .option_set = hak_control_option_set,
        .heap = hak_control_heap,
    };
    return &binding;
}
