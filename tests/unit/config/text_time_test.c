/*
 * Moments as of RFC 3339, and times of the day.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "config/text.h"

static int64_t moment(const char *text)
{
    int64_t wall_ms = -1;

    if (text_read_time(text, &wall_ms) != NULL)
        fail_msg("%s is refused", text);
    return wall_ms;
}

static void moments_are_read_with_their_zone(void **state)
{
    (void)state;
    assert_true(moment("1970-01-01T00:00:00Z") == 0);
    assert_true(moment("2026-11-22T10:41:40.123Z") == INT64_C(1795344100123));
    assert_true(moment("2026-11-22T10:41:40.1239Z") == INT64_C(1795344100123));
    assert_true(moment("2026-11-22t12:41:40+02:00") == moment("2026-11-22T10:41:40z"));
    assert_true(moment("2026-11-22T05:11:40-05:30") == moment("2026-11-22T10:41:40Z"));
    assert_true(moment("2024-02-29T00:00:00Z") - moment("2024-02-28T00:00:00Z") == 86400000);
    assert_true(moment("2100-03-01T00:00:00Z") - moment("2100-02-28T00:00:00Z") == 86400000);
}

static void what_is_written_is_read_again(void **state)
{
    static const int64_t moments[] = {0, 951782399999, 1795344100123, 4102444800001};
    char text[CLOCK_RFC3339_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++)
        assert_true(moment(clock_rfc3339(moments[i], text)) == moments[i]);
}

static void what_is_no_moment_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "now",
        "2026-11-22",
        "2026-11-22T10:41:40",
        "2026-11-22 10:41:40Z",
        "2026-11-22T10:41Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-00T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T10:60:00Z",
        "2026-11-22T10:00:61Z",
        "2026-11-22T10:00:00.Z",
        "2026-11-22T10:00:00Zx",
        "2026-11-22T10:00:00+2:00",
        "2026-11-22T10:00:00+24:00",
        "1969-12-31T23:59:59Z",
        "+026-11-22T10:00:00Z",
        "20261122T100000Z",
    };
    int64_t wall_ms = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (text_read_time(wrong[i], &wall_ms) == NULL)
            fail_msg("%s is taken", wrong[i]);
    assert_true(wall_ms == 7);
}

static void times_of_the_day_are_minutes(void **state)
{
    static const char *const wrong[] = {"",      "9:00",  "09:0",  "24:01",
                                        "25:00", "09:60", "09-00", "09:000"};
    uint16_t minutes = 0;

    (void)state;
    assert_null(text_read_clock("00:00", &minutes));
    assert_int_equal(minutes, 0);
    assert_null(text_read_clock("23:59", &minutes));
    assert_int_equal(minutes, 1439);
    assert_null(text_read_clock("24:00", &minutes));
    assert_int_equal(minutes, 1440);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_non_null(text_read_clock(wrong[i], &minutes));
    assert_int_equal(minutes, 1440);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_read_with_their_zone),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(what_is_no_moment_is_refused),
        cmocka_unit_test(times_of_the_day_are_minutes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
