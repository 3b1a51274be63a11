/* tap: nothing is lost but what is told as lost; what is drawn stands for what is not. */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "observe/tap.h"

static int setup(void **state)
{
    *state = tap_new();
    return 0;
}

static int teardown(void **state)
{
    struct tap *tap = *state;

    tap_free(&tap);
    assert_null(tap);
    return 0;
}

static bool give(struct tap *tap, uint64_t number)
{
    struct tap_cell cell = {.hash = number, .weight = 3};

    (void)tap_put(&cell, SLICE("shop.example.com"), TAP_HOST_BYTES);
    return tap_give(tap, &cell);
}

static void test_samples_come_out_as_they_went_in(void **state)
{
    struct tap *tap = *state;

    assert_null(tap_take(tap));
    for (uint64_t i = 0; i < 3 * TAP_CELLS; i++) {
        const struct tap_cell *cell;

        assert_true(give(tap, i));
        assert_true(give(tap, i + 1000000));
        cell = tap_take(tap);
        assert_int_equal(cell->hash, i);
        assert_int_equal(cell->text_bytes, 16);
        assert_memory_equal(cell->text, "shop.example.com", 16);
        tap_done(tap);
        assert_int_equal(tap_take(tap)->hash, i + 1000000);
        tap_done(tap);
    }
    assert_null(tap_take(tap));
}

static void test_a_full_tap_refuses_and_keeps_what_it_has(void **state)
{
    struct tap *tap = *state;

    for (uint64_t i = 0; i < TAP_CELLS; i++)
        assert_true(give(tap, i));
    assert_int_equal(atomic_load(&tap->lost), 0);
    assert_false(give(tap, 7777));
    assert_int_equal(atomic_load(&tap->lost), 3);
    assert_int_equal(tap_take(tap)->hash, 0);
    tap_done(tap);
    assert_true(give(tap, TAP_CELLS));
    assert_false(give(tap, 7777));
    for (uint64_t i = 1; i <= TAP_CELLS; i++) {
        assert_int_equal(tap_take(tap)->hash, i);
        tap_done(tap);
    }
    assert_null(tap_take(tap));
    assert_int_equal(atomic_load(&tap->lost), 6);
}

static void test_everything_fits_whatever_it_is(void **state)
{
    static const char text[1024] = {'x'};
    struct slice long_one = slice_of(text, sizeof(text));
    struct tap_cell cell = {0};

    (void)state;
    assert_int_equal(tap_put(&cell, long_one, TAP_HOST_BYTES), TAP_HOST_BYTES);
    assert_int_equal(tap_put(&cell, long_one, TAP_PATH_BYTES), TAP_PATH_BYTES);
    assert_int_equal(tap_put(&cell, long_one, TAP_METHOD_BYTES), TAP_METHOD_BYTES);
    for (unsigned i = 0; i < 2 * TAP_HEADERS; i++)
        assert_int_equal(tap_put(&cell, long_one, TAP_HEADER_BYTES), TAP_HEADER_BYTES);
    assert_true(cell.text_bytes <= sizeof(cell.text));
}

enum { MANY = 200000 };

static void *give_many(void *argument)
{
    uint64_t lost = 0;

    for (uint64_t i = 0; i < MANY; i++)
        lost += !give(argument, i);
    return (void *)(uintptr_t)lost;
}

static void test_two_threads_agree_on_what_was_lost(void **state)
{
    struct tap *tap = *state;
    uint64_t got = 0, before = 0;
    bool is_over = false;
    pthread_t thread;
    void *lost = NULL;

    assert_int_equal(pthread_create(&thread, NULL, give_many, tap), 0);
    while (true) {
        const struct tap_cell *cell = tap_take(tap);

        if (cell == NULL && is_over)
            break;
        if (cell == NULL) {
            is_over = pthread_tryjoin_np(thread, &lost) == 0;
            sched_yield();
            continue;
        }
        assert_true(got == 0 || cell->hash > before);
        before = cell->hash;
        got++;
        tap_done(tap);
    }
    assert_int_equal(got + (uint64_t)(uintptr_t)lost, MANY);
}

