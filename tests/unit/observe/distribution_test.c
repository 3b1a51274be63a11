/* distribution: the tests see what they are to see with as few requests as docs/distribution.md
 * says, and nothing else. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "observe/distribution.h"

enum { MOST = 50 };

struct equal {
    size_t count;
    double tolerated;
    uint64_t all_to_one; /* requests until it is seen */
    uint64_t at_75;      /* 0: inside what is tolerated */
    uint64_t at_50;
};

/* The table of docs/distribution.md: k equal servers, fast rule. */
static const struct equal equals[] = {
    {2, .80, 108, 0, 0},   {3, .667, 60, 1462, 0}, {4, .50, 35, 184, 0},  {5, .40, 27, 96, 1176},
    {8, .25, 18, 44, 167}, {10, .20, 15, 35, 108}, {20, .10, 11, 21, 47}, {50, .04, 8, 13, 26},
};
#define EACH_EQUAL(row)                                                                            \
    for (const struct equal *row = equals; row < equals + sizeof(equals) / sizeof(equals[0]); row++)

static void spread(double *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expected[i] = 1.0 / (double)count;
}

/* `part` of about `requests` to the first, the rest evenly to the others. */
static void lean(uint64_t *picks, size_t count, uint64_t requests, double part)
{
    uint64_t first = (uint64_t)llround((double)requests * part);

    picks[0] = first;
    for (size_t i = 1; i < count; i++)
        picks[i] = (requests - first) / (count - 1) + (i - 1 < (requests - first) % (count - 1));
}

static bool is_over(size_t count, uint64_t requests, double part, enum distribution_speed speed)
{
    double expected[MOST];
    uint64_t picks[MOST];

    spread(expected, count);
    lean(picks, count, requests, part);
    return distribution_over_share(picks, expected, count, 1, speed).is_over;
}

static void test_tolerated_shares_are_those_of_the_table(void **state)
{
    (void)state;
    EACH_EQUAL(row)
    assert_true(fabs(distribution_tolerated(1.0 / (double)row->count, DISTRIBUTION_FAST) -
                     row->tolerated) < 5e-4);
    assert_true(fabs(distribution_tolerated(0.5, DISTRIBUTION_SLOW) - 0.65) < 1e-12);
}

static void test_all_to_one_is_seen_at_the_request_of_the_table_and_not_before(void **state)
{
    (void)state;
    EACH_EQUAL(row)
    {
        assert_true(is_over(row->count, row->all_to_one, 1, DISTRIBUTION_FAST));
        assert_false(is_over(row->count, row->all_to_one - 1, 1, DISTRIBUTION_FAST));
    }
}

/* Only every fourth or second number of requests has such a share to the request. */
static void assert_seen(size_t count, uint64_t requests, double part, uint64_t step)
{
    uint64_t before = (requests - 1) / step * step;

    assert_true(is_over(count, (requests + step - 1) / step * step, part, DISTRIBUTION_FAST));
    assert_false(is_over(count, before, part, DISTRIBUTION_FAST));
}

static void test_shares_of_75_and_50_percent_are_seen_with_the_requests_of_the_table(void **state)
{
    (void)state;
    EACH_EQUAL(row)
    {
        if (row->at_75 > 0)
            assert_seen(row->count, row->at_75, .75, 4);
        else
            assert_false(is_over(row->count, 4000000, .75, DISTRIBUTION_FAST));
        if (row->at_50 > 0)
            assert_seen(row->count, row->at_50, .5, 2);
        else
            assert_false(is_over(row->count, 4000000, .5, DISTRIBUTION_FAST));
    }
}

static void test_the_slow_rule_sees_75_percent_of_two(void **state)
{
    (void)state;
    assert_true(is_over(2, 1200, .75, DISTRIBUTION_SLOW));
    assert_false(is_over(2, 1200, .60, DISTRIBUTION_SLOW));
}

