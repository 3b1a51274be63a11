/* ring: nothing is lost but what is counted as dropped, whoever is faster. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "observe/ring.h"

static int setup(void **state)
{
    *state = ring_new();
    return 0;
}

static int teardown(void **state)
{
    struct ring *ring = *state;

    ring_free(&ring);
    assert_null(ring);
    return 0;
}

static bool put(struct ring *ring, uint64_t number)
{
    struct record *record = ring_claim(ring);

    if (record == NULL)
        return false;
    record->text_end = 0;
    record->received_bytes = number;
    record->sent_bytes = number * 3;
    ring_publish(ring);
    return true;
}

static void test_records_come_out_in_the_order_they_went_in(void **state)
{
    struct ring *ring = *state;

    assert_null(ring_take(ring));
    for (uint64_t i = 0; i < 3; i++)
        assert_true(put(ring, i));
    for (uint64_t i = 0; i < 3; i++) {
        const struct record *record = ring_take(ring);

        assert_non_null(record);
        assert_int_equal(record->received_bytes, i);
        ring_done(ring);
    }
    assert_null(ring_take(ring));
}

static void test_a_claimed_cell_is_not_seen_before_it_is_published(void **state)
{
    struct ring *ring = *state;

    assert_non_null(ring_claim(ring));
    assert_null(ring_take(ring));
    assert_false(ring_publish(ring));
    assert_non_null(ring_take(ring));
}

static void test_a_full_ring_drops_and_counts(void **state)
{
    struct ring *ring = *state;

    for (uint64_t i = 0; i < RING_CELLS; i++)
        assert_true(put(ring, i));
    assert_false(put(ring, 1));
    assert_false(put(ring, 1));
    assert_int_equal(ring->dropped, 2);
    assert_non_null(ring_take(ring));
    ring_done(ring);
    assert_true(put(ring, RING_CELLS));
    assert_false(put(ring, 1));
    for (uint64_t i = 1; i <= RING_CELLS; i++) {
        assert_int_equal(ring_take(ring)->received_bytes, i);
        ring_done(ring);
    }
    assert_null(ring_take(ring));
    assert_int_equal(ring->dropped, 3);
}

static void test_the_observer_is_woken_when_a_quarter_is_full(void **state)
{
    struct ring *ring = *state;

    for (unsigned i = 1; i < RING_CELLS / 4; i++) {
        ring_claim(ring);
        assert_false(ring_publish(ring));
    }
    ring_claim(ring);
    assert_true(ring_publish(ring));
    for (unsigned i = 0; i < 10; i++) {
        ring_take(ring);
        ring_done(ring);
    }
    ring_claim(ring);
    assert_false(ring_publish(ring));
}

static void test_a_ring_that_is_emptied_in_time_uses_few_cells(void **state)
{
    struct ring *ring = *state;
    struct record *highest = ring->cells;

    for (uint64_t i = 0; i < 3 * RING_CELLS; i++) {
        struct record *record = ring_claim(ring);

        assert_non_null(record);
        record->received_bytes = i;
        highest = record > highest ? record : highest;
        ring_publish(ring);
        if (i % 10 != 0)
            continue;
        for (const struct record *taken; (taken = ring_take(ring)) != NULL; ring_done(ring))
            assert_in_range(taken->received_bytes, i > 10 ? i - 10 : 0, i);
    }
    assert_true(highest < ring->cells + RING_CELLS / 4);
    assert_int_equal(ring->dropped, 0);
}

enum { SENT = 300000 };

static void *send_all(void *argument)
{
    struct ring *ring = argument;

    for (uint64_t i = 0; i < SENT; i++)
        put(ring, i);
    return NULL;
}

static void test_two_threads_lose_only_what_was_counted(void **state)
{
    struct ring *ring = *state;
    pthread_t worker;
    uint64_t got = 0, last = 0;
    bool is_first = true, has_ended = false;

    assert_int_equal(pthread_create(&worker, NULL, send_all, ring), 0);
    for (;;) {
        const struct record *record = ring_take(ring);

        if (record == NULL) {
            if (has_ended)
                break;
            /* Ends when all that was sent has come or was dropped; then once more for the rest. */
            has_ended = got + atomic_load(&ring->dropped) == SENT;
            sched_yield();
            continue;
        }
        assert_true(is_first || record->received_bytes > last);
        assert_int_equal(record->sent_bytes, record->received_bytes * 3);
        last = record->received_bytes;
        is_first = false;
        got++;
        ring_done(ring);
    }
    assert_int_equal(pthread_join(worker, NULL), 0);
    assert_int_equal(got + ring->dropped, SENT);
}

static void test_texts_lie_one_after_the_other_and_are_cut_to_the_room(void **state)
{
    static struct record record;
    static char longer[RECORD_TEXT_BYTES];

    (void)state;
    record_put(&record, RECORD_METHOD, slice_from("GET"), 16);
    record_put(&record, RECORD_HOST, slice_from("shop.example.com"), 4);
    record_put(&record, RECORD_PATH, slice_of(longer, sizeof(longer)), sizeof(longer));
    record_put(&record, RECORD_USER_AGENT, slice_from("curl"), 64);
    assert_int_equal(record.text_lengths[RECORD_METHOD], 3);
    assert_int_equal(record.text_lengths[RECORD_HOST], 4);
    assert_memory_equal(record.text, "GETshop", 7);
    assert_int_equal(record.text_lengths[RECORD_PATH], RECORD_TEXT_BYTES - 7);
    assert_int_equal(record.text_lengths[RECORD_USER_AGENT], 0);
    assert_int_equal(record.text_end, RECORD_TEXT_BYTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_records_come_out_in_the_order_they_went_in),
        TEST(test_a_claimed_cell_is_not_seen_before_it_is_published),
        TEST(test_a_full_ring_drops_and_counts),
        TEST(test_the_observer_is_woken_when_a_quarter_is_full),
        TEST(test_a_ring_that_is_emptied_in_time_uses_few_cells),
        TEST(test_two_threads_lose_only_what_was_counted),
        TEST(test_texts_lie_one_after_the_other_and_are_cut_to_the_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
