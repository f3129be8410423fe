/*
 * support/operations_texts.c - names and values of options as somebody might have typed or sent them: each is refused,
 * with one line that no terminal and no reader can take for another thing.
 */
#include <errno.h>
#include <hakmem_control.h>
#include <string.h>

#include "support/operations_table.h"
#include "support/random.h"
#include "support/require.h"

/* ---- What may stand in a line ---- */

typedef struct Letters {
    uint32_t first, last;
} Letters;

/* Control characters, ends of lines and of paragraphs, changes of direction, the byte order mark, surrogates. */
static const Letters forbidden[] = {{0, 0x1F},        {0x7F, 0x9F},     {0x61C, 0x61C},
                                    {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069},
                                    {0xFEFF, 0xFEFF}, {0xD800, 0xDFFF}, {0x110000, UINT32_MAX}};

static bool may_stand(uint32_t letter) {
    for (size_t index = 0; index < sizeof forbidden / sizeof *forbidden; index++)
        if (letter >= forbidden[index].first && letter <= forbidden[index].last) return false;
    return true;
}

/* The bytes that UTF-8 has for it. */
static size_t bytes_of(uint32_t letter) { return letter < 0x80 ? 1 : letter < 0x800 ? 2 : letter < 0x10000 ? 3 : 4; }

static void require_line(const char *text) {
    while (*text != '\0') {
        uint32_t letter = (unsigned char)*text++;
        size_t more = letter >= 0xF0 ? 3 : letter >= 0xE0 ? 2 : letter >= 0xC0 ? 1 : 0, bytes = more + 1;
        REQUIRE(letter < 0x80 || more > 0);
        letter &= more == 0 ? 0x7Fu : 0x3Fu >> more;
        for (; more > 0; more--) {
            REQUIRE_EQUAL((unsigned char)*text & 0xC0, 0x80);
            letter = letter << 6 | ((unsigned char)*text++ & 0x3F);
        }
        REQUIRE_EQUAL(bytes, bytes_of(letter));
        REQUIRE(may_stand(letter));
    }
}

/* ---- Texts ---- */

enum { TEXT_BYTES = 200 };

/* Letters of each length, the first and last ones of what is forbidden, and what is no UTF-8. */
static const char *const odd_parts[] = {"a",
                                        "\n",
                                        "\x1b",
                                        "\x7F",
                                        "\xC2\x80",
                                        "\xC2\x9F",
                                        "\xC2\xA0",
                                        "\xC3\xA4",
                                        "\xD8\x9C",
                                        "\xD8\x9D",
                                        "\xE2\x80\x8D",
                                        "\xE2\x80\x8E",
                                        "\xE2\x80\x8F",
                                        "\xE2\x80\x90",
                                        "\xE2\x80\xA7",
                                        "\xE2\x80\xA8",
                                        "\xE2\x80\xAE",
                                        "\xE2\x80\xAF",
                                        "\xE2\x81\xA5",
                                        "\xE2\x81\xA6",
                                        "\xE2\x81\xA9",
                                        "\xE2\x81\xAA",
                                        "\xEF\xBB\xBF",
                                        "\xEF\xBB\xBE",
                                        "\xED\x9F\xBF",
                                        "\xED\xA0\x80",
                                        "\xED\xBF\xBF",
                                        "\xEE\x80\x80",
                                        "\xF0\x9F\x98\x80",
                                        "\xF4\x8F\xBF\xBF",
                                        "\xF4\x90\x80\x80",
                                        "\xF5\x80\x80\x80",
                                        "\xC0\xAF",
                                        "\xE0\x80\xAF",
                                        "\xF0\x80\x80\xAF",
                                        "\x80",
                                        "\xFF",
                                        "\xE2\x82",
                                        "\xC3",
                                        "0"};

static const char *const name_parts[] = {"retain", "_",      "bytes", "HAKMEM_", "BURST", "percent", "e",     "purge",
                                         "delay",  "_ms",    "Thp",   "counter", "s",     "domains", "young", "x",
                                         "align",  "system", "calls", "on_",     "error", "HAK",     "debug", "stats"};

static void compose(char *text, const char *const *parts, size_t part_count, size_t count, Random *random) {
    size_t used = 0;
    for (; count > 0; count--) {
        const char *part = parts[random_below(random, part_count)];
        if (used + strlen(part) + 1 > TEXT_BYTES) break;
        memcpy(text + used, part, strlen(part));
        used += strlen(part);
    }
    text[used] = '\0';
}

static void require_message(const char *message, const char *beginning) {
    REQUIRE(strncmp(message, beginning, strlen(beginning)) == 0);
    require_line(message);
}

/* ---- Operations ---- */

static void set_odd_value(Random *random, size_t message_bytes) {
    static const char *const names[] = {"retain_bytes", "purge_delay_ms", "counters", "on_error", "domains", "thp"};
    char value[TEXT_BYTES], message[TEXT_BYTES * 2] = "";
    const char *name = names[random_below(random, sizeof names / sizeof *names)];
    hak_error_t error;
    compose(value, odd_parts, sizeof odd_parts / sizeof *odd_parts, 1 + random_below(random, 50), random);
    if (strspn(value, "0") == strlen(value)) return; /* it is a value */
    REQUIRE(hak_option_set(name, value, message, sizeof message) != 0);
    require_message(message, "option '");
    REQUIRE(strstr(message, name) != NULL && strstr(message, "' is not ") != NULL);
    REQUIRE(hak_control_option_set(name, value, &error) != 0);
    require_message(error.message, "option '");
    REQUIRE(hak_option_set(name, value, message, message_bytes) != 0);
    REQUIRE_OP(strlen(message), <, message_bytes);
    require_line(message);
}

/* The nearest option is one. */
static void require_nearest(const char *message) {
    static const char words[] = "the nearest is '";
    const char *start = strstr(message, words);
    char name[64] = "", value[64];
    if (start == NULL) return;
    size_t bytes = strcspn(start + sizeof words - 1, "'");
    REQUIRE_OP(bytes, <, sizeof name);
    memcpy(name, start + sizeof words - 1, bytes);
    REQUIRE_EQUAL(hak_option_get(name, value, sizeof value), 0);
}

static void set_odd_name(Random *random, bool is_of_odd_parts) {
    char name[TEXT_BYTES], value[64], message[TEXT_BYTES * 2] = "";
    if (is_of_odd_parts)
        compose(name, odd_parts, sizeof odd_parts / sizeof *odd_parts, 1 + random_below(random, 50), random);
    else
        compose(name, name_parts, sizeof name_parts / sizeof *name_parts, 1 + random_below(random, 5), random);
    if (strncmp(name, "retain_young_", strlen("retain_young_")) == 0) return; /* a former name would be announced */
    if (hak_option_get(name, value, sizeof value) == 0) return;
    REQUIRE_EQUAL(hak_option_set(name, "1", message, sizeof message), ENOENT);
    require_message(message, "there is no option '");
    require_nearest(message);
}

void do_text(Actor *actor, const Record *record) {
    Random random = random_start((uint64_t)record->a << 16 | record->b);
    (void)actor;
    if (record->a % 4 < 2)
        set_odd_value(&random, 1 + record->b % 100);
    else
        set_odd_name(&random, record->a % 4 == 2);
}
