/*
 * machine/core_state.c - the writable memory of the core's library, but for the fuzzer's counters.
 */
#define _GNU_SOURCE
#include "machine/core_state.h"

#include <link.h>
#include <stdint.h>
#include <stdlib.h>

#include "machine/core_sections.h"
#include "machine/sanitizer.h"
#include "support/require.h"

enum { PARTS = 2 }; /* before the counters and behind them */

typedef struct Part {
    uint64_t *start;
    size_t words;
} Part;

static Part parts[PARTS];

struct CoreState {
    uint64_t words[1]; /* of all parts */
};

/* ---- Where ---- */

typedef struct Extent {
    uintptr_t start, end;
} Extent;

static uintptr_t round_up(uintptr_t address, uintptr_t unit) { return (address + unit - 1) / unit * unit; }

/* What may be written after the relocations, of the library in which the sections lie. */
static int find_writable(struct dl_phdr_info *info, size_t info_bytes, void *context) {
    uintptr_t wanted = (uintptr_t)core_section_of_thread().start;
    Extent writable = {0, 0}, constant = {0, 0};
    (void)info_bytes;
    for (size_t index = 0; index < info->dlpi_phnum; index++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[index];
        Extent extent = {info->dlpi_addr + header->p_vaddr, info->dlpi_addr + header->p_vaddr + header->p_memsz};
        if (header->p_type == PT_LOAD && wanted >= extent.start && wanted < extent.end) writable = extent;
        if (header->p_type == PT_GNU_RELRO) constant = extent;
    }
    if (writable.end == 0) return 0;
    if (constant.start <= writable.start && constant.end > writable.start) writable.start = constant.end;
    *(Extent *)context = writable;
    return 1;
}

static Part part_of(uintptr_t start, uintptr_t end) {
    start = round_up(start, sizeof(uint64_t));
    return (Part){(uint64_t *)start, start < end ? (end - start) / sizeof(uint64_t) : 0};
}

static void find_parts(void) {
    Extent writable = {0, 0};
    CoreSection counters = core_section_of_counters();
    if (parts[0].start != NULL) return;
    REQUIRE(dl_iterate_phdr(find_writable, &writable) == 1);
    uintptr_t start = (uintptr_t)counters.start, end = start + counters.bytes;
    if (counters.bytes == 0) start = end = writable.end;
    REQUIRE(start >= writable.start && end <= writable.end);
    parts[0] = part_of(writable.start, start);
    parts[1] = part_of(end, writable.end);
}

/* ---- Copies ---- */

/* The sanitizer's gaps between variables are copied, too. Not memcpy, which a sanitizer checks. */
UNCHECKED_BY_SANITIZER static void copy(uint64_t *to, const uint64_t *from, size_t words) {
    for (; words >= 8; words -= 8, to += 8, from += 8) {
        uint64_t a = from[0], b = from[1], c = from[2], d = from[3], e = from[4], f = from[5], g = from[6], h = from[7];
        to[0] = a, to[1] = b, to[2] = c, to[3] = d, to[4] = e, to[5] = f, to[6] = g, to[7] = h;
        __asm__ volatile("" ::: "memory"); /* no call of memcpy is made of the loop */
    }
    for (; words > 0; words--) *to++ = *from++;
}

CoreState *core_state_save(void) {
    find_parts();
    CoreState *state = malloc((parts[0].words + parts[1].words) * sizeof(uint64_t));
    REQUIRE(state != NULL);
    copy(state->words, parts[0].start, parts[0].words);
    copy(state->words + parts[0].words, parts[1].start, parts[1].words);
    return state;
}

void core_state_load(const CoreState *state) {
    copy(parts[0].start, state->words, parts[0].words);
    copy(parts[1].start, state->words + parts[0].words, parts[1].words);
}
