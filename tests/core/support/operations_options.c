/*
 * support/operations_options.c - options are set while the core runs, rightly and wrongly.
 */
#include <errno.h>
#include <hakmem_control.h>
#include <string.h>

#include "support/operations_table.h"
#include "support/require.h"
#include "support/stats.h"

/* ---- Right ---- */

static const char *const settings[][2] = {
    {"purge_delay_ms", "0"},
    {"purge_delay_ms", "1"},
    {"purge_delay_ms", "250"},
    {"purge_delay_ms", "20"},
    {"retain_bytes", "0"},
    {"retain_bytes", "4194304"},
    {"retain_bytes", "65536"},
    {"retain_burst_bytes", "0"},
    {"retain_burst_bytes", "16777216"},
    {"retain_burst_bytes", "1048576"},
    {"retain_percent", "0"},
    {"retain_percent", "1000"},
    {"retain_burst_percent", "0"},
    {"retain_burst_percent", "25"},
    {"counters", "1"},
    {"counters", "0"},
    {"retain_bytes", "9223372036854775807"},
    {"retain_percent", "5"},
    {"first_thread_bytes", "262144"},
    {"first_thread_bytes", "9223372036854775807"},
    {"first_thread_bytes", "0"},
    {"deepbind", "keep"},
    {"learn", "0"},
    {"learn", "window"},
    {"learn", "burst"},
    {"learn", "1"},
};

void do_option(Actor *actor, const Record *record) {
    const char *const *setting = settings[record->a % (sizeof settings / sizeof *settings)];
    hak_option_value_t value;
    (void)actor;
    if (record->b % 4 == 0)
        REQUIRE_EQUAL(hak_control_option_set(setting[0], setting[1], NULL), 0);
    else
        stats_option_set(setting[0], setting[1]);
    REQUIRE_EQUAL(hak_control_option_get(setting[0], &value, NULL), 0);
}

/* ---- Wrong ---- */

typedef struct WrongOption {
    const char *name, *value;
    int error;
} WrongOption;

void do_wrong_option(Actor *actor, const Record *record) {
    static const WrongOption wrong[] = {
        {NULL, "1", EINVAL},
        {"retain_bytes", NULL, EINVAL},
        {"retain_byte", "1", ENOENT},
        {"HAKMEM_RETAIN_BYTES", "1", ENOENT},
        {"", "", ENOENT},
        {"retain_bytes", "-5", ERANGE},
        {"retain_bytes", "", EINVAL},
        {"retain_bytes", "-", EINVAL},
        {"retain_bytes", "9999999999999999999999", ERANGE},
        {"purge_delay_ms", "3600001", ERANGE},
        {"thp", "never", EPERM},
        {"thp", "often", EINVAL},
        {"counters", "2", EINVAL},
        {"domains", "mem,obj,else", EINVAL},
        {"domains", "mem", EPERM},
        {"delay", "1", ENOENT},
        {"a_name_of_more_letters_than_any_option_has_or_will_ever_have", "1", ENOENT},
        {"retain_bytes",
         "a value\nwith a line break and more letters than fit into the eighty that are shown "
         "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4",
         EINVAL},
    };
    const WrongOption *one = &wrong[record->a % (sizeof wrong / sizeof *wrong)];
    char message[300] = "", value[64] = "";
    size_t message_bytes = record->b % sizeof message;
    hak_error_t error;
    (void)actor;
    REQUIRE_EQUAL(hak_option_set(one->name, one->value, message, message_bytes), one->error);
    REQUIRE_AT_MOST(strlen(message), message_bytes);
    REQUIRE(hak_control_option_set(one->name, one->value, &error) != 0 && error.code != 0 && error.message[0] != '\0');
    REQUIRE_EQUAL(hak_option_set(one->name, one->value, NULL, 7), one->error);
    if (one->error == ENOENT) {
        hak_option_value_t number;
        REQUIRE_EQUAL(hak_option_get(one->name, value, sizeof value), ENOENT);
        REQUIRE_EQUAL(hak_control_option_get(one->name, &number, NULL), HAK_ERROR_NAME);
    }
    REQUIRE_EQUAL(hak_option_get("retain_bytes", value, 1), ERANGE);
    REQUIRE_EQUAL(hak_option_get("retain_bytes", NULL, 1), EINVAL);
}