static void test_the_server_furthest_over_is_named_with_its_numbers(void **state)
{
    double expected[] = {.25, .25, .25, .25};
    uint64_t picks[] = {3, 5820, 60, 117};
    struct distribution_over over =
        distribution_over_share(picks, expected, 4, 1, DISTRIBUTION_FAST);

    (void)state;
    assert_true(over.is_over);
    assert_int_equal(over.server, 1);
    assert_true(fabs(over.share - .97) < 1e-9);
    assert_true(over.expected == .25 && over.tolerated == .5);
    assert_true(over.evidence > 2000);
}

static void test_dispersion_asks_for_so_many_times_more_requests(void **state)
{
    double expected[] = {.25, .25, .25, .25};
    uint64_t picks[] = {349, 0, 0, 0};

    (void)state;
    assert_true(distribution_over_share(picks, expected, 4, 10, DISTRIBUTION_FAST).evidence < 24.5);
    picks[0] = 346; /* 24 / ln 2 * 10 = 346.2 */
    assert_false(distribution_over_share(picks, expected, 4, 10, DISTRIBUTION_FAST).is_over);
    picks[0] = 347;
    assert_true(distribution_over_share(picks, expected, 4, 10, DISTRIBUTION_FAST).is_over);
}

static void test_a_starved_server_is_seen_at_the_request_of_the_table(void **state)
{
    static const struct {
        size_t count;
        uint64_t requests;
    } rows[] = {{4, 84}, {10, 228}, {20, 468}};
    double expected[MOST];
    uint64_t picks[MOST];

    (void)state;
    for (size_t r = 0; r < 3; r++) {
        size_t last = rows[r].count - 1;

        spread(expected, rows[r].count);
        for (unsigned less = 0; less < 2; less++) {
            struct distribution_over under;

            lean(picks, last, rows[r].requests - less, 1.0 / (double)last);
            picks[last] = 0;
            under = distribution_under_share(picks, expected, rows[r].count, 1, DISTRIBUTION_FAST);
            assert_int_equal(under.is_over, less == 0);
            assert_int_equal(under.server, last);
        }
        picks[last] = 1; /* not starved; the slow rule says whether it gets too little */
        assert_false(
            distribution_under_share(picks, expected, rows[r].count, 1, DISTRIBUTION_FAST).is_over);
    }
}

static void test_a_server_below_two_thirds_of_its_share_is_seen_by_the_slow_rule(void **state)
{
    double expected[] = {.25, .25, .25, .25};
    uint64_t little[] = {100, 1300, 1300, 1300};
    uint64_t enough[] = {700, 1100, 1100, 1100};

    (void)state;
    assert_true(distribution_under_share(little, expected, 4, 1, DISTRIBUTION_SLOW).is_over);
    assert_int_equal(distribution_under_share(little, expected, 4, 1, DISTRIBUTION_SLOW).server, 0);
    assert_false(distribution_under_share(enough, expected, 4, 1, DISTRIBUTION_SLOW).is_over);
}

static void test_enough_is_what_all_to_one_needs(void **state)
{
    double expected[MOST];

    (void)state;
    EACH_EQUAL(row)
    {
        spread(expected, row->count);
        assert_true(distribution_is_enough(row->all_to_one, expected, row->count, 1));
        assert_false(distribution_is_enough(row->all_to_one - 1, expected, row->count, 1));
        assert_false(distribution_is_enough(row->all_to_one, expected, row->count, 1.1));
    }
}

static void test_of_uneven_servers_enough_is_what_the_largest_needs(void **state)
{
    double expected[] = {.6, .2, .2};

    (void)state;
    /* tau of the first is .84: 24 / -ln .84 = 137.6 */
    assert_false(distribution_is_enough(137, expected, 3, 1));
    assert_true(distribution_is_enough(138, expected, 3, 1));
}

