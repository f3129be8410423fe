/*
 * figures.c - the functions that tell and tune: our figures in glibc's forms, and malloc_trim.
 *
 * Layer: bindings/libc. Thread rule: any thread.
 */
#include <errno.h>
#include <hakmem.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>

#include "figures.h"
#include "interpose.h"

static hak_stats_t stats_now(void) {
    hak_stats_t stats = HAK_STATS_INIT;
    (void)hak_stats_get(&stats);
    return stats;
}

/* ---- Give back, tune ---- */

/* The OS pages at the top that glibc would keep (`pad`) have no equal here. */
INTERPOSE int malloc_trim(size_t pad_bytes) {
    (void)pad_bytes;
    return hak_trim() > 0;
}

/* No parameter of glibc's has a meaning here; 1 says that it is accepted. */
INTERPOSE int mallopt(int parameter, int value) {
    (void)parameter;
    (void)value;
    return 1;
}

/* ---- Figures ---- */

#ifdef __GLIBC__

#if __GLIBC_PREREQ(2, 33)
typedef struct mallinfo2 Mallinfo;
#else
typedef struct Mallinfo {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
} Mallinfo;
Mallinfo mallinfo2(void);
#endif

/* arena + hblkhd = uordblks + fordblks = mapped bytes that are backed by memory. */
INTERPOSE Mallinfo mallinfo2(void) {
    hak_stats_t stats = stats_now();
    size_t backed_bytes = stats.mapped_bytes - stats.unbacked_bytes;
    return (Mallinfo){
        .arena = backed_bytes - stats.large_bytes,
        .hblkhd = stats.large_bytes,
        .uordblks = stats.live_bytes,
        .fordblks = backed_bytes - stats.live_bytes,
        .keepcost = stats.free_resident_bytes,
    };
}

static int capped(size_t number) { return number > INT_MAX ? INT_MAX : (int)number; }

INTERPOSE struct mallinfo mallinfo(void) {
    Mallinfo info = mallinfo2();
    return (struct mallinfo){
        .arena = capped(info.arena),
        .hblkhd = capped(info.hblkhd),
        .uordblks = capped(info.uordblks),
        .fordblks = capped(info.fordblks),
        .keepcost = capped(info.keepcost),
    };
}

#endif

/* No cancellation while the stream is locked: it would stay locked for ever. Returns the former state. */
static int hold(FILE *stream) {
    int former_state = PTHREAD_CANCEL_ENABLE;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &former_state);
    flockfile(stream);
    return former_state;
}

static void let_go(FILE *stream, int former_state) {
    funlockfile(stream);
    (void)pthread_setcancelstate(former_state, NULL);
}

void figures_print(FILE *stream) {
    hak_stats_t stats = stats_now();
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"live bytes", stats.live_bytes},
        {"live blocks", stats.live_blocks},
        {"cached bytes", stats.cached_bytes},
        {"free bytes, resident", stats.free_resident_bytes},
        {"large bytes", stats.large_bytes},
        {"mapped bytes", stats.mapped_bytes},
        {"metadata bytes", stats.metadata_bytes},
        {"bytes given back", stats.purged_bytes_total},
        {"requests served", stats.served_requests},
        {"superslabs active", stats.superslabs_active},
        {"superslabs born", stats.superslabs_born},
        {"superslabs died", stats.superslabs_died},
        {"burst bound bytes", stats.burst_bound_bytes},
        {"bytes missed", stats.regret_bytes_total},
    };
    int former_state = hold(stream);
    fprintf(stream, "hakmem %s, malloc\n", hak_version());
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++)
        fprintf(stream, "  %-21s %14" PRIu64 "\n", rows[row].name, rows[row].value);
    let_go(stream, former_state);
}

INTERPOSE void malloc_stats(void) { figures_print(stderr); }

/* XML with glibc's elements where they have a meaning. Errors: EINVAL, where `options` is not 0. */
INTERPOSE int malloc_info(int options, FILE *stream) {
    enum { CLASSES_MAX = 256 };
    hak_class_stats_t classes[CLASSES_MAX];
    if (options != 0) return EINVAL;
    hak_stats_t stats = stats_now();
    size_t class_count = hak_stats_classes(classes, CLASSES_MAX); /* of all, also those that found no room */
    int former_state = hold(stream);
    fprintf(stream, "<malloc version=\"hakmem %s\">\n<sizes>\n", hak_version());
    for (size_t index = 0; index < class_count && index < CLASSES_MAX; index++) {
        const hak_class_stats_t *row = &classes[index];
        if (row->slabs == 0) continue;
        fprintf(stream, "  <size to=\"%" PRIu64 "\" live=\"%" PRIu64 "\"", row->block_bytes, row->live);
        fprintf(stream, " cached=\"%" PRIu64 "\" free=\"%" PRIu64 "\"/>\n", row->cached, row->free);
    }
    uint64_t backed_bytes = stats.mapped_bytes - stats.unbacked_bytes;
    fprintf(stream, "</sizes>\n<total type=\"live\" count=\"%" PRIu64 "\"", stats.live_blocks);
    fprintf(stream, " size=\"%" PRIu64 "\"/>\n", stats.live_bytes);
    fprintf(stream, "<total type=\"rest\" size=\"%" PRIu64 "\"/>\n", backed_bytes - stats.live_bytes);
    fprintf(stream, "<system type=\"current\" size=\"%" PRIu64 "\"/>\n", backed_bytes);
    fprintf(stream, "<aspace type=\"total\" size=\"%" PRIu64 "\"/>\n</malloc>\n", stats.mapped_bytes);
    let_go(stream, former_state);
    return 0;
}
