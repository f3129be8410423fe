/*
 * machine/memory.c - three arenas, their dirty parts, and the kernel.
 */
#define _GNU_SOURCE
#include "machine/memory.h"

#include <errno.h>
#include <hakmem.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/extents.h"
#include "machine/sanitizer.h"
#include "support/require.h"

enum { UNIT_BYTES = 1024, ARENA_UNITS = (128 << 20) / UNIT_BYTES, GAP_BYTES = 4096, ARENAS = 3 };

typedef struct Arena {
    uintptr_t start;        /* 0: the kernel refused it */
    bool is_written_untold; /* nobody tells where: all that was taken of it is dirty until it is unmapped */
    uint64_t dirty[ARENA_UNITS / 64];
} Arena;

#define ARENA_BYTES ((size_t)ARENA_UNITS * UNIT_BYTES)
#define HINTS_START ((uintptr_t)4 << 40)   /* what the core hints at, where os_random_bits is 0 */
#define PLACED_START ((uintptr_t)20 << 40) /* above all hints */
#define METADATA_START ((uintptr_t)22 << 40)
#define BEYOND_START ((uintptr_t)24 << 40) /* where the arena has no room */

static Arena arenas[ARENAS];
static unsigned metadata_callers; /* threads within metadata_map: what is mapped meanwhile is metadata */
static bool is_all_kernels;
static size_t misaligned_bytes;

/* ---- Arenas ---- */

