/* kinds: sums that add up, windows that move, memory that is bounded however many kinds come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "observe/kinds.h"

enum { MINUTE = 60 * 1000, BEGAN = 12345 };

static struct kind_seen *seen;
static size_t seen_count;

static int setup(void **state)
{
    *state = kinds_new(BEGAN);
    seen = xcalloc(KINDS_ROOM, sizeof(*seen));
    return 0;
}

static int teardown(void **state)
{
    struct kinds *kinds = *state;

    kinds_free(&kinds);
    assert_null(kinds);
    xfree(seen);
    return 0;
}

static struct kind_key key(const char *host, const char *path)
{
    return (struct kind_key){
        .listener = 1, .host = slice_from(host), .path = slice_from(path), .method = SLICE("GET")};
}

static void note(struct kinds *kinds, const char *path, uint64_t requests)
{
    struct kind_key one = key("shop.example.com", path);

    kinds_note(kinds, &one, requests);
}

static void at_minute(struct kinds *kinds, uint64_t minute)
{
    kinds_advance(kinds, BEGAN + minute * MINUTE);
}

static const struct kind_seen *find(struct kinds *kinds, const char *path)
{
    seen_count = kinds_list(kinds, seen);
    for (size_t i = 0; i < seen_count; i++)
        if (slice_equal(seen[i].key.path, slice_from(path)))
            return &seen[i];
    return NULL;
}

/* All that is listed and all others are all there was. */
static void assert_adds_up(struct kinds *kinds)
{
    struct kinds_sum sum = kinds_sum(kinds);
    uint64_t hour = sum.other_hour, day = sum.other_day;

    seen_count = kinds_list(kinds, seen);
    for (size_t i = 0; i < seen_count; i++) {
        hour += seen[i].hour;
        day += seen[i].day;
        assert_true(i == 0 || seen[i].hour <= seen[i - 1].hour);
    }
    assert_int_equal(hour, sum.hour);
    assert_int_equal(day, sum.day);
    assert_true(kinds_bytes(kinds) <= KINDS_BYTES);
}

static void test_each_kind_is_counted_apart(void **state)
{
    struct kinds *kinds = *state;
    struct kind_key other = key("shop.example.com", "/cart");

    note(kinds, "/cart", 2);
    note(kinds, "/", 5);
    note(kinds, "/cart", 1);
    other.method = SLICE("POST");
    kinds_note(kinds, &other, 10);
    other.is_https = true;
    kinds_note(kinds, &other, 20);
    other.listener = 2;
    kinds_note(kinds, &other, 30);
    other.host = SLICE("api.example.com");
    kinds_note(kinds, &other, 40);
    assert_adds_up(kinds);
    assert_int_equal(seen_count, 6);
    assert_int_equal(seen[0].hour, 40);
    assert_true(slice_equal(seen[0].key.host, SLICE("api.example.com")));
    assert_int_equal(seen[5].hour, 3);
    assert_true(slice_equal(seen[5].key.method, SLICE("GET")));
    assert_int_equal(kinds_sum(kinds).hour, 108);
}

/* Host, path and method lie behind one another: where one ends counts. */
static void test_texts_that_read_alike_are_not_alike(void **state)
{
    struct kinds *kinds = *state;
    struct kind_key one = {.host = SLICE("a"), .path = SLICE("/b"), .method = SLICE("GET")};
    struct kind_key two = {.host = SLICE("a/b"), .path = SLICE(""), .method = SLICE("GET")};
    struct kind_key three = {.host = SLICE("a"), .path = SLICE("/bG"), .method = SLICE("ET")};

    kinds_note(kinds, &one, 1);
    kinds_note(kinds, &two, 1);
    kinds_note(kinds, &three, 1);
    assert_int_equal(kinds_list(kinds, seen), 3);
}

