/*
 * binding.h - what the host of these tests finds in a loadable module.
 */
#ifndef RENDEZVOUS_BINDING_H
#define RENDEZVOUS_BINDING_H

#include <hakmem_control.h>
#include <hakmem_core.h>

typedef struct Binding {
    const hak_core_t *(*own)(void);                                /* hak_published of the module */
    const hak_core_t *(*ask)(char *message, size_t message_bytes); /* hak_core of the module */
    int (*heap_new)(uint64_t soft, uint64_t hard, int is_private, uint64_t *number, hak_error_t *error);
    int (*stats_json)(char **text, hak_error_t *error);
    void (*text_free)(char *text);
    int (*option_set)(const char *name, const char *value, hak_error_t *error);
    hak_heap_t *(*heap)(uint64_t number);
} Binding;

/* The one function that a module shows beside hak_published. */
typedef const Binding *(*BindingOpen)(void);
#define BINDING_OPEN "Init_binding"

#endif
