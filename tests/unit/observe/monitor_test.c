/* monitor: what wakes somebody, how soon, and what does not; on a clock of its own. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/observe/streams.h"

/* All requests go to server `to` from now on. */
static void turn_all_to(struct stream *stream, size_t to)
{
    for (size_t i = 0; i < stream->count; i++)
        stream->shares[i] = i == to;
}

static bool is_raised(const struct monitor *monitor, enum monitor_rule rule)
{
    return monitor_alarm(monitor, rule)->is_raised;
}

static bool is_anything_raised(const struct monitor *monitor)
{
    for (unsigned rule = 0; rule < RULE_COUNT; rule++)
        if (is_raised(monitor, (enum monitor_rule)rule))
            return true;
    return false;
}

/* Seconds until somebody is woken; 0: not within `most_s`. */
static uint64_t seconds_to_page(struct stream *stream, struct monitor *monitor, uint64_t most_s)
{
    uint64_t began_s = stream->now_s;

    while (stream->now_s - began_s < most_s) {
        stream_run(stream, monitor, 1);
        if (stream_is_paged(monitor))
            return stream->now_s - began_s;
    }
    return 0;
}

/* What is due by weights is what comes, so only the capacities can object. */
static struct monitor *after_such_a_change(struct stream *stream, size_t count, double rate)
{
    struct monitor *monitor;
    double equal[STREAM_SERVERS];

    stream_init(stream, STREAM_MULTINOMIAL, count, rate, count);
    for (size_t i = 0; i < count; i++)
        equal[i] = 1.0 / (double)count;
    monitor = stream_monitor(stream);
    stream_run(stream, monitor, 60);
    assert_false(is_anything_raised(monitor));
    turn_all_to(stream, 0);
    monitor_due(monitor, stream->shares, equal);
    monitor_change(monitor, stream->now_s);
    return monitor;
}

static void test_all_to_one_wakes_somebody_within_forty_seconds_at_100_a_second(void **state)
{
    static const size_t counts[] = {2, 3, 4, 5, 8, 10, 20, 50};

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct stream stream;
        struct monitor *monitor = after_such_a_change(&stream, counts[i], 100);

        assert_in_range(seconds_to_page(&stream, monitor, 600), 1, 40);
        assert_int_equal(monitor_state(monitor, REF_CAPACITY), DISTRIBUTION_PAGE);
        monitor_free(&monitor);
    }
}

static void test_it_takes_longer_the_fewer_requests_there_are(void **state)
{
    struct stream stream;
    struct monitor *monitor = after_such_a_change(&stream, 4, 1);

    (void)state;
    assert_in_range(seconds_to_page(&stream, monitor, 600), 40, 90);
    monitor_free(&monitor);
    monitor = after_such_a_change(&stream, 4, 0.1);
    assert_in_range(seconds_to_page(&stream, monitor, 3600), 240, 600);
    monitor_free(&monitor);
}

static void test_three_quarters_to_one_of_four_is_seen(void **state)
{
    static const double shares[] = {.75, .09, .08, .08};
    static const double equal[] = {.25, .25, .25, .25};
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    stream_init(&stream, STREAM_MULTINOMIAL, 4, 50, 7);
    memcpy(stream.shares, shares, sizeof(shares));
    monitor = stream_monitor(&stream);
    monitor_due(monitor, shares, equal);
    assert_in_range(seconds_to_page(&stream, monitor, 600), 1, 60);
    assert_true(is_raised(monitor, RULE_OVER_CAPACITY));
    assert_int_equal(monitor_alarm(monitor, RULE_OVER_CAPACITY)->server, 0);
    assert_false(is_raised(monitor, RULE_OVER_CONFIGURED)); /* as configured, but wrong */
    monitor_free(&monitor);
}

static void test_three_quarters_to_one_of_two_is_seen_by_the_slow_rule(void **state)
{
    static const double shares[] = {.75, .25};
    static const double equal[] = {.5, .5};
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    stream_init(&stream, STREAM_MULTINOMIAL, 2, 50, 7);
    memcpy(stream.shares, shares, sizeof(shares));
    monitor = stream_monitor(&stream);
    monitor_due(monitor, shares, equal);
    assert_true(seconds_to_page(&stream, monitor, 900) > 0);
    assert_true(is_raised(monitor, RULE_OVER_CAPACITY));
    monitor_free(&monitor);
}

