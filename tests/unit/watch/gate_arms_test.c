/* gate_arms: many pools, loud and quiet, and one word for each input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "watch/gate_arms.h"

enum { ARMS = 3 };

static struct gate_arm list[ARMS];
static struct gate_arms arms;

/* Two pools that do as before, with 10,000 requests in ten minutes before and 1,000 in one since;
 * the third is quiet. */
static int begin(void **state)
{
    static char *const names[ARMS] = {"a", "b", "quiet"};

    (void)state;
    memset(list, 0, sizeof(list));
    arms = (struct gate_arms){.arms = list, .count = 2, .before_seconds = 600};
    for (size_t i = 0; i < ARMS; i++)
        list[i].pool = names[i];
    for (size_t i = 0; i < 2; i++) {
        list[i].before.all.requests = 10000;
        list[i].since.all.requests = list[i].recent.all.requests = 1000;
        list[i].newest.requests = 160;
        list[i].before.latency[10] = 10000;
        list[i].since.latency[10] = list[i].recent.latency[10] = 1000;
        list[i].health_before = list[i].healthy_at_least = list[i].healthy_at_most =
            (struct gate_health){4, 4};
    }
    arms.is_minute_over = true;
    return 0;
}

static void fails(struct gate_arm *arm, uint64_t failed)
{
    arm->since.all.failed = arm->recent.all.failed = failed;
    arm->newest.failed = arm->newest.requests * failed / arm->since.all.requests;
}

static enum gate_word errors(void)
{
    return gate_arms_errors(&arms).word;
}

/* ---- errors ---- */

static void test_all_is_well(void **state)
{
    (void)state;
    assert_int_equal(errors(), GATE_PASS);
    assert_int_equal(gate_arms_latency(&arms).word, GATE_PASS);
    assert_int_equal(gate_arms_health(&arms).word, GATE_PASS);
    assert_non_null(strstr(gate_arms_errors(&arms).why, "pool a: 0 of 1000 failed"));
}

static void test_without_pools_there_is_nothing_to_fail(void **state)
{
    (void)state;
    arms.count = 0;
    assert_int_equal(errors(), GATE_PASS);
    assert_int_equal(gate_arms_latency(&arms).word, GATE_PASS);
    assert_int_equal(gate_arms_health(&arms).word, GATE_PASS);
}

static void test_one_pool_that_fails_is_named(void **state)
{
    (void)state;
    fails(&list[1], 200);
    assert_int_equal(errors(), GATE_FAIL);
    assert_non_null(strstr(gate_arms_errors(&arms).why, "pool b: 200 of 1000"));
}

static void test_what_begins_late_is_not_diluted(void **state)
{
    (void)state;
    list[0].since.all = (struct gate_counts){100000, 300};
    assert_int_equal(errors(), GATE_PASS);
    list[0].recent.all = (struct gate_counts){1000, 300};
    list[0].newest = (struct gate_counts){160, 50};
    assert_int_equal(errors(), GATE_FAIL);
}

static void test_what_has_stopped_is_not_known_to_be_well(void **state)
{
    (void)state;
    fails(&list[0], 300);
    list[0].newest.failed = 0;
    assert_int_equal(errors(), GATE_INCONCLUSIVE);
    list[0].newest.requests = 0; /* nobody knows that it has stopped */
    assert_int_equal(errors(), GATE_FAIL);
}

static void test_too_few_requests_of_a_loud_pool_are_inconclusive(void **state)
{
    (void)state;
    list[1].since.all.requests = list[1].recent.all.requests = 199;
    assert_int_equal(errors(), GATE_INCONCLUSIVE);
    assert_non_null(strstr(gate_arms_errors(&arms).why, "pool b"));
}

static void test_a_quiet_pool_hinders_only_when_all_are_quiet(void **state)
{
    (void)state;
    arms.count = 3;
    list[2].since.all.requests = 3;
    assert_int_equal(errors(), GATE_PASS);
    assert_int_equal(gate_arms_latency(&arms).word, GATE_PASS);
    arms.arms = &list[2];
    arms.count = 1;
    assert_int_equal(errors(), GATE_INCONCLUSIVE);
    assert_int_equal(gate_arms_latency(&arms).word, GATE_INCONCLUSIVE);
}

static void test_a_quiet_pool_fails_by_itself(void **state)
{
    (void)state;
    arms.count = 3;
    list[2].since.all = list[2].recent.all = (struct gate_counts){20, 20};
    list[2].newest = (struct gate_counts){2, 2};
    assert_int_equal(errors(), GATE_FAIL);
    assert_non_null(strstr(gate_arms_errors(&arms).why, "pool quiet"));
}

static void test_quiet_pools_are_counted_together(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        list[i].before.all.requests = 150;
        list[i].since.all.requests = 120;
    }
    assert_int_equal(errors(), GATE_PASS);
}

static void test_traffic_that_vanished_does_not_pass(void **state)
{
    (void)state;
    list[0].recent.all.requests = list[0].newest.requests = 0;
    assert_int_equal(errors(), GATE_INCONCLUSIVE);
    assert_non_null(strstr(gate_arms_errors(&arms).why, "no request in the last minute"));
    list[0].since.all.requests = 0; /* never came */
    assert_int_equal(errors(), GATE_INCONCLUSIVE);
}