static void test_a_pool_of_one_needs_one_request_and_is_never_over(void **state)
{
    double expected[] = {1, 0};
    uint64_t picks[] = {100000, 0};

    (void)state;
    assert_false(distribution_is_enough(0, expected, 2, 1));
    assert_true(distribution_is_enough(1, expected, 2, 1));
    assert_false(distribution_over_share(picks, expected, 2, 1, DISTRIBUTION_FAST).is_over);
    assert_false(distribution_over_share(picks, expected, 2, 1, DISTRIBUTION_SLOW).is_over);
}

static void test_a_server_that_is_to_get_none_may_get_what_was_under_way(void **state)
{
    double expected[] = {.5, .5, 0};
    uint64_t under_way[] = {500, 490, 10};
    uint64_t too_many[] = {500, 400, 100};

    (void)state;
    assert_false(distribution_over_share(under_way, expected, 3, 1, DISTRIBUTION_SLOW).is_over);
    assert_true(distribution_over_share(too_many, expected, 3, 1, DISTRIBUTION_FAST).is_over);
    assert_int_equal(distribution_over_share(too_many, expected, 3, 1, DISTRIBUTION_FAST).server,
                     2);
}

static void test_nothing_is_said_of_no_request(void **state)
{
    double expected[] = {.5, .5};
    uint64_t picks[] = {0, 0};

    (void)state;
    assert_false(distribution_over_share(picks, expected, 2, 1, DISTRIBUTION_FAST).is_over);
    assert_false(distribution_under_share(picks, expected, 2, 1, DISTRIBUTION_FAST).is_over);
    assert_true(distribution_bayes(picks, expected, 2, 1) == 0);
    assert_true(distribution_g(picks, expected, 2) == 0);
}

static void test_effect_sizes_are_those_of_the_examples(void **state)
{
    static const struct {
        double shares[4];
        double n_eff, tvd;
    } rows[] = {
        {{1, 0, 0, 0}, 1.00, 0.75}, {{.7, .1, .1, .1}, 1.92, 0.45}, {{.4, .2, .2, .2}, 3.57, 0.15}};
    double equal[] = {.25, .25, .25, .25};
    double none[] = {0, 0, 0, 0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(fabs(distribution_n_eff(rows[i].shares, 4) - rows[i].n_eff) < 0.005);
        assert_true(fabs(distribution_tvd(rows[i].shares, equal, 4) - rows[i].tvd) < 1e-9);
    }
    assert_true(distribution_n_eff(none, 4) == 0);
}

static void test_concentration_is_less_than_half_of_the_pool(void **state)
{
    double equal[] = {.25, .25, .25, .25};
    double one[] = {1, 0, 0, 0};
    double one_of_all[] = {.97, .01, .01, .01};
    double two[] = {.51, .49, 0, 0};
    double most_to_two[] = {.65, .35, 0, 0};

    (void)state;
    assert_true(distribution_is_concentrated(100, one_of_all, equal, 4));
    assert_false(distribution_is_concentrated(99, one_of_all, equal, 4));
    assert_false(distribution_is_concentrated(1e6, two, equal, 4)); /* half is gone, and no more */
    assert_true(distribution_is_concentrated(1e6, most_to_two, equal, 4));
    assert_false(distribution_is_concentrated(1e6, one, one, 4)); /* as it should be */
}

static void test_the_median_of_g_is_that_of_chi_squared(void **state)
{
    static const struct {
        size_t count;
        double median;
    } rows[] = {{2, 0.455}, {4, 2.366}, {10, 8.343}, {20, 18.338}};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_true(fabs(distribution_g_median(rows[i].count) - rows[i].median) < 0.02);
}

static void test_g_grows_with_requests_that_come_in_clumps(void **state)
{
    double expected[] = {.25, .25, .25, .25};
    uint64_t single[] = {24, 26, 25, 25};
    uint64_t clumps[] = {240, 260, 250, 250};

    (void)state;
    assert_true(fabs(distribution_g(clumps, expected, 4) -
                     10 * distribution_g(single, expected, 4)) < 1e-9);
}