static void test_what_is_new_is_told_once(void **state)
{
    struct kinds *kinds = *state;

    note(kinds, "/", 5);
    assert_int_equal(find(kinds, "/")->new, 5);
    assert_int_equal(find(kinds, "/")->new, 0);
    note(kinds, "/", 3);
    assert_int_equal(find(kinds, "/")->new, 3);
    assert_int_equal(find(kinds, "/")->hour, 8);
}

static void test_an_hour_and_a_day_pass(void **state)
{
    struct kinds *kinds = *state;

    note(kinds, "/", 7);
    assert_int_equal(kinds_sum(kinds).seconds, 0);
    at_minute(kinds, 10);
    assert_int_equal(kinds_sum(kinds).seconds, 600);
    note(kinds, "/", 2);
    at_minute(kinds, 59);
    assert_int_equal(find(kinds, "/")->hour, 9);
    assert_int_equal(kinds_sum(kinds).seconds, 59 * 60);
    at_minute(kinds, 60);
    assert_int_equal(find(kinds, "/")->hour, 2);
    assert_int_equal(find(kinds, "/")->day, 9);
    assert_int_equal(kinds_sum(kinds).seconds, 59 * 60);
    at_minute(kinds, 70);
    assert_int_equal(find(kinds, "/")->hour, 0);
    at_minute(kinds, 24 * 60 - 1);
    assert_int_equal(find(kinds, "/")->day, 9);
    at_minute(kinds, 24 * 60);
    assert_int_equal(find(kinds, "/")->day, 2);
    assert_adds_up(kinds);
    at_minute(kinds, 24 * 60 + 10);
    assert_null(find(kinds, "/"));
    assert_int_equal(kinds_sum(kinds).day, 0);
    assert_adds_up(kinds);
}

static void test_a_long_silence_empties_everything(void **state)
{
    struct kinds *kinds = *state;

    for (unsigned minute = 0; minute < 200; minute++) {
        at_minute(kinds, minute);
        note(kinds, "/", 1);
        note(kinds, "/cart", 2);
    }
    at_minute(kinds, 10000);
    assert_int_equal(kinds_sum(kinds).day, 0);
    assert_int_equal(kinds_list(kinds, seen), 0);
    note(kinds, "/", 4);
    assert_int_equal(find(kinds, "/")->day, 4);
    assert_adds_up(kinds);
}

static void path_number(unsigned number, char out[32])
{
    (void)snprintf(out, 32, "/%u", number);
}

/* Ten times as many kinds as there is room for, of which a hundred are a third of the requests. */
static void test_the_frequent_ones_are_right_among_too_many(void **state)
{
    struct kinds *kinds = *state;
    uint64_t expected[100] = {0}, all = 0;
    char path[32];

    for (unsigned round = 0; round < 10 * KINDS_ROOM; round++) {
        if (round % 100 == 0)
            at_minute(kinds, round / 100 % 50);
        path_number(1000 + round, path); /* each of these but once */
        note(kinds, path, 1);
        path_number(1000 + round / 2, path);
        note(kinds, path, 1);
        path_number(round % 100, path);
        note(kinds, path, 1 + round % 3);
        expected[round % 100] += 1 + round % 3;
        all += 3 + round % 3;
    }
    assert_adds_up(kinds);
    assert_true(seen_count <= KINDS_ROOM);
    assert_int_equal(kinds_sum(kinds).hour, all);
    for (unsigned i = 0; i < 100; i++) {
        path_number(i, path);
        assert_int_equal(find(kinds, path)->hour, expected[i]);
        assert_int_equal(find(kinds, path)->day, expected[i]);
    }
}

static void test_what_was_lost_counts_in_the_sum(void **state)
{
    struct kinds *kinds = *state;

    note(kinds, "/", 1);
    kinds_note_other(kinds, 9);
    assert_adds_up(kinds);
    assert_int_equal(kinds_sum(kinds).hour, 10);
    assert_int_equal(kinds_sum(kinds).other_hour, 9);
    at_minute(kinds, 61);
    assert_int_equal(kinds_sum(kinds).other_hour, 0);
    assert_int_equal(kinds_sum(kinds).other_day, 9);
    at_minute(kinds, 24 * 60);
    assert_int_equal(kinds_sum(kinds).day, 0);
}

