/* gate_tests: what an arm may do worse than another before it is called a failure. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "change/gate_tests.h"

#define COUNTS(requests, failed) ((struct gate_counts){requests, failed})

static enum gate_word errors(struct gate_counts before, struct gate_counts after)
{
    return gate_test_errors(before, after).word;
}

/* ---- Fisher's exact test ---- */

static void assert_near(double found, double wanted)
{
    if (fabs(found - wanted) > wanted * 1e-6)
        fail_msg("%.12g is not %.12g", found, wanted);
}

static void test_fisher_is_exact(void **state)
{
    (void)state;
    /* the lady with eight cups, three and four of them right: 17/70 and 1/70 */
    assert_near(gate_fisher(COUNTS(4, 1), COUNTS(4, 3)), 17.0 / 70);
    assert_near(gate_fisher(COUNTS(4, 0), COUNTS(4, 4)), 1.0 / 70);
    /* 3 of 200 where 10,000 had none: C(200,3) / C(10200,3) */
    assert_near(gate_fisher(COUNTS(10000, 0), COUNTS(200, 3)),
                200.0 * 199 * 198 / (10200.0 * 10199 * 10198));
}

static void test_fisher_of_no_difference_is_one(void **state)
{
    (void)state;
    assert_near(gate_fisher(COUNTS(1000, 10), COUNTS(1000, 10)), 1);
    assert_near(gate_fisher(COUNTS(1000, 10), COUNTS(1000, 0)), 1);
    assert_near(gate_fisher(COUNTS(0, 0), COUNTS(1000, 500)), 1);
}

static void test_fisher_is_fit_for_millions(void **state)
{
    double p;

    (void)state;
    p = gate_fisher(COUNTS(50 * 1000 * 1000, 25 * 1000 * 1000),
                    COUNTS(50 * 1000 * 1000, 25 * 1000 * 1000 + 5000));
    assert_true(p > 0.15 && p < 0.17); /* z = 1.0 */
    assert_true(gate_fisher(COUNTS(10 * 1000 * 1000, 100),
                            COUNTS(10 * 1000 * 1000, 9 * 1000 * 1000)) < 1e-300);
}

/* ---- failures ---- */

static void test_few_requests_pass_nothing(void **state)
{
    (void)state;
    assert_int_equal(errors(COUNTS(10000, 0), COUNTS(0, 0)), GATE_INCONCLUSIVE);
    assert_int_equal(errors(COUNTS(10000, 0), COUNTS(199, 0)), GATE_INCONCLUSIVE);
    assert_int_equal(errors(COUNTS(10000, 0), COUNTS(200, 0)), GATE_PASS);
    assert_int_equal(errors(COUNTS(0, 0), COUNTS(0, 0)), GATE_INCONCLUSIVE);
}

static void test_failures_above_before_fail(void **state)
{
    (void)state;
    assert_int_equal(errors(COUNTS(10000, 0), COUNTS(200, 3)), GATE_PASS); /* p = 7e-6: chance */
    assert_int_equal(errors(COUNTS(10000, 0), COUNTS(200, 4)), GATE_FAIL);
    assert_int_equal(errors(COUNTS(10000, 100), COUNTS(10000, 100)), GATE_PASS);
    assert_int_equal(errors(COUNTS(10000, 100), COUNTS(10000, 300)), GATE_FAIL);
    assert_int_equal(errors(COUNTS(10000, 9000), COUNTS(10000, 10000)), GATE_FAIL);
}

static void test_what_is_real_but_small_is_tolerated(void **state)
{
    (void)state;
    /* certainly more than before, and less than half a per cent of all */
    assert_true(gate_fisher(COUNTS(1000000, 0), COUNTS(1000000, 4000)) < 1e-9);
    assert_int_equal(errors(COUNTS(1000000, 0), COUNTS(1000000, 4000)), GATE_PASS);
    assert_int_equal(errors(COUNTS(1000000, 0), COUNTS(1000000, 6000)), GATE_FAIL);
    /* half as much again as before */
    assert_int_equal(errors(COUNTS(1000000, 100000), COUNTS(1000000, 140000)), GATE_PASS);
    assert_int_equal(errors(COUNTS(1000000, 100000), COUNTS(1000000, 160000)), GATE_FAIL);
}

static void test_fewer_failures_than_before_pass(void **state)
{
    (void)state;
    assert_int_equal(errors(COUNTS(1000, 500), COUNTS(1000, 0)), GATE_PASS);
    assert_int_equal(errors(COUNTS(1000, 1000), COUNTS(1000, 1000)), GATE_PASS);
}

