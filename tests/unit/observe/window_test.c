/* window: what happened lately, exactly for the counts, within a bucket for the quantiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "observe/counters.h"
#include "observe/summary.h"
#include "observe/window.h"

static struct counters *counters;
static struct windows *windows;
static uint64_t now_ms;

static int setup(void **state)
{
    (void)state;
    now_ms = 5000000;
    counters = counters_new(2);
    windows = windows_new(counters, now_ms);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    windows_free(&windows);
    counters_free(&counters);
    return 0;
}

/* The next second, with `count` requests of `us` each to server `slot`, spread over workers. */
static void second_with(uint32_t slot, unsigned count, uint64_t us)
{
    for (unsigned i = 0; i < count; i++) {
        struct server_row *row = counters_server(counters, i % 2, slot);

        count_one(&row->requests);
        count_one(&row->responses[2]);
        histogram_note(&row->latency, us);
    }
    now_ms += 1000;
    windows_tick(windows, now_ms);
}

static struct summary_rates server_rates(uint32_t slot)
{
    struct summary *summary = windows_summary(windows, 42);
    struct summary_rates rates;

    assert_true(slot < summary->server_count);
    assert_int_equal(summary->wall_ms, 42);
    rates = summary->servers[slot];
    summary_free(&summary);
    assert_null(summary);
    return rates;
}

static void test_rates_are_over_the_time_there_was(void **state)
{
    uint32_t s1 = counters_slot(counters, SCOPE_SERVER, "shop", "s1");

    (void)state;
    second_with(s1, 30, 1000);
    assert_float_equal(server_rates(s1).requests_per_second, 30, 0.01);
    second_with(s1, 10, 1000);
    assert_float_equal(server_rates(s1).requests_per_second, 20, 0.01);
}

static void test_ten_and_sixty_seconds_pass(void **state)
{
    uint32_t s1 = counters_slot(counters, SCOPE_SERVER, "shop", "s1");

    (void)state;
    second_with(s1, 100, 1000);
    for (int i = 0; i < 9; i++)
        second_with(s1, 1, 1000);
    assert_int_equal(server_rates(s1).requests_10s, 109);
    second_with(s1, 1, 1000);
    assert_int_equal(server_rates(s1).requests_10s, 10);
    assert_int_equal(server_rates(s1).requests_60s, 110);
    for (int i = 0; i < 50; i++)
        second_with(s1, 0, 0);
    assert_int_equal(server_rates(s1).requests_10s, 0);
    assert_int_equal(server_rates(s1).requests_60s, 10);
    for (int i = 0; i < 9; i++)
        second_with(s1, 0, 0);
    assert_int_equal(server_rates(s1).requests_60s, 1);
    second_with(s1, 0, 0);
    assert_int_equal(server_rates(s1).requests_60s, 0);
    assert_int_equal(server_rates(s1).p99_us, 0);
}

static void test_quantiles_are_within_a_bucket(void **state)
{
    uint32_t s1 = counters_slot(counters, SCOPE_SERVER, "shop", "s1");
    struct summary_rates rates;

    (void)state;
    second_with(s1, 900, 2000);
    second_with(s1, 60, 20000);
    second_with(s1, 40, 3000000);
    rates = server_rates(s1);
    assert_in_range(rates.p50_us, 1792, 2048);
    assert_in_range(rates.p95_us, 16384, 20480);
    assert_in_range(rates.p99_us, 2621440, 3145728);
}

static void test_what_is_longer_than_the_last_edge_gives_that_edge(void **state)
{
    uint32_t s1 = counters_slot(counters, SCOPE_SERVER, "shop", "s1");

    (void)state;
    second_with(s1, 10, 3600000000u);
    assert_int_equal(server_rates(s1).p50_us, histogram_edge_us(HISTOGRAM_BUCKETS - 2));
}

static void test_latency_is_forgotten_after_a_minute(void **state)
{
    uint32_t s1 = counters_slot(counters, SCOPE_SERVER, "shop", "s1");

    (void)state;
    second_with(s1, 100, 500000);
    for (int i = 0; i < 61; i++)
        second_with(s1, 1, 1000);
    assert_in_range(server_rates(s1).p99_us, 896, 1024);
}