/* ---- which ones are drawn ---- */

/* As the worker does it; the weight, or 0. */
static uint32_t pass(struct tap_draw *draw, uint64_t now_ns, uint64_t *random)
{
    return draw->skip-- == 0 ? tap_draw_take(draw, now_ns, random_next(random)) : 0;
}

static void test_all_are_told_up_to_the_rate(void **state)
{
    struct tap_draw draw;
    uint64_t random = 17;

    (void)state;
    tap_draw_init(&draw);
    for (uint64_t second = 5; second < 25; second++)
        for (unsigned i = 0; i < TAP_PER_SECOND; i++)
            assert_int_equal(pass(&draw, second * 1000000000 + i, &random), 1);
}

static void test_above_the_rate_the_weights_add_up(void **state)
{
    enum { SECONDS = 60, A_SECOND = 37123 };
    struct tap_draw draw;
    uint64_t random = 4711, told = 0, stood_for = 0;

    (void)state;
    tap_draw_init(&draw);
    for (uint64_t second = 5; second < 5 + SECONDS; second++)
        for (unsigned i = 0; i < A_SECOND; i++) {
            uint32_t weight = pass(&draw, second * 1000000000 + i, &random);

            told += weight > 0;
            stood_for += weight;
        }
    /* the first second begins with all of them, and learns */
    assert_true(told > 50 * TAP_PER_SECOND && told < 65 * TAP_PER_SECOND);
    assert_true(llabs((long long)stood_for - (long long)SECONDS * A_SECOND) < 2000);
}

/* Every second request is of one sort: systematic sampling would see one sort only. */
static void test_a_pattern_in_the_traffic_does_not_fool_it(void **state)
{
    enum { SECONDS = 100, A_SECOND = 8000 };
    struct tap_draw draw;
    uint64_t random = 99, by_sort[4] = {0};

    (void)state;
    tap_draw_init(&draw);
    for (uint64_t second = 5; second < 5 + SECONDS; second++)
        for (unsigned i = 0; i < A_SECOND; i++)
            by_sort[i % 4] += pass(&draw, second * 1000000000 + i, &random);
    /* 25000 or so told of each: 3 % are five standard deviations */
    for (unsigned sort = 0; sort < 4; sort++)
        assert_true(fabs((double)by_sort[sort] / (SECONDS * A_SECOND / 4.0) - 1) < 0.03);
}

static void test_after_a_rush_all_are_told_again(void **state)
{
    struct tap_draw draw;
    uint64_t random = 3, second = 5;
    unsigned passed = 0;

    (void)state;
    tap_draw_init(&draw);
    for (; second < 8; second++)
        for (unsigned i = 0; i < 50000; i++)
            (void)pass(&draw, second * 1000000000 + i, &random);
    assert_true(draw.every >= 50);
    /* at one a second: what was drawn in the rush comes first, two blocks of it at most */
    for (second = 100; draw.every > 1 && passed < 1000; second++, passed++)
        (void)pass(&draw, second * 1000000000, &random);
    assert_true(passed <= 130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_samples_come_out_as_they_went_in, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_tap_refuses_and_keeps_what_it_has, setup,
                                        teardown),
        cmocka_unit_test(test_everything_fits_whatever_it_is),
        cmocka_unit_test_setup_teardown(test_two_threads_agree_on_what_was_lost, setup, teardown),
        cmocka_unit_test(test_all_are_told_up_to_the_rate),
        cmocka_unit_test(test_above_the_rate_the_weights_add_up),
        cmocka_unit_test(test_a_pattern_in_the_traffic_does_not_fool_it),
        cmocka_unit_test(test_after_a_rush_all_are_told_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