static void test_an_overwhelming_failure_needs_no_200_requests(void **state)
{
    (void)state;
    assert_int_equal(errors(COUNTS(10000, 0), COUNTS(14, 14)), GATE_INCONCLUSIVE);
    assert_int_equal(errors(COUNTS(10000, 0), COUNTS(15, 15)), GATE_FAIL); /* 15 * ln 5 = 24.1 */
    assert_int_equal(errors(COUNTS(0, 0), COUNTS(15, 15)), GATE_FAIL);
    /* half of them: 24 / KL(0.5 || 0.2) = 107.6 */
    assert_int_equal(errors(COUNTS(10000, 0), COUNTS(106, 53)), GATE_INCONCLUSIVE);
    assert_int_equal(errors(COUNTS(10000, 0), COUNTS(110, 55)), GATE_FAIL);
    /* it was as bad before */
    assert_int_equal(errors(COUNTS(10000, 9990), COUNTS(100, 100)), GATE_INCONCLUSIVE);
}

static void test_without_a_baseline_one_in_twenty_is_tolerated(void **state)
{
    (void)state;
    assert_int_equal(errors(COUNTS(0, 0), COUNTS(1000, 50)), GATE_PASS);
    assert_int_equal(errors(COUNTS(0, 0), COUNTS(1000, 80)), GATE_PASS); /* p is not below 1e-6 */
    assert_int_equal(errors(COUNTS(0, 0), COUNTS(1000, 120)), GATE_FAIL);
    assert_int_equal(errors(COUNTS(199, 0), COUNTS(1000, 120)), GATE_FAIL);
}

static void test_what_is_over_does_not_go_on(void **state)
{
    (void)state;
    assert_true(gate_still_fails(COUNTS(10000, 0), COUNTS(100, 50)));
    assert_true(gate_still_fails(COUNTS(10000, 0), COUNTS(0, 0)));
    assert_false(gate_still_fails(COUNTS(10000, 0), COUNTS(100, 0)));
    assert_false(gate_still_fails(COUNTS(0, 0), COUNTS(100, 4)));
}

static void test_the_words_have_the_numbers(void **state)
{
    struct gate_reading reading = gate_test_errors(COUNTS(10000, 10), COUNTS(400, 300));

    (void)state;
    assert_non_null(strstr(reading.why, "300 of 400 failed, 75.00% (before 0.10% of 10000"));
    reading = gate_test_errors(COUNTS(0, 0), COUNTS(3, 0));
    assert_non_null(strstr(reading.why, "nothing to compare with"));
    assert_non_null(strstr(reading.why, "it takes 200 to tell"));
}

/* 2,000 pairs of arms that fail alike, each looked at 30 times as it grows: no alarm.  (By the
 * union bound at most 6 in 100 seeds would have one, and far fewer: looks overlap.) */
static void test_arms_that_fail_alike_never_fail(void **state)
{
    uint64_t seed = 88172645463325252ULL;

    (void)state;
    for (unsigned pair = 0; pair < 2000; pair++) {
        struct gate_counts arms[2] = {{0, 0}, {0, 0}};
        uint64_t per_mille = 1 + pair % 200;

        for (unsigned look = 0; look < 30; look++) {
            for (unsigned i = 0; i < 200; i++) {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                arms[i % 2].requests++;
                arms[i % 2].failed += (seed >> 11) % 1000 < per_mille;
            }
            if (arms[0].requests >= GATE_REQUESTS) /* a baseline is there */
                assert_int_not_equal(errors(arms[0], arms[1]), GATE_FAIL);
        }
    }
}

/* ---- latency ---- */

static uint64_t before[HISTOGRAM_BUCKETS], after[HISTOGRAM_BUCKETS];

static int no_latencies(void **state)
{
    (void)state;
    memset(before, 0, sizeof(before));
    memset(after, 0, sizeof(after));
    return 0;
}

static void note(uint64_t *buckets, uint64_t count, uint64_t ms)
{
    buckets[histogram_bucket(ms * 1000)] += count;
}

static enum gate_word latency(void)
{
    return gate_test_latency(before, after).word;
}

static void test_latency_needs_two_hundred_on_both_sides(void **state)
{
    (void)state;
    note(before, 199, 10);
    note(after, 10000, 900);
    assert_int_equal(latency(), GATE_INCONCLUSIVE);
    note(before, 1, 10);
    assert_int_equal(latency(), GATE_FAIL);
    memset(after, 0, sizeof(after));
    note(after, 199, 900);
    assert_int_equal(latency(), GATE_INCONCLUSIVE);
}

static void test_twice_as_long_is_no_failure_within_100_ms(void **state)
{
    (void)state;
    note(before, 1000, 10);
    note(after, 1000, 80);
    assert_int_equal(latency(), GATE_PASS);
    note(after, 1000, 200);
    assert_int_equal(latency(), GATE_FAIL);
}