static uint64_t requests_until_bayes(size_t count, double hot)
{
    double expected[MOST];
    uint64_t picks[MOST];

    spread(expected, count);
    for (uint64_t n = 1; n < 10000; n++) {
        lean(picks, count, n, hot);
        if (distribution_bayes(picks, expected, count, 1) >= DISTRIBUTION_BAYES)
            return n;
    }
    return 0;
}

static void test_the_sequential_test_sees_all_to_one_as_soon_as_the_page_says(void **state)
{
    static const struct {
        size_t count;
        uint64_t requests;
    } rows[] = {{2, 25}, {3, 18}, {4, 15}, {8, 12}, {10, 12}};

    (void)state;
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(requests_until_bayes(rows[i].count, 1), rows[i].requests);
}

static void test_the_sequential_test_sees_a_server_twice_as_hot(void **state)
{
    (void)state;
    assert_in_range(requests_until_bayes(4, .5), 100, 160);
    assert_in_range(requests_until_bayes(8, .25), 350, 560);
    assert_in_range(requests_until_bayes(10, .2), 550, 860);
}

static void test_the_sequential_test_is_content_with_what_is_due(void **state)
{
    double expected[] = {.5, .3, .2, 0};
    uint64_t picks[] = {5000, 3000, 2000, 7};

    (void)state;
    assert_true(distribution_bayes(picks, expected, 4, 1) < 0);
}

static void test_words_are_those_of_the_api(void **state)
{
    (void)state;
    assert_string_equal(distribution_ref_words[REF_CONFIGURED], "configured");
    assert_string_equal(distribution_ref_words[REF_CAPACITY], "capacity");
    assert_string_equal(distribution_ref_words[REF_PREVIOUS], "previous");
    assert_string_equal(distribution_state_word(DISTRIBUTION_INSUFFICIENT), "insufficient");
    assert_string_equal(distribution_state_word(DISTRIBUTION_PAGE), "page");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tolerated_shares_are_those_of_the_table),
        cmocka_unit_test(test_all_to_one_is_seen_at_the_request_of_the_table_and_not_before),
        cmocka_unit_test(test_shares_of_75_and_50_percent_are_seen_with_the_requests_of_the_table),
        cmocka_unit_test(test_the_slow_rule_sees_75_percent_of_two),
        cmocka_unit_test(test_the_server_furthest_over_is_named_with_its_numbers),
        cmocka_unit_test(test_dispersion_asks_for_so_many_times_more_requests),
        cmocka_unit_test(test_a_starved_server_is_seen_at_the_request_of_the_table),
        cmocka_unit_test(test_a_server_below_two_thirds_of_its_share_is_seen_by_the_slow_rule),
        cmocka_unit_test(test_enough_is_what_all_to_one_needs),
        cmocka_unit_test(test_of_uneven_servers_enough_is_what_the_largest_needs),
        cmocka_unit_test(test_a_pool_of_one_needs_one_request_and_is_never_over),
        cmocka_unit_test(test_a_server_that_is_to_get_none_may_get_what_was_under_way),
        cmocka_unit_test(test_nothing_is_said_of_no_request),
        cmocka_unit_test(test_effect_sizes_are_those_of_the_examples),
        cmocka_unit_test(test_concentration_is_less_than_half_of_the_pool),
        cmocka_unit_test(test_the_median_of_g_is_that_of_chi_squared),
        cmocka_unit_test(test_g_grows_with_requests_that_come_in_clumps),
        cmocka_unit_test(test_the_sequential_test_sees_all_to_one_as_soon_as_the_page_says),
        cmocka_unit_test(test_the_sequential_test_sees_a_server_twice_as_hot),
        cmocka_unit_test(test_the_sequential_test_is_content_with_what_is_due),
        cmocka_unit_test(test_words_are_those_of_the_api),
    };

    return cmocka_run_group_tests_name("distribution", tests, NULL, NULL);
}
