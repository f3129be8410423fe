/*
 * Ages of free OS pages are counted in 32 bits of milliseconds: what has waited for weeks is old, what was queued a
 * moment after the clock was read is young.
 */
#include "support/suite.h"

#include "platform/os.h"

static void ages_across_the_wrap(void **state) {
    (void)state;
    const uint32_t day_ms = 86400000u;
    for (unsigned now_days = 0; now_days < 60; now_days++) {
        uint32_t now_ms = now_days * day_ms;
        REQUIRE(os_has_aged(now_ms, now_ms, 0));
        REQUIRE(!os_has_aged(now_ms, now_ms, 1));
        REQUIRE(os_has_aged(now_ms, now_ms - 250, 250));
        REQUIRE(!os_has_aged(now_ms, now_ms - 249, 250));
        REQUIRE(!os_has_aged(now_ms, now_ms + 10, 0));
        for (unsigned days = 1; days < 49; days++) REQUIRE(os_has_aged(now_ms, now_ms - days * day_ms, 250));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ages_across_the_wrap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