static void test_a_third_more_than_its_part_wakes_nobody(void **state)
{
    static const double shares[] = {.325, .225, .225, .225};
    static const double equal[] = {.25, .25, .25, .25};
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    stream_init(&stream, STREAM_MULTINOMIAL, 4, 500, 7);
    memcpy(stream.shares, shares, sizeof(shares));
    monitor = stream_monitor(&stream);
    monitor_due(monitor, shares, equal);
    stream_run(&stream, monitor, 1000);
    assert_false(is_anything_raised(monitor));
    assert_int_equal(monitor_state(monitor, REF_CAPACITY), DISTRIBUTION_OK);
    monitor_free(&monitor);
}

static void test_without_requests_nothing_is_said_not_even_that_it_is_well(void **state)
{
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    stream_init(&stream, STREAM_MULTINOMIAL, 4, 0.005, 1);
    monitor = stream_monitor(&stream);
    assert_int_equal(monitor_state(monitor, REF_CAPACITY), DISTRIBUTION_INSUFFICIENT);
    stream_run(&stream, monitor, 90);
    for (unsigned ref = 0; ref < REF_COUNT; ref++)
        assert_int_equal(monitor_state(monitor, (enum distribution_ref)ref),
                         DISTRIBUTION_INSUFFICIENT);
    assert_false(monitor_window(monitor, 2, NULL).is_enough[REF_CAPACITY]);
    monitor_free(&monitor);
}

static void test_few_requests_make_a_ticket_until_a_quarter_of_an_hour_agrees(void **state)
{
    struct stream stream;
    struct monitor *monitor = after_such_a_change(&stream, 20, 0.3);

    (void)state;
    /* eleven are enough among 20, and 18 a minute are too few to wake somebody by a minute alone */
    stream_run(&stream, monitor, 9);
    assert_true(is_raised(monitor, RULE_OVER_CAPACITY));
    assert_true(seconds_to_page(&stream, monitor, 900) > 0);
    monitor_free(&monitor);
}

/* Turns until this rule is raised, or is no more. */
static unsigned turns_until(struct stream *stream, struct monitor *monitor, enum monitor_rule rule,
                            bool is_wanted)
{
    unsigned turns = 0;

    while (is_raised(monitor, rule) != is_wanted && turns < 500) {
        stream_run(stream, monitor, 1);
        turns++;
    }
    return turns;
}

static void test_a_moment_is_not_enough(void **state)
{
    struct stream stream;
    struct monitor *monitor = after_such_a_change(&stream, 4, 100);

    (void)state;
    stream_run(&stream, monitor, 1);
    stream_equal(&stream);
    for (unsigned i = 0; i < 30; i++) {
        stream_run(&stream, monitor, 1);
        assert_false(is_raised(monitor, RULE_OVER_CAPACITY));
        assert_false(is_raised(monitor, RULE_CONCENTRATION));
    }
    monitor_free(&monitor);
}

static void test_an_alarm_is_cleared_after_five_minutes_of_order(void **state)
{
    struct stream stream;
    struct monitor *monitor = after_such_a_change(&stream, 4, 100);

    (void)state;
    assert_in_range(turns_until(&stream, monitor, RULE_OVER_CAPACITY, true), 3, 3);
    stream_equal(&stream);
    assert_in_range(turns_until(&stream, monitor, RULE_OVER_CAPACITY, false), 30, 40);
    monitor_free(&monitor);
}

static void test_what_flaps_stays_raised_for_a_quarter_of_an_hour(void **state)
{
    struct stream stream;
    struct monitor *monitor = after_such_a_change(&stream, 4, 100);

    (void)state;
    for (unsigned flap = 0; flap < 3; flap++) {
        turn_all_to(&stream, 0);
        assert_in_range(turns_until(&stream, monitor, RULE_OVER_CAPACITY, true), 3, 12);
        stream_equal(&stream);
        assert_in_range(turns_until(&stream, monitor, RULE_OVER_CAPACITY, false),
                        flap < 2 ? 30 : 90, flap < 2 ? 40 : 100);
    }
    monitor_free(&monitor);
}

static void test_silence_ends_an_alarm(void **state)
{
    struct stream stream;
    struct monitor *monitor = after_such_a_change(&stream, 4, 100);

    (void)state;
    assert_true(seconds_to_page(&stream, monitor, 60) > 0);
    stream.rate = 0;
    stream_run(&stream, monitor, 150);
    assert_false(is_anything_raised(monitor));
    assert_true(monitor_is_idle(monitor));
    stream_equal(&stream);
    stream.rate = 10;
    stream_run(&stream, monitor, 6);
    assert_int_equal(monitor_state(monitor, REF_CAPACITY), DISTRIBUTION_OK);
    monitor_free(&monitor);
}

