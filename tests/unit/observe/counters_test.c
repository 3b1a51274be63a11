/* counters: names keep their slots, rows are apart, a full scope gives "other". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "observe/counters.h"

static int setup(void **state)
{
    *state = counters_new(3);
    return 0;
}

static int teardown(void **state)
{
    struct counters *counters = *state;

    counters_free(&counters);
    assert_null(counters);
    return 0;
}

static void test_a_name_keeps_its_slot(void **state)
{
    struct counters *counters = *state;
    uint32_t shop = counters_slot(counters, SCOPE_POOL, NULL, "shop");
    uint32_t api = counters_slot(counters, SCOPE_POOL, NULL, "api");

    assert_int_not_equal(shop, 0);
    assert_int_not_equal(shop, api);
    assert_int_equal(counters_slot(counters, SCOPE_POOL, NULL, "shop"), shop);
    assert_string_equal(counters_slot_name(counters, SCOPE_POOL, shop), "shop");
    assert_int_equal(counters_slot_count(counters, SCOPE_POOL), 3);
    assert_int_equal(counters_slot_count(counters, SCOPE_ROUTE), 1);
}

static void test_servers_of_two_pools_may_have_one_name(void **state)
{
    struct counters *counters = *state;
    uint32_t a = counters_slot(counters, SCOPE_SERVER, "shop", "s1");
    uint32_t b = counters_slot(counters, SCOPE_SERVER, "api", "s1");
    uint32_t swapped = counters_slot(counters, SCOPE_SERVER, "s1", "shop");

    assert_true(a != b && a != swapped && b != swapped);
    assert_string_equal(counters_slot_pool(counters, a), "shop");
    assert_string_equal(counters_slot_pool(counters, b), "api");
    assert_string_equal(counters_slot_name(counters, SCOPE_SERVER, swapped), "shop");
    assert_int_equal(counters_slot(counters, SCOPE_SERVER, "api", "s1"), b);
}

static void test_slot_0_is_other(void **state)
{
    struct counters *counters = *state;

    assert_string_equal(counters_slot_name(counters, SCOPE_ROUTE, 0), "other");
    assert_string_equal(counters_slot_pool(counters, 0), "other");
    /* A thing that people call so has a slot of its own. */
    assert_int_not_equal(counters_slot(counters, SCOPE_ROUTE, NULL, "other"), 0);
}

static void test_a_full_scope_gives_other_and_keeps_what_it_has(void **state)
{
    struct counters *counters = *state;
    char name[32];

    for (unsigned i = 1; i < 65536; i++) {
        snprintf(name, sizeof(name), "r%u", i);
        assert_int_equal(counters_slot(counters, SCOPE_ROUTE, NULL, name), i);
    }
    assert_int_equal(counters_slot(counters, SCOPE_ROUTE, NULL, "one more"), 0);
    assert_int_equal(counters_slot(counters, SCOPE_ROUTE, NULL, "r4711"), 4711);
    assert_int_equal(counters_slot_count(counters, SCOPE_ROUTE), 65536);
}

static void test_rows_of_workers_share_no_cache_line(void **state)
{
    struct counters *counters = *state;
    uintptr_t last_of_0 = (uintptr_t)counters_server(counters, 0, 65535);
    uintptr_t first_of_0 = (uintptr_t)counters_process(counters, 0);

    for (unsigned worker = 1; worker < 3; worker++) {
        uintptr_t first = (uintptr_t)counters_process(counters, worker);
        uintptr_t last = (uintptr_t)counters_server(counters, worker, 65535);

        assert_int_equal(first % 64, 0);
        assert_true(first >= last_of_0 + sizeof(struct server_row) ||
                    last + sizeof(struct server_row) <= first_of_0);
    }
}

static void test_every_row_is_apart_from_the_others(void **state)
{
    struct counters *counters = *state;

    for (unsigned worker = 0; worker < 3; worker++) {
        for (uint32_t slot = 0; slot < 4; slot++) {
            uint64_t mark = worker * 10 + slot;

            count_add(&counters_listener(counters, worker, slot)->requests, mark);
            count_add(&counters_route(counters, worker, slot)->requests, 100 + mark);
            count_add(&counters_pool(counters, worker, slot)->requests, 200 + mark);
            count_add(&counters_server(counters, worker, slot)->requests, 300 + mark);
            count_add(&counters_server(counters, worker, slot)->latency.buckets[87], 400 + mark);
        }
        count_add(&counters_process(counters, worker)->accept_failures, worker);
    }
    for (unsigned worker = 0; worker < 3; worker++) {
        for (uint32_t slot = 0; slot < 4; slot++) {
            uint64_t mark = worker * 10 + slot;
            struct server_row *server = counters_server(counters, worker, slot);

            assert_int_equal(counters_listener(counters, worker, slot)->requests, mark);
            assert_int_equal(counters_route(counters, worker, slot)->requests, 100 + mark);
            assert_int_equal(counters_pool(counters, worker, slot)->requests, 200 + mark);
            assert_int_equal(server->requests, 300 + mark);
            assert_int_equal(server->latency.buckets[87], 400 + mark);
        }
        assert_int_equal(counters_process(counters, worker)->accept_failures, worker);
    }
}

static void test_a_gauge_goes_up_and_down(void **state)
{
    struct counters *counters = *state;
    struct pool_row *row = counters_pool(counters, 0, 1);

    count_one(&row->in_flight);
    count_one(&row->in_flight);
    count_less(&row->in_flight);
    assert_int_equal(row->in_flight, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_name_keeps_its_slot),
        TEST(test_servers_of_two_pools_may_have_one_name),
        TEST(test_slot_0_is_other),
        TEST(test_a_full_scope_gives_other_and_keeps_what_it_has),
        TEST(test_rows_of_workers_share_no_cache_line),
        TEST(test_every_row_is_apart_from_the_others),
        TEST(test_a_gauge_goes_up_and_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
