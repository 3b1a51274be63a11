/* limits: connections of the process and of a client, and request rates, also from many threads. */
#include "proxy/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#define SECOND UINT64_C(1000000000)

static void connections_are_taken_up_to_the_most(void **state)
{
    struct client_limit *limit = client_limit_new();

    (void)state;
    assert_true(client_limit_take(limit, 2));
    assert_true(client_limit_take(limit, 2));
    assert_false(client_limit_take(limit, 2));
    assert_int_equal(client_limit_count(limit), 2);
    client_limit_give(limit);
    assert_true(client_limit_take(limit, 2));
    assert_false(client_limit_take(limit, 0));
    client_limit_free(&limit);
    assert_null(limit);
}

static void clients_are_counted_apart(void **state)
{
    struct client_limit *limit = client_limit_new();

    (void)state;
    for (uint64_t key = 1; key < 100; key++) {
        uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);

        assert_true(client_limit_take_address(limit, hash, 1));
        assert_false(client_limit_take_address(limit, hash, 1));
        client_limit_give_address(limit, hash);
        assert_true(client_limit_take_address(limit, hash, 1));
    }
    client_limit_free(&limit);
}

static void a_burst_passes_then_the_rate(void **state)
{
    struct rate_store *store = rate_store_new();
    struct rate_table *table = rate_store_table(store, "r");
    uint64_t now = 5 * SECOND, wait_ms = 0;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_true(rate_table_pass(table, 7, 10, 5, now, &wait_ms));
    assert_false(rate_table_pass(table, 7, 10, 5, now, &wait_ms));
    assert_in_range(wait_ms, 100, 101);
    assert_true(rate_table_pass(table, 8, 10, 5, now, &wait_ms));
    assert_false(rate_table_pass(table, 7, 10, 5, now + SECOND / 10 - 1, &wait_ms));
    assert_in_range(wait_ms, 1, 1);
    assert_true(rate_table_pass(table, 7, 10, 5, now + SECOND / 10, &wait_ms));
    assert_false(rate_table_pass(table, 7, 10, 5, now + SECOND / 10, &wait_ms));
    rate_store_free(&store);
}

static void the_rate_holds_in_the_long_run(void **state)
{
    struct rate_store *store = rate_store_new();
    struct rate_table *table = rate_store_table(store, "r");
    uint64_t wait_ms;
    int passed = 0;

    (void)state;
    for (uint64_t now = SECOND; now < 11 * SECOND; now += SECOND / 1000)
        passed += rate_table_pass(table, 1, 50, 1, now, &wait_ms);
    assert_in_range(passed, 499, 501);
    rate_store_free(&store);
}

static void a_worker_whose_clock_is_behind_takes_nothing_back(void **state)
{
    struct rate_store *store = rate_store_new();
    struct rate_table *table = rate_store_table(store, "r");
    uint64_t wait_ms;

    (void)state;
    assert_true(rate_table_pass(table, 1, 1, 1, 10 * SECOND, &wait_ms));
    assert_false(rate_table_pass(table, 1, 1, 1, 9 * SECOND, &wait_ms));
    assert_true(rate_table_pass(table, 1, 1, 1, 11 * SECOND, &wait_ms));
    rate_store_free(&store);
}

static void a_table_is_found_again_by_its_name(void **state)
{
    struct rate_store *store = rate_store_new();

    (void)state;
    assert_ptr_equal(rate_store_table(store, "a"), rate_store_table(store, "a"));
    assert_ptr_not_equal(rate_store_table(store, "a"), rate_store_table(store, "b"));
    rate_store_free(&store);
}

struct crowd {
    struct rate_table *table;
    struct client_limit *limit;
    int passed;
    int most;
};

static void *crowd_thread(void *argument)
{
    struct crowd *crowd = argument;
    uint64_t wait_ms;

    for (int i = 0; i < 20000; i++) {
        crowd->passed += rate_table_pass(crowd->table, 3, 1000, 100, SECOND, &wait_ms);
        if (client_limit_take(crowd->limit, 3)) {
            int now = (int)client_limit_count(crowd->limit);

            crowd->most = now > crowd->most ? now : crowd->most;
            client_limit_give(crowd->limit);
        }
    }
    return NULL;
}

static void many_threads_pass_no_more_than_one(void **state)
{
    struct rate_store *store = rate_store_new();
    struct client_limit *limit = client_limit_new();
    struct crowd crowds[4];
    pthread_t threads[4];
    int passed = 0;

    (void)state;
    for (int i = 0; i < 4; i++) {
        crowds[i] = (struct crowd){.table = rate_store_table(store, "r"), .limit = limit};
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_thread, &crowds[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        passed += crowds[i].passed;
    }
    assert_int_equal(passed, 100);
    assert_int_equal(client_limit_count(limit), 0);
    client_limit_free(&limit);
    rate_store_free(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_taken_up_to_the_most),
        cmocka_unit_test(clients_are_counted_apart),
        cmocka_unit_test(a_burst_passes_then_the_rate),
        cmocka_unit_test(the_rate_holds_in_the_long_run),
        cmocka_unit_test(a_worker_whose_clock_is_behind_takes_nothing_back),
        cmocka_unit_test(a_table_is_found_again_by_its_name),
        cmocka_unit_test(many_threads_pass_no_more_than_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
