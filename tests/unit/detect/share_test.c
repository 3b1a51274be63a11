/*
 * share_test - which part of a pool's requests each server gets, as far as weights tell.
 *
 * Threads  the first
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/model.h"
#include "detect/share.h"

enum { SERVERS = 4 };

static struct conf_server servers[SERVERS];
static struct conf_pool pool;
static struct share_pool shares;

static int setup(void **state)
{
    static const char *const names[SERVERS] = {"a", "b", "c", "d"};

    (void)state;
    for (size_t i = 0; i < SERVERS; i++)
        servers[i] = (struct conf_server){.name = names[i], .weight = 100, .state = SERVER_READY};
    pool = (struct conf_pool){.name = "p", .servers = servers, .server_count = SERVERS};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    share_pool_fini(&shares);
    return 0;
}

static void expect_shares(double a, double b, double c, double d)
{
    const double expected[SERVERS] = {a, b, c, d};

    for (size_t i = 0; i < SERVERS; i++)
        assert_float_equal(shares.servers[i].share, expected[i], 1e-6);
}

static void requests_follow_weights(void **state)
{
    (void)state;
    servers[0].weight = 300;
    servers[3].weight = 0;
    share_pool_init(&shares, &pool);
    expect_shares(0.6, 0.2, 0.2, 0);
    assert_string_equal(share_top(&shares)->name, "a");
    assert_int_equal(shares.tier.ready, 4);
    assert_int_equal(shares.tier.eligible, 3);
}

static void backups_get_nothing_while_a_primary_serves(void **state)
{
    (void)state;
    servers[2].is_backup = servers[3].is_backup = true;
    servers[0].state = SERVER_DRAIN;
    share_pool_init(&shares, &pool);
    expect_shares(0, 1, 0, 0);
    assert_false(shares.tier.is_of_backups);
    assert_int_equal(shares.primaries, 2);
}

static void backups_get_all_where_only_they_serve(void **state)
{
    (void)state;
    servers[2].is_backup = servers[3].is_backup = true;
    servers[3].weight = 300;
    servers[0].state = SERVER_MAINT;
    servers[1].weight = 0;
    share_pool_init(&shares, &pool);
    expect_shares(0, 0, 0.25, 0.75);
    assert_true(shares.tier.is_of_backups);
    assert_float_equal(shares.servers[2].fair, 0.5, 1e-6);
    assert_float_equal(shares.servers[2].capacity, 0, 1e-6); /* what should serve is the others */
    assert_float_equal(shares.servers[1].capacity, 1, 1e-6);
}

static void a_pool_of_backups_alone_is_served_by_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < SERVERS; i++)
        servers[i].is_backup = true;
    share_pool_init(&shares, &pool);
    expect_shares(0.25, 0.25, 0.25, 0.25);
}

static void backups_stand_in_when_no_primary_is_healthy(void **state)
{
    (void)state;
    servers[3].is_backup = true;
    pool.panic_percent = 50;
    share_pool_init(&shares, &pool);
    for (size_t i = 0; i < 3; i++)
        shares.servers[i].is_down = true;
    share_compute(&shares);
    expect_shares(0, 0, 0, 1);
    assert_false(shares.is_panic);
}

static void in_a_panic_health_is_not_asked(void **state)
{
    (void)state;
    pool.panic_percent = 50;
    share_pool_init(&shares, &pool);
    for (size_t i = 0; i < 3; i++)
        shares.servers[i].is_down = true;
    share_compute(&shares);
    assert_true(shares.is_panic);
    expect_shares(0.25, 0.25, 0.25, 0.25);
    pool.panic_mode = PANIC_FAIL;
    share_pool_fini(&shares);
    share_pool_init(&shares, &pool);
    for (size_t i = 0; i < 3; i++)
        shares.servers[i].is_down = true;
    share_compute(&shares);
    expect_shares(0, 0, 0, 0);
}

static void at_the_limit_there_is_no_panic(void **state)
{
    (void)state;
    pool.panic_percent = 50;
    share_pool_init(&shares, &pool);
    shares.servers[0].is_down = shares.servers[1].is_down = true;
    share_compute(&shares);
    assert_false(shares.is_panic);
    expect_shares(0, 0, 0.5, 0.5);
}

static void an_order_counts_for_what_is_configured(void **state)
{
    (void)state;
    share_pool_init(&shares, &pool);
    assert_true(share_override(&shares, "a", "drain", -1));
    assert_true(share_override(&shares, "b", NULL, 200));
    assert_false(share_override(&shares, "x", "drain", -1));
    share_compute(&shares);
    expect_shares(0, 0.5, 0.25, 0.25);
}

static void what_is_fair_follows_capacities_where_all_declare_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < SERVERS; i++)
        servers[i].capacity_rps = i == 0 ? 500 : 100;
    share_pool_init(&shares, &pool);
    assert_true(shares.tier.is_capacity_known);
    assert_float_equal(shares.servers[0].fair, 5.0 / 8, 1e-6);
    assert_float_equal(shares.tier.largest_rps, 500, 1e-6);
    share_pool_fini(&shares);
    servers[1].capacity_rps = 0;
    share_pool_init(&shares, &pool);
    assert_false(shares.tier.is_capacity_known);
    assert_float_equal(shares.servers[0].fair, 0.25, 1e-6);
}

static void an_equal_server_more_moves_nothing_away_from_capacity(void **state)
{
    struct share_pool before;

    (void)state;
    pool.server_count = 3;
    share_pool_init(&before, &pool);
    pool.server_count = 4;
    share_pool_init(&shares, &pool);
    assert_true(share_moved_away(&before, &shares) <= 0);
    assert_float_equal(share_distance(&before, &shares), 0.25, 1e-6);
    share_pool_fini(&before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(requests_follow_weights),
        TEST(backups_get_nothing_while_a_primary_serves),
        TEST(backups_get_all_where_only_they_serve),
        TEST(a_pool_of_backups_alone_is_served_by_them),
        TEST(backups_stand_in_when_no_primary_is_healthy),
        TEST(in_a_panic_health_is_not_asked),
        TEST(at_the_limit_there_is_no_panic),
        TEST(an_order_counts_for_what_is_configured),
        TEST(what_is_fair_follows_capacities_where_all_declare_one),
        TEST(an_equal_server_more_moves_nothing_away_from_capacity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