static void test_100_ms_more_are_no_failure_within_twice(void **state)
{
    (void)state;
    note(before, 1000, 1000);
    note(after, 1000, 1700);
    assert_int_equal(latency(), GATE_PASS);
    note(after, 1000, 4000);
    assert_int_equal(latency(), GATE_FAIL);
}

static void test_one_in_a_hundred_may_be_slow(void **state)
{
    (void)state;
    note(before, 1000, 10);
    note(after, 990, 10);
    note(after, 10, 5000);
    assert_int_equal(latency(), GATE_PASS);
    note(after, 5, 5000); /* 1.5 %: chance */
    assert_int_equal(latency(), GATE_PASS);
    note(after, 30, 5000);
    assert_int_equal(latency(), GATE_FAIL);
}

static void test_quantiles_are_edges_of_buckets(void **state)
{
    (void)state;
    assert_int_equal(gate_quantile_us(after, 0.99), 0);
    note(after, 99, 1);
    note(after, 1, 5000);
    assert_int_equal(gate_quantile_us(after, 0.99), histogram_edge_us(histogram_bucket(1000)));
    assert_int_equal(gate_quantile_us(after, 0.995), histogram_edge_us(histogram_bucket(5000000)));
    after[HISTOGRAM_BUCKETS - 1] = 1000;
    assert_int_equal(gate_quantile_us(after, 0.99), histogram_edge_us(HISTOGRAM_BUCKETS - 2));
}

/* ---- health ---- */

static enum gate_word health(uint64_t was_up, uint64_t were, uint64_t are_up, uint64_t are)
{
    return gate_test_health((struct gate_health){was_up, were}, (struct gate_health){are_up, are})
        .word;
}

static void test_the_healthy_part_may_not_fall(void **state)
{
    (void)state;
    assert_int_equal(health(4, 4, 4, 4), GATE_PASS);
    assert_int_equal(health(4, 4, 3, 3), GATE_PASS);
    assert_int_equal(health(4, 4, 4, 5), GATE_FAIL);
    assert_int_equal(health(3, 4, 3, 4), GATE_PASS);
    assert_int_equal(health(3, 4, 2, 3), GATE_FAIL);
    assert_int_equal(health(0, 4, 0, 4), GATE_PASS);
}

static void test_servers_of_a_new_pool_are_all_healthy(void **state)
{
    (void)state;
    assert_int_equal(health(0, 0, 3, 3), GATE_PASS);
    assert_int_equal(health(0, 0, 2, 3), GATE_FAIL);
}

/* ---- together ---- */

static void test_the_worst_is_told(void **state)
{
    struct gate_reading one = {.word = GATE_PASS, .why = "fine"};
    struct gate_reading unclear = {.word = GATE_INCONCLUSIVE, .why = "few"};
    struct gate_reading bad = {.word = GATE_FAIL, .why = "broken"};

    (void)state;
    gate_worse(&one, &unclear);
    assert_string_equal(one.why, "few");
    gate_worse(&one, &bad);
    assert_string_equal(one.why, "broken");
    gate_worse(&one, &unclear);
    assert_string_equal(one.why, "broken");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fisher_is_exact),
        cmocka_unit_test(test_fisher_of_no_difference_is_one),
        cmocka_unit_test(test_fisher_is_fit_for_millions),
        cmocka_unit_test(test_few_requests_pass_nothing),
        cmocka_unit_test(test_failures_above_before_fail),
        cmocka_unit_test(test_what_is_real_but_small_is_tolerated),
        cmocka_unit_test(test_fewer_failures_than_before_pass),
        cmocka_unit_test(test_an_overwhelming_failure_needs_no_200_requests),
        cmocka_unit_test(test_without_a_baseline_one_in_twenty_is_tolerated),
        cmocka_unit_test(test_what_is_over_does_not_go_on),
        cmocka_unit_test(test_the_words_have_the_numbers),
        cmocka_unit_test(test_arms_that_fail_alike_never_fail),
        cmocka_unit_test_setup(test_latency_needs_two_hundred_on_both_sides, no_latencies),
        cmocka_unit_test_setup(test_twice_as_long_is_no_failure_within_100_ms, no_latencies),
        cmocka_unit_test_setup(test_100_ms_more_are_no_failure_within_twice, no_latencies),
        cmocka_unit_test_setup(test_one_in_a_hundred_may_be_slow, no_latencies),
        cmocka_unit_test_setup(test_quantiles_are_edges_of_buckets, no_latencies),
        cmocka_unit_test(test_the_healthy_part_may_not_fall),
        cmocka_unit_test(test_servers_of_a_new_pool_are_all_healthy),
        cmocka_unit_test(test_the_worst_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