static void test_a_slot_that_was_cold_loses_nothing(void **state)
{
    uint32_t s1 = counters_slot(counters, SCOPE_SERVER, "shop", "s1");
    uint32_t s2 = counters_slot(counters, SCOPE_SERVER, "shop", "s2");

    (void)state;
    second_with(s1, 7, 1000);
    for (int i = 0; i < 200; i++)
        second_with(s2, 1, 1000);
    assert_int_equal(server_rates(s1).requests_60s, 0);
    second_with(s1, 5, 100000);
    assert_int_equal(server_rates(s1).requests_60s, 5);
    assert_in_range(server_rates(s1).p50_us, 98304, 114688);
    assert_int_equal(server_rates(s2).requests_60s, 59);
}

static void test_errors_are_answers_of_5xx_and_failed_attempts(void **state)
{
    uint32_t s1 = counters_slot(counters, SCOPE_SERVER, "shop", "s1");

    (void)state;
    count_add(&counters_server(counters, 0, s1)->responses[5], 3);
    count_add(&counters_server(counters, 1, s1)->failures, 2);
    second_with(s1, 10, 1000);
    assert_float_equal(server_rates(s1).errors_per_second, 5, 0.01);
    for (int i = 0; i < 10; i++)
        second_with(s1, 1, 1000);
    assert_float_equal(server_rates(s1).errors_per_second, 0, 0.01);
}

static void test_the_process_counts_what_listeners_took(void **state)
{
    uint32_t web = counters_slot(counters, SCOPE_LISTENER, NULL, "web");
    uint32_t all = counters_slot(counters, SCOPE_ROUTE, NULL, "all");
    uint32_t api = counters_slot(counters, SCOPE_ROUTE, NULL, "api");
    struct summary *summary;

    (void)state;
    for (int second = 0; second < 3; second++) {
        count_add(&counters_listener(counters, 0, web)->requests, 4);
        count_one(&counters_listener(counters, 1, web)->responses[5]);
        count_add(&counters_route(counters, 0, all)->requests, 3);
        count_add(&counters_route(counters, 1, api)->requests, 1);
        for (int i = 0; i < 3; i++)
            histogram_note(&counters_route(counters, 0, all)->latency, 1000);
        histogram_note(&counters_route(counters, 1, api)->latency, 50000);
        now_ms += 1000;
        windows_tick(windows, now_ms);
    }
    summary = windows_summary(windows, 0);
    assert_float_equal(summary->process.requests_per_second, 4, 0.01);
    assert_float_equal(summary->process.errors_per_second, 1, 0.01);
    assert_in_range(summary->process.p50_us, 896, 1024);
    assert_in_range(summary->process.p99_us, 49152, 57344);
    assert_int_equal(summary->routes[all].requests_10s, 9);
    assert_int_equal(summary->routes[api].requests_10s, 3);
    assert_int_equal(summary->route_count, 3);
    assert_int_equal(summary->pool_count, 1);
    summary_free(&summary);
}

static void test_late_and_early_ticks_keep_the_sums_right(void **state)
{
    uint32_t s1 = counters_slot(counters, SCOPE_SERVER, "shop", "s1");

    (void)state;
    second_with(s1, 10, 1000);
    now_ms += 2700; /* late */
    second_with(s1, 10, 1000);
    now_ms -= 990; /* early: the same second again */
    second_with(s1, 10, 1000);
    assert_int_equal(server_rates(s1).requests_10s, 30);
    now_ms += 500000; /* the machine slept */
    second_with(s1, 10, 1000);
    assert_int_equal(server_rates(s1).requests_10s, 10);
    assert_int_equal(server_rates(s1).requests_60s, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rates_are_over_the_time_there_was),
        TEST(test_ten_and_sixty_seconds_pass),
        TEST(test_quantiles_are_within_a_bucket),
        TEST(test_what_is_longer_than_the_last_edge_gives_that_edge),
        TEST(test_latency_is_forgotten_after_a_minute),
        TEST(test_a_slot_that_was_cold_loses_nothing),
        TEST(test_errors_are_answers_of_5xx_and_failed_attempts),
        TEST(test_the_process_counts_what_listeners_took),
        TEST(test_late_and_early_ticks_keep_the_sums_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
