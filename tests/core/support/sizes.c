/*
 * support/sizes.c - a table of sizes, and the rules of hakmem.h.
 */
#include "support/sizes.h"

#include <hakmem.h>
#include <string.h>

#include "support/require.h"
#include "support/stats.h"

enum { CANARY_BYTES = 32, SMALL_BYTES_MAX = 32768 };

static size_t class_bytes[STATS_CLASSES_MAX], class_count;
static size_t canary_bytes, page_bytes;
static unsigned debug_level;
static bool is_align_16;

static void learn_classes(void) {
    static hak_class_stats_t rows[STATS_CLASSES_MAX];
    if (class_count != 0) return; /* the same whatever the options are */
    class_count = hak_stats_classes(rows, STATS_CLASSES_MAX);
    REQUIRE_AT_MOST(class_count, STATS_CLASSES_MAX);
    for (size_t index = 0; index < class_count; index++) class_bytes[index] = (size_t)rows[index].block_bytes;
    REQUIRE_EQUAL(class_bytes[class_count - 1], SMALL_BYTES_MAX);
}

void sizes_learn(size_t os_page_bytes) {
    char value[64];
    page_bytes = os_page_bytes;
    REQUIRE_EQUAL(hak_option_get("debug", value, sizeof value), 0);
    debug_level = (unsigned)(value[0] - '0');
    canary_bytes = debug_level == 2 ? CANARY_BYTES : 0;
    REQUIRE_EQUAL(hak_option_get("align", value, sizeof value), 0);
    is_align_16 = strcmp(value, "16") == 0;
    learn_classes();
}

size_t sizes_alignment(SizesAlignment alignment, size_t bytes) {
    bool is_8 = alignment == SIZES_ALIGN_8 || bytes <= 8 || (alignment == SIZES_OBJECT && bytes > 16 && bytes <= 24);
    return is_8 && alignment != SIZES_ALIGN_16 && !is_align_16 ? 8 : 16;
}

/* The first class with so many usable bytes, whatever its alignment. */
static size_t first_class(size_t bytes) {
    size_t low = 0, high = class_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (class_bytes[middle] > canary_bytes && class_bytes[middle] - canary_bytes >= bytes)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The classes of more than 1 KiB are 16-aligned all. */
size_t sizes_usable_bytes(SizesAlignment alignment, size_t bytes) {
    size_t unit = bytes <= 1024 ? sizes_alignment(alignment, bytes) : 16;
    for (size_t index = first_class(bytes); index < class_count; index++)
        if (class_bytes[index] % unit == 0) return class_bytes[index] - canary_bytes;
    return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

/* A block above the classes has no canary; with a strict alignment it may be of one OS page. */
size_t sizes_live_bytes(size_t usable_bytes) {
    size_t index = first_class(usable_bytes);
    bool is_small = index < class_count && class_bytes[index] == usable_bytes + canary_bytes;
    return is_small ? usable_bytes + canary_bytes : usable_bytes;
}

bool sizes_are_guarded(void) { return debug_level == 2; }
bool sizes_are_checked(void) { return debug_level != 0; }