static void make_arena(Arena *arena, uintptr_t start) {
    void *wanted = (void *)start;
    void *memory = mmap(wanted, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    if (memory == wanted)
        arena->start = start;
    else
        REQUIRE_EQUAL(munmap(memory, ARENA_BYTES), 0);
}

void memory_reset(bool are_all_kernels, size_t misaligned) {
    static bool is_made;
    if (!is_made) {
        make_arena(&arenas[0], HINTS_START);
        make_arena(&arenas[1], PLACED_START);
        make_arena(&arenas[2], METADATA_START);
        arenas[2].is_written_untold = true;
        is_made = true;
    }
    is_all_kernels = are_all_kernels || HAS_ADDRESS_SANITIZER; /* whose memcpy does not come here */
    misaligned_bytes = misaligned;
    metadata_callers = 0; /* a stream may have forgotten some */
}

/* NULL: the range does not lie in one. */
static Arena *arena_of(const void *address, size_t bytes) {
    for (Arena *arena = arenas; arena < arenas + ARENAS; arena++) {
        size_t offset = (uintptr_t)address - arena->start;
        if (arena->start != 0 && offset < ARENA_BYTES && bytes <= ARENA_BYTES - offset) return arena;
    }
    return NULL;
}

static Arena *used_arena_of(const void *address, size_t bytes) {
    return is_all_kernels ? NULL : arena_of(address, bytes);
}

static size_t unit_of(const Arena *arena, const void *address) {
    return ((uintptr_t)address - arena->start) / UNIT_BYTES;
}

static void *address_of(const Arena *arena, size_t unit) { return (void *)(arena->start + unit * UNIT_BYTES); }

static bool is_dirty(const Arena *arena, size_t unit) { return (arena->dirty[unit / 64] >> (unit % 64) & 1) != 0; }

static void set_dirty(Arena *arena, size_t unit) { arena->dirty[unit / 64] |= (uint64_t)1 << (unit % 64); }

static uint64_t lowest_bits(size_t count) { return count < 64 ? ((uint64_t)1 << count) - 1 : UINT64_MAX; }

/* The first run of dirty units from `unit` on, within one word of the set and before `end`. Returns its length; 0: no
 * unit before `*start` is dirty. */
static size_t dirty_run(const Arena *arena, size_t unit, size_t end, size_t *start) {
    size_t first = unit % 64, count = 64 - first < end - unit ? 64 - first : end - unit;
    uint64_t bits = arena->dirty[unit / 64] >> first & lowest_bits(count);
    *start = unit + (bits != 0 ? (size_t)__builtin_ctzll(bits) : count);
    bits >>= (*start - unit) % 64;
    return bits == 0 ? 0 : bits == UINT64_MAX ? 64 : (size_t)__builtin_ctzll(~bits);
}

static void clear(Arena *arena, void *address, size_t bytes, bool stays_dirty) {
    size_t unit = unit_of(arena, address), end = unit + bytes / UNIT_BYTES, start, units;
    for (; unit < end; unit = start + units) {
        units = dirty_run(arena, unit, end, &start);
        if (units == 0) continue;
        memset(address_of(arena, start), 0, units * UNIT_BYTES);
        if (!stays_dirty) arena->dirty[start / 64] &= ~(lowest_bits(units) << (start % 64));
    }
}

void memory_touched(const void *address, size_t bytes) {
    enum { CANARY_BYTES = 32 }; /* which the core writes byte by byte, behind what it fills */
    Arena *arena = used_arena_of(address, bytes + CANARY_BYTES);
    if (arena == NULL || bytes == 0) return;
    size_t last = unit_of(arena, (const char *)address + bytes + CANARY_BYTES - 1);
    for (size_t unit = unit_of(arena, address); unit <= last; unit++) set_dirty(arena, unit);
}

/* ---- The core's copies ---- */

void *__wrap_memcpy(void *to, const void *from, size_t bytes);
void *__wrap_memcpy(void *to, const void *from, size_t bytes) {
    memory_touched(to, bytes);
    return memcpy(to, from, bytes);
}

void *__wrap_memmove(void *to, const void *from, size_t bytes);
void *__wrap_memmove(void *to, const void *from, size_t bytes) {
    memory_touched(to, bytes);
    return memmove(to, from, bytes);
}

void *__wrap_memset(void *to, int value, size_t bytes);
void *__wrap_memset(void *to, int value, size_t bytes) {
    memory_touched(to, bytes);
    return memset(to, value, bytes);
}

/* ---- The core's own: structs of heaps, texts and metadata, which it writes word by word ---- */

static void *touched(void *block, size_t bytes) {
    enum { OWN_BYTES_MAX = 64 << 10 }; /* larger ones are a caller's, by realloc */
    if (block != NULL && bytes <= OWN_BYTES_MAX) memory_touched(block, bytes);
    return block;
}

void *__wrap_hak_malloc(size_t bytes);
void *__wrap_hak_malloc(size_t bytes) { return touched(hak_malloc(bytes), bytes); }

void *__wrap_hak_calloc(size_t count, size_t bytes);
void *__wrap_hak_calloc(size_t count, size_t bytes) { return touched(hak_calloc(count, bytes), count * bytes); }

void *__real_hak_core_metadata_map(size_t bytes);
void *__wrap_hak_core_metadata_map(size_t bytes);
void *__wrap_hak_core_metadata_map(size_t bytes) {
    metadata_callers++;
    void *piece = __real_hak_core_metadata_map(bytes);
    metadata_callers--;
    if (piece != NULL) memory_touched(piece, bytes);
    return piece;
}

/* ---- Map, unmap, purge, move ---- */

static void *map_of_kernel(uintptr_t hint, size_t bytes) {
    int saved = errno;
    void *address = mmap((void *)hint, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = saved;
    return address != MAP_FAILED ? address : NULL;
}

/* The lowest place from `start` on, so that addresses are used again as soon as possible. */
static uintptr_t lowest_place(uintptr_t start, size_t bytes) {
    uintptr_t place = start + misaligned_bytes, end;
    while ((end = extents_end_of_overlap((void *)place, bytes)) != 0) place = end + misaligned_bytes;
    return place;
}

static uintptr_t place_of(size_t bytes) {
    uintptr_t start = metadata_callers > 0 ? METADATA_START : PLACED_START;
    uintptr_t place = lowest_place(start, bytes);
    bool has_room = place + bytes <= start + ARENA_BYTES - GAP_BYTES; /* a gap, for memory_unmap_all */
    return has_room ? place : lowest_place(BEYOND_START, bytes);
}

void *memory_map(uintptr_t hint, size_t bytes, bool is_placed) {
    is_placed |= hint == 0 || extents_end_of_overlap((void *)hint, bytes) != 0;
    uintptr_t place = is_placed ? place_of(bytes) : hint;
    void *address = (void *)place;
    if (used_arena_of(address, bytes) == NULL)
        address = map_of_kernel(arena_of(address, bytes) == NULL ? place : 0, bytes);
    if (address != NULL) extents_add(address, bytes);
    return address;
}

static void unmap(void *address, size_t bytes) {
    Arena *arena = used_arena_of(address, bytes);
    if (arena != NULL)
        clear(arena, address, bytes, false);
    else
        REQUIRE_EQUAL(munmap(address, bytes), 0);
}

void memory_unmap(void *address, size_t bytes) {
    extents_remove(address, bytes);
    unmap(address, bytes);
}

void memory_purge(void *address, size_t bytes) {
    extents_require(address, bytes);
    Arena *arena = used_arena_of(address, bytes);
    if (arena != NULL)
        clear(arena, address, bytes, arena->is_written_untold);
    else
        REQUIRE_EQUAL(madvise(address, bytes, MADV_DONTNEED), 0);
}

static void copy_dirty(Arena *from_arena, char *from, size_t bytes, char *to) {
    for (size_t offset = 0; offset < bytes; offset += UNIT_BYTES) {
        if (!is_dirty(from_arena, unit_of(from_arena, from + offset))) continue;
        memory_touched(to + offset, UNIT_BYTES - 64);
        memcpy(to + offset, from + offset, UNIT_BYTES);
    }
}

void memory_move(void *from, size_t bytes, void *to, size_t to_bytes) {
    Arena *from_arena = used_arena_of(from, bytes);
    extents_require(to, to_bytes);
    extents_remove(from, bytes);
    if (from_arena == NULL && used_arena_of(to, to_bytes) == NULL) {
        REQUIRE(mremap(from, bytes, to_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
        return;
    }
    memory_purge(to, to_bytes);
    if (from_arena != NULL) {
        copy_dirty(from_arena, from, bytes, to);
    } else {
        memory_touched(to, bytes);
        memcpy(to, from, bytes);
    }
    unmap(from, bytes);
}

static bool extend_of_kernel(char *address, size_t bytes, size_t new_bytes) {
    int saved = errno;
    bool is_done = mremap(address, bytes, new_bytes, 0) == address;
    errno = saved;
    return is_done;
}

static bool extend_in_place(char *address, size_t bytes, size_t new_bytes) {
    Arena *arena = used_arena_of(address, bytes);
    if (extents_end_of_overlap(address + bytes, new_bytes - bytes) != 0) return false;
    if (used_arena_of(address, new_bytes) != arena) return false;
    if (arena == NULL && !extend_of_kernel(address, bytes, new_bytes)) return false;
    extents_add(address + bytes, new_bytes - bytes);
    return true;
}

void *memory_extend(void *address, size_t bytes, size_t new_bytes, bool may_move) {
    extents_require(address, bytes);
    if (extend_in_place(address, bytes, new_bytes)) return address;
    void *place = may_move ? memory_map(0, new_bytes, true) : NULL;
    if (place != NULL) memory_move(address, bytes, place, new_bytes);
    return place;
}

void memory_require(const void *address, size_t bytes) { extents_require(address, bytes); }

size_t memory_mapped_bytes(void) { return extents_bytes(); }

/* No extent reaches from an arena into what is the kernel's. */
void memory_unmap_all(void) {
    void *address;
    size_t bytes;
    while ((address = extents_take(&bytes)) != NULL) unmap(address, bytes);
}
