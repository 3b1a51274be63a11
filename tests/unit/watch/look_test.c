/*
 * look_test - threads that fall silent, a log that loses lines, receivers that take nothing.
 *
 * Threads  the first
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "observe/alert_report.h"
#include "observe/counters.h"
#include "observe/summary.h"
#include "watch/internal.h"

static struct watch *watch;
static struct counters *counters;
static uint64_t checks_ms;
static bool drifts;

static uint64_t checks_seen(void *context)
{
    (void)context;
    return checks_ms;
}

static bool does_drift(void *context)
{
    (void)context;
    return drifts;
}

static int begin(void **state)
{
    (void)state;
    checks_ms = clock_ms();
    drifts = false;
    counters = counters_new(1);
    watch = watch_new(&(struct watch_options){
        .counters = counters,
        .worker_count = 1,
        .configuration_directory = "/etc/twokey/conf.d",
        .has_drift = does_drift,
        .prober_seen_ms = checks_seen,
    });
    return 0;
}

static int end(void **state)
{
    (void)state;
    watch_free(&watch);
    counters_free(&counters);
    return 0;
}

/* The names of what is raised, with commas. */
static const char *raised(char out[256])
{
    json_t *list = watch_alerts(watch), *alert;
    size_t i, used = 0;

    out[0] = '\0';
    json_array_foreach(list, i, alert) used +=
        (size_t)snprintf(out + used, 256 - used, "%s%s", i > 0 ? "," : "",
                         json_string_value(json_object_get(alert, "name")));
    json_decref(list);
    return out;
}

#define RAISED() raised((char[256]){0})

static void nothing_is_wrong_at_first(void **state)
{
    (void)state;
    watch_second(watch);
    assert_string_equal(RAISED(), "");
}

static void drift_is_told_as_long_as_it_lasts(void **state)
{
    (void)state;
    drifts = true;
    assert_string_equal(RAISED(), "Drift");
    drifts = false;
    assert_string_equal(RAISED(), "");
}

static void a_thread_that_falls_silent_is_noticed(void **state)
{
    (void)state;
    checks_ms = clock_ms() - 29000;
    assert_string_equal(RAISED(), "");
    checks_ms = clock_ms() - 31000;
    assert_string_equal(RAISED(), "ChecksSilent");
    watch->observer_seen_ms = clock_ms() - 31000;
    assert_string_equal(RAISED(), "ObserverSilent,ChecksSilent");
}

static void what_never_spoke_is_not_silent(void **state)
{
    (void)state;
    checks_ms = 0;
    assert_string_equal(RAISED(), "");
}

static void lines_that_are_dropped_count_by_the_second(void **state)
{
    struct summary summary = {.log_lines_dropped = 40, .is_log_failing = true};

    (void)state;
    look_at_summary(watch, &summary);
    assert_int_equal(watch->log_lines_dropped, 40);
    assert_true(watch->is_log_failing);
    assert_true(watch->observer_seen_ms > 0);
    look_at_summary(watch, &summary);
    assert_int_equal(watch->log_lines_dropped, 0);
    summary.log_lines_dropped = 47;
    look_at_summary(watch, &summary);
    assert_int_equal(watch->log_lines_dropped, 7);
}

static struct alert_report *report_of(size_t count)
{
    struct alert_report *report =
        xcalloc(1, sizeof(*report) + count * sizeof(struct alert_receiver));

    report->count = count;
    return report;
}

static void fails(struct alert_receiver *receiver, const char *name, const char *why)
{
    receiver->failing_since_ms = 1;
    snprintf(receiver->name, sizeof(receiver->name), "%s", name);
    snprintf(receiver->why, sizeof(receiver->why), "%s", why);
}

static void receivers_that_take_nothing_are_one_alert(void **state)
{
    struct alert_report *report = report_of(3);
    const char *text;

    (void)state;
    report->receivers[0].delivered = 3;
    fails(&report->receivers[1], "webhook http://b", "it answered 500");
    fails(&report->receivers[2], "webhook http://c", "Connection refused");
    watch_take_report(watch, report);
    assert_ptr_equal(watch_report(watch), report);
    assert_non_null(watch->undeliverable);
    text = json_string_value(json_object_get(watch->undeliverable, "summary"));
    assert_string_equal(text, "alerts do not reach 2 of 3 receivers");
    text = json_string_value(json_object_get(watch->undeliverable, "description"));
    assert_non_null(
        strstr(text, "webhook http://b: it answered 500; webhook http://c: Connection refused"));
    watch_take_report(watch, report_of(1));
    assert_null(watch->undeliverable);
}

static void as_many_as_there_may_be_fit(void **state)
{
    struct alert_report *report = report_of(64);

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        struct alert_receiver *receiver = &report->receivers[i];

        receiver->failing_since_ms = 1;
        memset(receiver->name, 'n', sizeof(receiver->name) - 1);
        memset(receiver->why, 'w', sizeof(receiver->why) - 1);
    }
    watch_take_report(watch, report);
    assert_non_null(watch->undeliverable);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_wrong_at_first),
        TEST(drift_is_told_as_long_as_it_lasts),
        TEST(a_thread_that_falls_silent_is_noticed),
        TEST(what_never_spoke_is_not_silent),
        TEST(lines_that_are_dropped_count_by_the_second),
        TEST(receivers_that_take_nothing_are_one_alert),
        TEST(as_many_as_there_may_be_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