/* What was given up leaves its windows too, when its time comes. */
static void test_others_leave_the_windows_like_the_rest(void **state)
{
    struct kinds *kinds = *state;
    char path[32];

    for (unsigned i = 0; i < 2 * KINDS_ROOM; i++) {
        path_number(i, path);
        note(kinds, path, 3);
        if (i % 500 == 0)
            at_minute(kinds, i / 500);
    }
    assert_true(kinds_sum(kinds).other_hour > 0);
    assert_adds_up(kinds);
    at_minute(kinds, 90);
    assert_adds_up(kinds);
    assert_int_equal(kinds_sum(kinds).hour, 0);
    assert_int_equal(kinds_sum(kinds).other_hour, 0);
    assert_int_equal(kinds_sum(kinds).day, 2 * KINDS_ROOM * 3);
    at_minute(kinds, 25 * 60);
    assert_int_equal(kinds_sum(kinds).day, 0);
    assert_int_equal(kinds_sum(kinds).other_day, 0);
}

/* As much as can be: every kind in every minute of more than a day. */
static void test_a_full_day_keeps_its_sums_in_bounded_memory(void **state)
{
    struct kinds *kinds = *state;
    char path[32];
    uint64_t day;

    for (unsigned minute = 0; minute < 26 * 60; minute++) {
        at_minute(kinds, minute);
        for (unsigned i = 0; i < KINDS_ROOM; i++) {
            path_number(i, path);
            note(kinds, path, 2);
        }
        assert_true(kinds_bytes(kinds) <= KINDS_BYTES);
    }
    assert_adds_up(kinds);
    assert_int_equal(seen_count, KINDS_ROOM);
    assert_int_equal(find(kinds, "/0")->hour, 2 * 60);
    day = find(kinds, "/0")->day;
    assert_true(day > 2 * 23 * 60 && day <= 2 * 24 * 60); /* old minutes go by the hour */
    assert_int_equal(kinds_sum(kinds).other_hour, 0);
}

static void test_a_number_that_is_full_goes_on_as_others(void **state)
{
    struct kinds *kinds = *state;

    note(kinds, "/", UINT32_MAX - 1);
    note(kinds, "/", 1);
    note(kinds, "/", 10);
    assert_int_equal(find(kinds, "/")->hour, UINT32_MAX);
    assert_int_equal(kinds_sum(kinds).other_hour, 10);
    for (unsigned minute = 1; minute < 26 * 60; minute++) {
        at_minute(kinds, minute);
        note(kinds, "/", UINT32_MAX);
        for (unsigned i = 1; i < 1000; i++) { /* enough that hours are put together */
            char path[32];

            path_number(i, path);
            note(kinds, path, 1);
        }
        if (minute % 60 == 0)
            assert_adds_up(kinds);
    }
    assert_adds_up(kinds);
    at_minute(kinds, 60 * 60);
    assert_int_equal(kinds_sum(kinds).day, 0);
    assert_int_equal(kinds_sum(kinds).other_day, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_each_kind_is_counted_apart),
        TEST(test_texts_that_read_alike_are_not_alike),
        TEST(test_what_is_new_is_told_once),
        TEST(test_an_hour_and_a_day_pass),
        TEST(test_a_long_silence_empties_everything),
        TEST(test_the_frequent_ones_are_right_among_too_many),
        TEST(test_what_was_lost_counts_in_the_sum),
        TEST(test_others_leave_the_windows_like_the_rest),
        TEST(test_a_full_day_keeps_its_sums_in_bounded_memory),
        TEST(test_a_number_that_is_full_goes_on_as_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