static void test_traffic_that_is_planned_to_vanish_may(void **state)
{
    (void)state;
    list[0].since.all.requests = list[0].recent.all.requests = list[0].newest.requests = 0;
    list[0].is_quiet_by_plan = true;
    assert_int_equal(errors(), GATE_PASS);
    assert_int_equal(gate_arms_latency(&arms).word, GATE_PASS);
    list[0].since.all = list[0].recent.all = (struct gate_counts){500, 500};
    list[0].newest = (struct gate_counts){80, 80};
    assert_int_equal(errors(), GATE_FAIL); /* but it is looked at when requests come all the same */
}

static void test_a_pool_is_held_against_those_in_whose_place_it_is(void **state)
{
    (void)state;
    arms.count = 1;
    list[0].before.all.requests = 0;
    memset(list[0].before.latency, 0, sizeof(list[0].before.latency));
    fails(&list[0], 60);                   /* 6 % */
    assert_int_equal(errors(), GATE_PASS); /* p is not below 1e-6 against 5 % */
    list[0].instead.all = (struct gate_counts){10000, 0};
    assert_int_equal(errors(), GATE_FAIL);
    list[0].instead.all = (struct gate_counts){10000, 600};
    assert_int_equal(errors(), GATE_PASS);
}

/* ---- latency ---- */

static void slower(struct pool_counts *counts)
{
    memset(counts->latency, 0, sizeof(counts->latency));
    counts->latency[histogram_bucket(800 * 1000)] = counts->all.requests;
}

static void test_a_pool_that_is_slower_is_named(void **state)
{
    (void)state;
    slower(&list[1].recent);
    assert_int_equal(gate_arms_latency(&arms).word, GATE_FAIL);
    assert_non_null(strstr(gate_arms_latency(&arms).why, "pool b: p99"));
}

static void test_a_minute_of_few_is_not_all_that_came(void **state)
{
    (void)state;
    slower(&list[1].since);
    list[1].recent.all.requests = 199;
    assert_int_equal(gate_arms_latency(&arms).word, GATE_FAIL);
}

static void test_a_new_pool_has_no_latency_to_compare(void **state)
{
    (void)state;
    list[1].before = (struct pool_counts){0};
    slower(&list[1].recent);
    assert_int_equal(gate_arms_latency(&arms).word, GATE_PASS);
    list[1].since.all.requests = list[1].recent.all.requests = 100;
    assert_int_equal(gate_arms_latency(&arms).word, GATE_PASS); /* quiet, and pool a is not */
}

/* ---- health ---- */

static void test_a_pool_with_one_down_is_named(void **state)
{
    (void)state;
    list[1].healthy_at_least = list[1].healthy_at_most = (struct gate_health){4, 5};
    assert_int_equal(gate_arms_health(&arms).word, GATE_FAIL);
    assert_non_null(strstr(gate_arms_health(&arms).why, "pool b: 4 of 5"));
}

static void test_servers_that_were_not_checked_are_not_known(void **state)
{
    (void)state;
    list[1].healthy_at_least = (struct gate_health){4, 5};
    list[1].healthy_at_most = (struct gate_health){5, 5};
    assert_int_equal(gate_arms_health(&arms).word, GATE_INCONCLUSIVE);
}

/* ---- connections ---- */

static void test_refused_connections_fail_and_few_do_not_hinder(void **state)
{
    struct gate_counts before = {1000, 0}, few = {3, 0}, many = {1000, 300}, now = {100, 30};

    (void)state;
    assert_int_equal(gate_arms_refusals(before, few, few).word, GATE_PASS);
    assert_int_equal(gate_arms_refusals(before, many, now).word, GATE_FAIL);
    assert_int_equal(gate_arms_refusals(before, many, few).word, GATE_PASS); /* it is over */
}

#define TEST(function) cmocka_unit_test_setup(function, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_is_well),
        TEST(test_without_pools_there_is_nothing_to_fail),
        TEST(test_one_pool_that_fails_is_named),
        TEST(test_what_begins_late_is_not_diluted),
        TEST(test_what_has_stopped_is_not_known_to_be_well),
        TEST(test_too_few_requests_of_a_loud_pool_are_inconclusive),
        TEST(test_a_quiet_pool_hinders_only_when_all_are_quiet),
        TEST(test_a_quiet_pool_fails_by_itself),
        TEST(test_quiet_pools_are_counted_together),
        TEST(test_traffic_that_vanished_does_not_pass),
        TEST(test_traffic_that_is_planned_to_vanish_may),
        TEST(test_a_pool_is_held_against_those_in_whose_place_it_is),
        TEST(test_a_pool_that_is_slower_is_named),
        TEST(test_a_minute_of_few_is_not_all_that_came),
        TEST(test_a_new_pool_has_no_latency_to_compare),
        TEST(test_a_pool_with_one_down_is_named),
        TEST(test_servers_that_were_not_checked_are_not_known),
        TEST(test_refused_connections_fail_and_few_do_not_hinder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
