/*
 * retention/bounds.c - the two retain bounds, and when free memory is next compared with them.
 *
 * Layer: retention. Arithmetic alone: gives nothing back. Thread rule: any thread.
 */
#include "retention/bounds.h"

#include "heap/heap_all.h"
#include "platform/option.h"

_Atomic int64_t purge_check_bytes, purge_cache_check_bytes;
_Atomic int64_t purge_show_bytes;
_Atomic int64_t bounds_shown_bytes_max;

static Bound bound_of(int64_t fixed_bytes, int64_t percent, int64_t used_bytes) {
    int64_t share_bytes = used_bytes / 100 * percent;
    return (Bound){fixed_bytes > INT64_MAX - share_bytes ? INT64_MAX : fixed_bytes + share_bytes, percent};
}

Bound bounds_old(int64_t used_bytes) {
    return bound_of(option_value(OPTION_RETAIN_BYTES), option_value(OPTION_RETAIN_PERCENT), used_bytes);
}

Bound bounds_young(int64_t used_bytes) {
    Bound fixed = bound_of(option_value(OPTION_RETAIN_YOUNG_BYTES), 0, used_bytes);
    Bound share = bound_of(0, option_value(OPTION_RETAIN_YOUNG_PERCENT), used_bytes);
    Bound young = share.bytes > fixed.bytes ? share : fixed, old = bounds_old(used_bytes);
    return young.bytes > old.bytes ? young : old;
}

int64_t purge_old_bound_bytes(void) { return bounds_old(heap_used_bytes_all()).bytes; }

/* While blocks go back, free bytes grow and the used ones, with the bound, become less: the next look is due when these two
 * can meet at the earliest. The bound of now is too high for then, so much would have to go at once; within AIR_BYTES_MAX
 * of it that does not matter. A look visits all heaps: the more there are, the fewer looks. */
void bounds_set_next_look(Bound bound) {
    enum { BYTES_PER_HEAP = 16 << 10, SHOW_BYTES_MAX = 256 << 10 };
    int64_t heaps = LOAD_RELAXED(heap_count) + 1;
    int64_t least_bytes = AIR_BYTES_MAX + heaps * BYTES_PER_HEAP, show_bytes = BYTES_PER_HEAP + AIR_BYTES_MAX / heaps;
    int64_t free_bytes = LOAD_RELAXED(backed_free_bytes), left_bytes = bound.bytes - free_bytes;
    int64_t meeting_bytes = left_bytes / (100 + bound.percent) * 100;
    bool is_near = left_bytes <= AIR_BYTES_MAX;
    STORE_RELAXED(purge_check_bytes, is_near ? bound.bytes : free_bytes + meeting_bytes);
    STORE_RELAXED(bounds_shown_bytes_max, meeting_bytes > least_bytes ? meeting_bytes : least_bytes);
    STORE_RELAXED(purge_show_bytes, show_bytes < SHOW_BYTES_MAX ? show_bytes : SHOW_BYTES_MAX);
}
