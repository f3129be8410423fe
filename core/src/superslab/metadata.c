/*
 * superslab/metadata.c - cuts metadata from mappings of METADATA_CHUNK_BYTES, so that it needs few kernel mappings.
 *
 * Layer: superslab. Thread rule: any thread; no other lock is taken under the metadata lock.
 */
#include "superslab/metadata.h"

#define METADATA_CHUNK_BYTES ((size_t)2 << 20)

Lock metadata_lock = {.rank = LOCK_RANK_METADATA};
static uintptr_t chunk_next, chunk_end;
static _Atomic uint64_t mapped_bytes;

void *metadata_map(size_t bytes) {
    bytes = round_up_bytes(bytes, os_page_bytes);
    lock_acquire(&metadata_lock);
    if (chunk_end - chunk_next < bytes) {
        size_t chunk_bytes = bytes > METADATA_CHUNK_BYTES ? bytes : METADATA_CHUNK_BYTES;
        void *chunk = os_map(0, chunk_bytes);
        if (chunk == NULL && chunk_bytes > bytes) chunk = os_map(0, chunk_bytes = bytes); /* a tight address space */
        if (chunk == NULL) {
            lock_release(&metadata_lock);
            return NULL;
        }
        os_huge_pages_forbid(chunk, chunk_bytes);
        chunk_next = (uintptr_t)chunk;
        chunk_end = chunk_next + chunk_bytes;
        STORE_RELAXED(mapped_bytes, LOAD_RELAXED(mapped_bytes) + chunk_bytes);
    }
    void *piece = (void *)chunk_next;
    chunk_next += bytes;
    lock_release(&metadata_lock);
    return piece;
}

uint64_t metadata_bytes(void) { return LOAD_RELAXED(mapped_bytes); }