/* One of four serves nobody while it is down, and others get its part. */
static void test_a_server_that_is_down_for_a_while_is_expected_to_get_less(void **state)
{
    static const double three[] = {1 / 3.0, 1 / 3.0, 1 / 3.0, 0};
    static const double equal[] = {.25, .25, .25, .25};
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    stream_init(&stream, STREAM_ROUND_ROBIN, 4, 100, 1);
    monitor = stream_monitor(&stream);
    for (unsigned flap = 0; flap < 200; flap++) {
        bool is_down = flap % 2 == 1;

        stream.count = is_down ? 3 : 4;
        monitor_due(monitor, is_down ? three : equal, equal);
        for (unsigned i = 0; i < 5; i++) {
            struct monitor_counts counts[STREAM_SERVERS] = {0};

            stream_bucket(&stream, counts);
            stream_tell(&stream, monitor, counts);
        }
        assert_false(is_anything_raised(monitor));
    }
    monitor_free(&monitor);
}

static void test_what_is_due_is_measured_second_by_second(void **state)
{
    static const double equal[] = {.5, .5};
    static const double one[] = {1, 0};
    struct monitor_counts counts[] = {{.attempts = 150}, {.attempts = 50}};
    struct monitor_share shares[2];
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    stream_init(&stream, STREAM_MULTINOMIAL, 2, 0, 1);
    monitor = stream_monitor(&stream);
    monitor_second(monitor, 100);
    monitor_due(monitor, one, equal); /* in the middle of that second, for all one knows */
    monitor_second(monitor, 100);
    monitor_count(monitor, counts, NULL);
    monitor_turn(monitor, stream.now_s + 10, NULL);
    (void)monitor_window(monitor, 0, shares);
    /* 50 of the 200 came under equal shares, 150 under the others */
    assert_true(fabs(shares[1].expected[REF_CONFIGURED] - 0.125) < 1e-6);
    assert_true(fabs(shares[1].expected[REF_CAPACITY] - 0.5) < 1e-6);
    assert_true(fabs(shares[0].share - 0.75) < 1e-9);
    monitor_free(&monitor);
}

static void test_a_starved_server_is_a_ticket(void **state)
{
    static const double equal[] = {.25, .25, .25, .25};
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    stream_init(&stream, STREAM_MULTINOMIAL, 4, 20, 3);
    monitor = stream_monitor(&stream);
    stream.shares[3] = 0;
    for (size_t i = 0; i < 3; i++)
        stream.shares[i] = 1 / 3.0;
    monitor_due(monitor, equal, equal);
    stream_run(&stream, monitor, 12);
    assert_true(is_raised(monitor, RULE_STARVED));
    assert_int_equal(monitor_alarm(monitor, RULE_STARVED)->server, 3);
    assert_false(stream_is_paged(monitor));
    assert_int_equal(monitor_state(monitor, REF_CONFIGURED), DISTRIBUTION_WARN);
    monitor_free(&monitor);
}

static void test_the_first_minute_is_not_held_against_the_weights(void **state)
{
    static const double equal[] = {.25, .25, .25, .25};
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    stream_init(&stream, STREAM_MULTINOMIAL, 4, 20, 3);
    turn_all_to(&stream, 1);
    monitor = stream_monitor(&stream);
    monitor_due(monitor, equal, equal);
    stream_run(&stream, monitor, 5);
    assert_true(is_raised(monitor, RULE_CONCENTRATION)); /* that is never inhibited */
    assert_false(is_raised(monitor, RULE_OVER_CONFIGURED));
    stream_run(&stream, monitor, 4);
    assert_true(is_raised(monitor, RULE_OVER_CONFIGURED));
    monitor_free(&monitor);
}

