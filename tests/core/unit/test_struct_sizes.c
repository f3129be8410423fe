/*
 * unit/test_struct_sizes.c - structs that say their size when they cross the interface, at every size from 0 to beyond
 * the known one: options are read up to it, an unset size and an unknown demand are errors, and no byte behind it is
 * touched. Structs of a fixed size keep it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <hakmem_control.h>
#include <hakmem_core.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/stats.h"
#include "support/suite.h"

enum { BEYOND_BYTES = 64, HEAD_BYTES = 2 * sizeof(uint32_t), FILL = 0xA5 };

typedef struct Row {
    const char *name;
    size_t known_bytes;
    int (*call)(void *structure); /* returns 0 or an errno */
} Row;

/* The end of an OS page behind which nothing is mapped: a read or write beyond the struct's end ends the test. */
static unsigned char *page_end(void) {
    static unsigned char *end;
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    if (end == NULL) {
        unsigned char *pages = mmap(NULL, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(pages != MAP_FAILED);
        REQUIRE_EQUAL(mprotect(pages + page_bytes, page_bytes, PROT_NONE), 0);
        end = pages + page_bytes;
    }
    return end;
}

/* Room for a struct that says `bytes`. At the end of the page where its alignment allows. */
static unsigned char *place(size_t bytes) {
    static _Alignas(16) unsigned char other[1024];
    bool is_aligned = bytes % sizeof(uint64_t) == 0 && bytes >= sizeof(uint32_t);
    return is_aligned ? page_end() - bytes : other;
}

static size_t readable_bytes(size_t bytes) { return place(bytes) == page_end() - bytes ? bytes : bytes + BEYOND_BYTES; }

static void set_size(unsigned char *structure, size_t bytes) {
    uint32_t said = (uint32_t)bytes;
    memcpy(structure, &said, sizeof said);
}

static void require_result(const Row *row, size_t bytes, int result, int wanted) {
    if (result != wanted) fprintf(stderr, "%s, struct_bytes %zu: %d instead of %d\n", row->name, bytes, result, wanted);
    REQUIRE_EQUAL(result, wanted);
}

/* ---- Options ---- */

static uint64_t hard_limit_seen;

static int make_heap(void *options) {
    errno = 0;
    hak_heap_t *heap = hak_heap_new(options);
    if (heap == NULL) return errno;
    hard_limit_seen = stats_of_heap(heap).hard_limit_bytes;
    hak_heap_destroy(heap);
    return 0;
}

static int make_numbered_heap(void *options) {
    uint64_t number = 0;
    int error = hak_published()->heap_id_new(options, &number);
    if (error != 0) return error;
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    REQUIRE_EQUAL(hak_published()->heap_id_stats_get(number, &stats), 0);
    hard_limit_seen = stats.hard_limit_bytes;
    REQUIRE_EQUAL(hak_published()->heap_id_destroy(number), 0);
    return 0;
}

static const Row options_rows[] = {
    {"hak_heap_options_t", sizeof(hak_heap_options_t), make_heap},
    {"hak_heap_options_t of a numbered heap", sizeof(hak_heap_options_t), make_numbered_heap},
};

static unsigned char *zero_options(size_t bytes) {
    unsigned char *options = place(bytes);
    memset(options, 0, readable_bytes(bytes));
    if (bytes >= sizeof(uint32_t) || readable_bytes(bytes) > bytes) set_size(options, bytes);
    return options;
}

static void require_options_of(const Row *row, size_t bytes) {
    bool is_accepted = bytes >= HEAD_BYTES;
    require_result(row, bytes, row->call(zero_options(bytes)), is_accepted ? 0 : EINVAL);
    size_t limit_end = offsetof(hak_heap_options_t, hard_limit_bytes) + sizeof(uint64_t);
    if (bytes >= limit_end) {
        uint64_t limit = 123456;
        unsigned char *options = zero_options(bytes);
        memcpy(options + limit_end - sizeof limit, &limit, sizeof limit);
        require_result(row, bytes, row->call(options), 0);
        REQUIRE_EQUAL(hard_limit_seen, limit);
    }
    for (size_t offset = row->known_bytes; offset < readable_bytes(bytes); offset++) {
        unsigned char *options = zero_options(bytes);
        options[offset] = 1;
        bool is_unknown_demand = offset < bytes;
        require_result(row, bytes, row->call(options), is_accepted && !is_unknown_demand ? 0 : EINVAL);
    }
}

static void test_options(void **state) {
    (void)state;
    for (size_t row = 0; row < sizeof options_rows / sizeof *options_rows; row++)
        for (size_t bytes = 0; bytes <= options_rows[row].known_bytes + BEYOND_BYTES; bytes++)
            require_options_of(&options_rows[row], bytes);
}

/* The way in which the size is forgotten: a limit was set, and would not hold. */
static void test_forgotten_size(void **state) {
    (void)state;
    hak_heap_options_t options = {0};
    options.hard_limit_bytes = 1 << 20;
    errno = 0;
    REQUIRE(hak_heap_new(&options) == NULL);
    REQUIRE_EQUAL(errno, EINVAL);
    options.struct_bytes = UINT32_MAX;
    errno = 0;
    REQUIRE(hak_heap_new(&options) == NULL);
    REQUIRE_EQUAL(errno, EINVAL);
}

/* ---- Stats ---- */

static hak_heap_t *some_heap;
static uint64_t some_number;

static int read_stats(void *stats) { return hak_stats_get(stats); }
static int read_heap_stats(void *stats) { return hak_heap_stats_get(some_heap, stats); }
static int read_numbered_heap_stats(void *stats) { return hak_published()->heap_id_stats_get(some_number, stats); }

static const Row stats_rows[] = {
    {"hak_stats_t", sizeof(hak_stats_t), read_stats},
    {"hak_heap_stats_t", sizeof(hak_heap_stats_t), read_heap_stats},
    {"hak_heap_stats_t of a numbered heap", sizeof(hak_heap_stats_t), read_numbered_heap_stats},
};

static void require_stats_of(const Row *row, size_t bytes) {
    unsigned char *stats = place(bytes);
    size_t room = readable_bytes(bytes), filled_bytes = bytes < row->known_bytes ? bytes : row->known_bytes;
    memset(stats, FILL, room);
    if (bytes < sizeof(uint32_t) && room == bytes) return;
    set_size(stats, bytes);
    bool is_accepted = bytes >= HEAD_BYTES;
    require_result(row, bytes, row->call(stats), is_accepted ? 0 : EINVAL);
    size_t untouched = is_accepted ? filled_bytes : sizeof(uint32_t);
    for (size_t offset = untouched; offset < room; offset++) REQUIRE_EQUAL(stats[offset], FILL);
    if (!is_accepted) return;
    uint32_t head[2];
    memcpy(head, stats, sizeof head);
    REQUIRE_EQUAL(head[0], filled_bytes);
    REQUIRE_EQUAL(head[1], 1);
}

static void test_stats(void **state) {
    (void)state;
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    some_heap = hak_heap_new(&options);
    REQUIRE(some_heap != NULL);
    REQUIRE_EQUAL(hak_published()->heap_id_new(&options, &some_number), 0);
    for (size_t row = 0; row < sizeof stats_rows / sizeof *stats_rows; row++)
        for (size_t bytes = 0; bytes <= stats_rows[row].known_bytes + BEYOND_BYTES; bytes++)
            require_stats_of(&stats_rows[row], bytes);
    hak_heap_destroy(some_heap);
    REQUIRE_EQUAL(hak_published()->heap_id_destroy(some_number), 0);
}

/* ---- Rows and values of a fixed size ---- */

static void test_rows_of_classes(void **state) {
    (void)state;
    size_t classes = hak_stats_classes(NULL, 0);
    REQUIRE_AT_LEAST(classes, 1);
    for (size_t capacity = 0; capacity <= classes; capacity += classes / 3 + 1) {
        hak_class_stats_t *rows = (hak_class_stats_t *)(void *)page_end() - capacity;
        memset(rows, FILL, capacity * sizeof *rows);
        REQUIRE_EQUAL(hak_stats_classes(rows, capacity), classes);
        for (size_t row = 0; row < capacity; row++) REQUIRE_AT_MOST(rows[row].block_bytes, 32768);
    }
}

/* Callers give arrays and variables of these without a size, so a change would be one of HAK_CORE_VERSION. */
static void test_fixed_sizes(void **state) {
    (void)state;
    REQUIRE_EQUAL(sizeof(hak_class_stats_t), 40);
    REQUIRE_EQUAL(sizeof(hak_option_value_t), 80);
    REQUIRE_EQUAL(sizeof(hak_error_t), 4 + HAK_ERROR_MESSAGE_BYTES);
    REQUIRE_EQUAL(sizeof(hak_visitor_t), 9 * sizeof(void *));
}

static void test_option_rows_are_whole(void **state) {
    (void)state;
    const hak_option_info_t *row;
    for (size_t index = 0; (row = hak_option_info(index)) != NULL; index++) {
        REQUIRE(row->name != NULL && row->variable != NULL && row->default_value != NULL);
        REQUIRE(row->choices != NULL && row->unit != NULL && row->help != NULL);
    }
}

/* ---- A visitor: all of its functions are required ---- */

static unsigned calls_seen;

static void begin_or_end(void *context, const char *key) { (void)context, (void)key, calls_seen++; }
static void visit_count(void *context, const char *key, uint64_t count) {
    (void)context, (void)key, (void)count, calls_seen++;
}
static void visit_text(void *context, const char *key, const char *text) {
    (void)context, (void)key, (void)text, calls_seen++;
}
static void visit_flag(void *context, const char *key, int flag) { (void)context, (void)key, (void)flag, calls_seen++; }

static int visit_heap(const hak_visitor_t *visitor, hak_error_t *error) {
    return hak_control_heap_stats(some_number, visitor, error);
}

static void test_visitors_that_lack_a_function(void **state) {
    (void)state;
    int (*const functions[])(const hak_visitor_t *, hak_error_t *) = {hak_control_options, hak_control_stats,
                                                                      hak_control_heaps, visit_heap};
    static const char *const names[] = {"begin_map", "end_map", "begin_list", "end_list",
                                        "count",     "text",    "flag",       "none"};
    const hak_visitor_t whole = {NULL,        begin_or_end, begin_or_end, begin_or_end, begin_or_end,
                                 visit_count, visit_text,   visit_flag,   begin_or_end};
    REQUIRE_EQUAL(hak_published()->heap_id_new(NULL, &some_number), 0);
    for (size_t number = 0; number < sizeof functions / sizeof *functions; number++) {
        for (size_t lacking = 0; lacking < sizeof names / sizeof *names; lacking++) {
            hak_visitor_t visitor = whole;
            hak_error_t error;
            char wanted[64];
            memset((unsigned char *)&visitor + (1 + lacking) * sizeof(void *), 0, sizeof(void *));
            calls_seen = 0;
            REQUIRE_EQUAL(functions[number](&visitor, &error), HAK_ERROR_TYPE);
            snprintf(wanted, sizeof wanted, "%s of the visitor is missing", names[lacking]);
            assert_string_equal(error.message, wanted);
            REQUIRE_EQUAL(calls_seen, 0);
        }
        REQUIRE_EQUAL(functions[number](&whole, NULL), 0);
        REQUIRE_AT_LEAST(calls_seen, 1);
    }
    REQUIRE_EQUAL(hak_published()->heap_id_destroy(some_number), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_forgotten_size),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_rows_of_classes),
        cmocka_unit_test(test_fixed_sizes),
        cmocka_unit_test(test_option_rows_are_whole),
        cmocka_unit_test(test_visitors_that_lack_a_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
