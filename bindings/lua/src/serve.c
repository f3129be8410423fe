/*
 * serve.c - which core serves, the ways through the table of another core, and the value of a numeric option.
 *
 * Layer: bindings/lua, bottom. Thread rule: any thread.
 */
#include "serve.h"

#include <stdlib.h>

long hak_lua_option_number(const char *name) {
    char text[64];
    return serve_option_get(name, text, sizeof text) == 0 ? strtol(text, NULL, 10) : 0;
}

const hak_core_t *hak_lua_core;

#define COLD __attribute__((noinline, cold))

COLD void *hak_lua_table_malloc(hak_heap_t *heap, size_t size_bytes) {
    return heap == NULL ? hak_lua_core->malloc_align8(size_bytes) : hak_lua_core->heap_malloc(heap, size_bytes);
}

COLD void *hak_lua_table_malloc_or(hak_heap_t *heap, size_t size_bytes, hak_refused *refused, void *context,
                                   uintptr_t word) {
    void *block = hak_lua_core->heap_malloc(heap, size_bytes);
    return block != NULL ? block : refused(context, word, size_bytes);
}

COLD void *hak_lua_table_realloc(hak_heap_t *heap, void *block, size_t size_bytes) {
    if (heap == NULL) return hak_lua_core->realloc_align8(block, size_bytes);
    return hak_lua_core->heap_realloc(heap, block, size_bytes);
}

COLD void *hak_lua_table_free(hak_heap_t *heap, void *block) {
    if (heap == NULL)
        hak_lua_core->free(block);
    else
        hak_lua_core->heap_free(heap, block);
    return NULL;
}

COLD void *hak_lua_table_free_or(hak_heap_t *heap, void *block, size_t size_bytes, hak_foreign_free_sized *foreign_free,
                                 void *context) {
    if (!hak_lua_core->owns(block)) return foreign_free(context, block, size_bytes);
    hak_lua_core->heap_free(heap, block);
    return NULL;
}

COLD void *hak_lua_report_foreign(void *heap, void *block) {
    (void)heap;
    hak_free(block);
    return NULL;
}

COLD void *hak_lua_report_foreign_sized(void *heap, void *block, size_t size_bytes) {
    (void)size_bytes;
    hak_heap_free(heap, block);
    return NULL;
}