static void test_where_one_stands_by_only_overload_counts(void **state)
{
    static const double one[] = {1, 0};
    struct monitor_traits traits = {.is_standby = true};
    struct monitor_limits limits[] = {{.capacity_rps = 100}, {.capacity_rps = 100}};
    struct monitor_counts counts[] = {{.attempts = 950}, {.attempts = 10}};
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    stream_init(&stream, STREAM_MULTINOMIAL, 2, 50, 3);
    turn_all_to(&stream, 0);
    monitor = stream_monitor(&stream);
    monitor_describe(monitor, &traits);
    monitor_due(monitor, one, one);
    stream_run(&stream, monitor, 120);
    assert_false(is_anything_raised(monitor));
    assert_int_equal(monitor_state(monitor, REF_CAPACITY), DISTRIBUTION_OK);
    monitor_due(monitor, (double[]){.99, .01}, one);
    for (unsigned i = 0; i < 12; i++) {
        monitor_second(monitor, 960);
        monitor_count(monitor, counts, NULL);
        stream.now_s += 10;
        monitor_turn(monitor, stream.now_s, limits);
    }
    assert_true(monitor_alarm(monitor, RULE_OVERLOAD)->is_page);
    assert_int_equal(monitor_alarm(monitor, RULE_OVERLOAD)->server, 0);
    monitor_free(&monitor);
}

static void test_a_server_that_fails_fast_and_gets_more_is_a_sinkhole(void **state)
{
    struct monitor_counts counts[] = {
        {.attempts = 100, .answers = 100, .errors = 1, .latency_us = 100 * 20000.0},
        {.attempts = 200, .answers = 200, .errors = 150, .latency_us = 200 * 1000.0},
        {.attempts = 100, .answers = 100, .errors = 1, .latency_us = 100 * 22000.0},
        {.attempts = 100, .answers = 100, .errors = 1, .latency_us = 100 * 18000.0},
    };
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    stream_init(&stream, STREAM_MULTINOMIAL, 4, 50, 3);
    monitor = stream_monitor(&stream);
    for (unsigned i = 0; i < 3; i++) {
        monitor_second(monitor, 500);
        monitor_count(monitor, counts, NULL);
        stream.now_s += 10;
        monitor_turn(monitor, stream.now_s, NULL);
    }
    assert_true(monitor_alarm(monitor, RULE_SINKHOLE)->is_page);
    assert_int_equal(monitor_alarm(monitor, RULE_SINKHOLE)->server, 1);
    monitor_free(&monitor);
    /* as slow as the others, it is no sinkhole */
    counts[1].latency_us = 200 * 20000.0;
    stream_init(&stream, STREAM_MULTINOMIAL, 4, 50, 3);
    monitor = stream_monitor(&stream);
    for (unsigned i = 0; i < 3; i++) {
        monitor_second(monitor, 500);
        monitor_count(monitor, counts, NULL);
        stream.now_s += 10;
        monitor_turn(monitor, stream.now_s, NULL);
    }
    assert_false(is_raised(monitor, RULE_SINKHOLE));
    monitor_free(&monitor);
}

static void test_a_skew_that_no_rule_sees_is_found_in_time_and_wakes_nobody(void **state)
{
    static const double equal[] = {.25, .25, .25, .25};
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    stream_init(&stream, STREAM_MULTINOMIAL, 4, 50, 11);
    monitor = stream_monitor(&stream);
    memcpy(stream.shares, (double[]){.33, .23, .22, .22}, 4 * sizeof(double));
    monitor_due(monitor, equal, equal);
    stream_run(&stream, monitor, 60);
    assert_true(is_raised(monitor, RULE_SKEW));
    assert_false(is_raised(monitor, RULE_OVER_CONFIGURED));
    assert_false(stream_is_paged(monitor));
    monitor_free(&monitor);
}

static void test_what_was_before_a_change_is_a_reference_after_it(void **state)
{
    struct stream stream;
    struct monitor *monitor = after_such_a_change(&stream, 4, 50);
    struct monitor_share shares[4];
    struct monitor_epoch epoch;

    (void)state;
    stream_run(&stream, monitor, 4);
    (void)monitor_window(monitor, 0, shares);
    /* only one serves now: what was before is renormalised over it */
    assert_true(shares[0].expected[REF_PREVIOUS] > 0.999);
    monitor_due(monitor, (double[]){.97, .01, .01, .01}, (double[]){.25, .25, .25, .25});
    stream_run(&stream, monitor, 9);
    (void)monitor_window(monitor, 0, shares);
    assert_true(fabs(shares[0].expected[REF_PREVIOUS] - .25) < .02);
    assert_true(is_raised(monitor, RULE_OVER_PREVIOUS));
    assert_int_equal(monitor_state(monitor, REF_PREVIOUS), DISTRIBUTION_WARN);
    epoch = monitor_epoch(monitor);
    assert_in_range(epoch.requests, 13 * 400, 13 * 600);
    assert_int_equal(epoch.picks[0], epoch.requests);
    assert_int_equal(epoch.picks[1], 0);
    assert_false(epoch.was_over[REF_CAPACITY]);
    monitor_free(&monitor);
}

