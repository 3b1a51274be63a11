/* histogram: each duration lies in one bucket, below its edge and above the one before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "observe/counters.h"

static uint64_t lower_edge(unsigned bucket)
{
    return bucket == 0 ? 0 : histogram_edge_us(bucket - 1);
}

static void assert_lies_in_its_bucket(uint64_t us)
{
    unsigned bucket = histogram_bucket(us);

    assert_in_range(bucket, 0, HISTOGRAM_BUCKETS - 1);
    assert_true(us >= lower_edge(bucket));
    assert_true(us < histogram_edge_us(bucket) || bucket == HISTOGRAM_BUCKETS - 1);
}

static void test_every_duration_lies_between_the_edges_of_its_bucket(void **state)
{
    (void)state;
    for (uint64_t us = 0; us < 3000000; us++)
        assert_lies_in_its_bucket(us);
    for (uint64_t us = 3000000; us < 300000000; us += 997)
        assert_lies_in_its_bucket(us);
    for (unsigned bit = 0; bit < 64; bit++) {
        assert_lies_in_its_bucket(1ull << bit);
        assert_lies_in_its_bucket((1ull << bit) - 1);
        assert_lies_in_its_bucket((1ull << bit) + 1);
    }
    assert_lies_in_its_bucket(UINT64_MAX);
}

static void test_edges_rise_and_are_where_a_new_bucket_begins(void **state)
{
    (void)state;
    for (unsigned bucket = 0; bucket + 1 < HISTOGRAM_BUCKETS; bucket++) {
        uint64_t edge = histogram_edge_us(bucket);

        assert_true(edge > lower_edge(bucket));
        assert_int_equal(histogram_bucket(edge - 1), bucket);
        assert_int_equal(histogram_bucket(edge), bucket + 1);
    }
}

static void test_a_bucket_is_at_most_a_quarter_of_its_lower_edge_wide(void **state)
{
    (void)state;
    for (unsigned bucket = 4; bucket + 1 < HISTOGRAM_BUCKETS; bucket++)
        assert_true((histogram_edge_us(bucket) - lower_edge(bucket)) * 4 <= lower_edge(bucket));
}

static void test_the_first_octave_and_the_last_bucket_are_where_the_header_says(void **state)
{
    (void)state;
    assert_int_equal(histogram_bucket(63), 3);
    assert_int_equal(histogram_bucket(64), 4);
    assert_int_equal(histogram_edge_us(7), 128);
    assert_true(lower_edge(HISTOGRAM_BUCKETS - 1) > 117000000);
    assert_true(histogram_edge_us(HISTOGRAM_BUCKETS - 1) == UINT64_MAX);
}

static void test_noting_counts_one_and_adds_the_time(void **state)
{
    static struct histogram histogram;

    (void)state;
    histogram_note(&histogram, 100);
    histogram_note(&histogram, 101);
    histogram_note(&histogram, 5000);
    assert_int_equal(histogram.sum_us, 5201);
    assert_int_equal(histogram.buckets[histogram_bucket(100)], 2);
    assert_int_equal(histogram.buckets[histogram_bucket(5000)], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_duration_lies_between_the_edges_of_its_bucket),
        cmocka_unit_test(test_edges_rise_and_are_where_a_new_bucket_begins),
        cmocka_unit_test(test_a_bucket_is_at_most_a_quarter_of_its_lower_edge_wide),
        cmocka_unit_test(test_the_first_octave_and_the_last_bucket_are_where_the_header_says),
        cmocka_unit_test(test_noting_counts_one_and_adds_the_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