static void test_what_was_wrong_before_a_change_is_known_to_be(void **state)
{
    struct stream stream;
    struct monitor *monitor = after_such_a_change(&stream, 4, 50);

    (void)state;
    stream_run(&stream, monitor, 10);
    monitor_change(monitor, stream.now_s);
    assert_true(monitor_epoch(monitor).was_over[REF_CAPACITY]);
    assert_int_equal(monitor_epoch(monitor).requests, 0);
    monitor_free(&monitor);
}

static void test_servers_keep_what_was_seen_of_them_when_others_come_and_go(void **state)
{
    static const int from[] = {2, MONITOR_NEW, 0}; /* the second has gone */
    struct monitor_share before[3], after[3];
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    stream_init(&stream, STREAM_MULTINOMIAL, 3, 50, 5);
    memcpy(stream.shares, (double[]){.9, .05, .05}, 3 * sizeof(double));
    monitor = stream_monitor(&stream);
    stream_run(&stream, monitor, 6);
    (void)monitor_window(monitor, 0, before);
    assert_int_equal(monitor_alarm(monitor, RULE_OVER_CAPACITY)->server, 0);
    monitor_shape(monitor, 3, from);
    (void)monitor_window(monitor, 0, after);
    assert_int_equal(after[0].picks, before[2].picks);
    assert_int_equal(after[1].picks, 0);
    assert_int_equal(after[2].picks, before[0].picks);
    assert_true(is_raised(monitor, RULE_OVER_CAPACITY));
    assert_int_equal(monitor_alarm(monitor, RULE_OVER_CAPACITY)->server, 2);
    monitor_shape(monitor, 1, (int[]){1});
    assert_false(is_anything_raised(monitor)); /* it has gone, and its alarm */
    monitor_free(&monitor);
}

static void test_sessions_count_where_cookies_hold_clients(void **state)
{
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    /* four sessions, each a hundred requests a second: four independent things, not thousands */
    stream_init(&stream, STREAM_STICKY, 4, 400, 9);
    stream.session_rate = 100;
    stream.session_s = 600;
    monitor = stream_monitor(&stream);
    stream_run(&stream, monitor, 300);
    assert_false(stream_is_paged(monitor));
    monitor_free(&monitor);
    /* four hundred sessions on one server are something else */
    stream_init(&stream, STREAM_STICKY, 4, 400, 9);
    stream.session_rate = 1;
    stream.session_s = 120;
    monitor = stream_monitor(&stream);
    turn_all_to(&stream, 2);
    stream_run(&stream, monitor, 60);
    assert_true(stream_is_paged(monitor));
    assert_int_equal(monitor_alarm(monitor, RULE_OVER_CAPACITY)->server, 2);
    monitor_free(&monitor);
}

/* As a sinkhole makes it: nobody changed anything, and in the middle of a bucket requests go
 * elsewhere.  Buckets differ then, which is no reason to believe each of them less. */
static void test_shares_that_turn_by_themselves_are_seen_however_young_the_process_is(void **state)
{
    static const double equal[] = {.25, .25, .25, .25};
    static const double sinkhole[] = {.107, .68, .107, .106};
    static const unsigned buckets_before[] = {0, 1, 2, 3, 6, 30, 90, 200};

    (void)state;
    for (size_t b = 0; b < sizeof(buckets_before) / sizeof(buckets_before[0]); b++)
        for (unsigned seed = 0; seed < 5; seed++) {
            struct stream stream;
            struct monitor *monitor;

            stream_init(&stream, STREAM_MULTINOMIAL, 4, 60, seed);
            monitor = stream_monitor(&stream);
            monitor_due(monitor, equal, equal);
            stream_run(&stream, monitor, buckets_before[b]);
            for (size_t i = 0; i < 4; i++)
                stream.shares[i] = (equal[i] + sinkhole[i]) / 2;
            stream_run(&stream, monitor, 1);
            memcpy(stream.shares, sinkhole, sizeof(sinkhole));
            assert_in_range(seconds_to_page(&stream, monitor, 600), 10, 80);
            assert_int_equal(monitor_alarm(monitor, RULE_OVER_CAPACITY)->server, 1);
            monitor_free(&monitor);
        }
}

/* Clumps are seen as such although every few buckets look as if their shares had turned. */
static void test_clumps_are_no_turn(void **state)
{
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    for (unsigned seed = 0; seed < 20; seed++) {
        stream_init(&stream, STREAM_BURSTY, 4, 20, seed);
        monitor = stream_monitor(&stream);
        stream_run(&stream, monitor, 90);
        assert_true(monitor_dispersion(monitor, REF_CAPACITY, 0) > 3.5);
        assert_false(stream_is_paged(monitor));
        monitor_free(&monitor);
    }
}

static void test_dispersion_is_learnt_from_clumps(void **state)
{
    struct stream stream;
    struct monitor *monitor;

    (void)state;
    stream_init(&stream, STREAM_BURSTY, 4, 20, 5);
    monitor = stream_monitor(&stream);
    stream_run(&stream, monitor, 6 * 120);
    /* clumps of four on average, geometric: requests vary seven times as much */
    assert_true(monitor_dispersion(monitor, REF_CAPACITY, 0) > 4);
    assert_true(monitor_dispersion(monitor, REF_CAPACITY, 0) < 11);
    monitor_free(&monitor);
    stream_init(&stream, STREAM_MULTINOMIAL, 4, 20, 5);
    monitor = stream_monitor(&stream);
    stream_run(&stream, monitor, 6 * 120);
    assert_true(monitor_dispersion(monitor, REF_CAPACITY, 0) < 1.5);
    monitor_free(&monitor);
}

static void test_a_day_of_each_stream_wakes_nobody(void **state)
{
    static const struct {
        size_t count;
        double rate;
    } pools[] = {{2, 1}, {4, 30}, {10, 5}};

    (void)state;
    for (unsigned kind = 0; kind < STREAM_KINDS; kind++)
        for (unsigned p = 0; p < 3; p++) {
            struct stream stream;
            struct monitor *monitor;

            stream_init(&stream, (enum stream_kind)kind, pools[p].count, pools[p].rate,
                        kind * 10 + p);
            monitor = stream_monitor(&stream);
            for (unsigned i = 0; i < 6600; i++) {
                stream_run(&stream, monitor, 1);
                assert_false(stream_is_paged(monitor));
            }
            monitor_free(&monitor);
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_to_one_wakes_somebody_within_forty_seconds_at_100_a_second),
        cmocka_unit_test(test_it_takes_longer_the_fewer_requests_there_are),
        cmocka_unit_test(test_three_quarters_to_one_of_four_is_seen),
        cmocka_unit_test(test_three_quarters_to_one_of_two_is_seen_by_the_slow_rule),
        cmocka_unit_test(test_a_third_more_than_its_part_wakes_nobody),
        cmocka_unit_test(test_without_requests_nothing_is_said_not_even_that_it_is_well),
        cmocka_unit_test(test_few_requests_make_a_ticket_until_a_quarter_of_an_hour_agrees),
        cmocka_unit_test(test_a_moment_is_not_enough),
        cmocka_unit_test(test_an_alarm_is_cleared_after_five_minutes_of_order),
        cmocka_unit_test(test_what_flaps_stays_raised_for_a_quarter_of_an_hour),
        cmocka_unit_test(test_silence_ends_an_alarm),
        cmocka_unit_test(test_a_server_that_is_down_for_a_while_is_expected_to_get_less),
        cmocka_unit_test(test_what_is_due_is_measured_second_by_second),
        cmocka_unit_test(test_a_starved_server_is_a_ticket),
        cmocka_unit_test(test_the_first_minute_is_not_held_against_the_weights),
        cmocka_unit_test(test_where_one_stands_by_only_overload_counts),
        cmocka_unit_test(test_a_server_that_fails_fast_and_gets_more_is_a_sinkhole),
        cmocka_unit_test(test_a_skew_that_no_rule_sees_is_found_in_time_and_wakes_nobody),
        cmocka_unit_test(test_what_was_before_a_change_is_a_reference_after_it),
        cmocka_unit_test(test_what_was_wrong_before_a_change_is_known_to_be),
        cmocka_unit_test(test_servers_keep_what_was_seen_of_them_when_others_come_and_go),
        cmocka_unit_test(test_sessions_count_where_cookies_hold_clients),
        cmocka_unit_test(test_shares_that_turn_by_themselves_are_seen_however_young_the_process_is),
        cmocka_unit_test(test_clumps_are_no_turn),
        cmocka_unit_test(test_dispersion_is_learnt_from_clumps),
        cmocka_unit_test(test_a_day_of_each_stream_wakes_nobody),
    };

    return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
