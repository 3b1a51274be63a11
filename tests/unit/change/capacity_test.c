/*
 * capacity_test - each condition of the capacity guard, on both sides of its limit.
 *
 * Threads  the first
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "change/capacity.h"
#include "config/model.h"

enum { SERVERS_MAX = 8, HOUR_MS = 60 * 60 * 1000, MINUTE_MS = 60 * 1000 };

static const int64_t now_ms = 1795392000000;

struct bench {
    struct conf_pool pool;
    struct conf_server servers[SERVERS_MAX];
    struct capacity_question question;
    json_t *in_force;
    json_t *events;
    json_t *numbers;
    char why[CAPACITY_WHY_TEXT];
};

static const char *const names[SERVERS_MAX] = {"s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"};

static void set_up(struct bench *bench, size_t count, uint32_t capacity_rps)
{
    *bench = (struct bench){0};
    bench->pool =
        (struct conf_pool){.name = "shop", .servers = bench->servers, .server_count = count};
    for (size_t i = 0; i < count; i++)
        bench->servers[i] = (struct conf_server){
            .name = names[i], .weight = 100, .capacity_rps = capacity_rps, .state = SERVER_READY};
    bench->in_force = json_array();
    bench->events = json_array();
    bench->question = (struct capacity_question){.pool = &bench->pool,
                                                 .server = "s1",
                                                 .state = "drain",
                                                 .weight = -1,
                                                 .in_force = bench->in_force,
                                                 .events = bench->events,
                                                 .peak_since_ms = now_ms - HOUR_MS,
                                                 .now_ms = now_ms};
}

static void tear_down(struct bench *bench)
{
    json_decref(bench->in_force);
    json_decref(bench->events);
    json_decref(bench->numbers);
}

static void override(struct bench *bench, const char *server, const char *state, int weight)
{
    json_array_append_new(bench->in_force,
                          json_pack("{s:s, s:s, s:s?, s:o}", "pool", "shop", "server", server,
                                    "state", state, "weight",
                                    weight >= 0 ? json_integer(weight) : json_null()));
}

static void happened(struct bench *bench, const char *server, const char *kind, int64_t ago_ms,
                     int was)
{
    json_array_append_new(bench->events,
                          json_pack("{s:s, s:s, s:I, s:i}", "server", server, "kind", kind, "at",
                                    (json_int_t)(now_ms - ago_ms), "was", was));
}

static bool allows(struct bench *bench)
{
    json_decref(bench->numbers);
    return capacity_allows(&bench->question, &bench->numbers, bench->why);
}

static double number(const struct bench *bench, const char *group, const char *name)
{
    const json_t *value = json_object_get(bench->numbers, group);

    if (name != NULL)
        value = json_object_get(value, name);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* ---- capacities unknown ---- */

static void half_of_the_servers_must_stay(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 2, 0);
    assert_true(allows(&bench)); /* 1 of 2 */
    assert_string_equal(json_string_value(json_object_get(bench.numbers, "capacity")), "unknown");
    override(&bench, "s2", "drain", -1);
    assert_false(allows(&bench)); /* 0 of 2 */
    assert_string_equal(bench.why, "0 of 2 servers would stay eligible, and at least 1 must");
    tear_down(&bench);

    set_up(&bench, 5, 0);
    override(&bench, "s5", "maint", -1);
    assert_true(allows(&bench)); /* 3 of 5 */
    override(&bench, "s4", "drain", -1);
    assert_false(allows(&bench)); /* 2 of 5 */
    assert_int_equal(number(&bench, "needed", NULL), 3);
    assert_int_equal(number(&bench, "eligible", "before"), 3);
    assert_int_equal(number(&bench, "eligible", "after"), 2);
    tear_down(&bench);
}

static void the_only_server_stays(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 1, 0);
    assert_false(allows(&bench));
    tear_down(&bench);
    set_up(&bench, 1, 100);
    assert_false(allows(&bench)); /* and with a capacity, though the peak is 0 */
    tear_down(&bench);
}

static void servers_that_are_down_or_weigh_nothing_do_not_stay(void **state)
{
    static const char *const down[] = {"s2"};
    struct bench bench;

    (void)state;
    set_up(&bench, 3, 0);
    assert_true(allows(&bench)); /* 2 of 3 */
    bench.question.down = down;
    bench.question.down_count = 1;
    assert_false(allows(&bench)); /* 1 of 3 */
    bench.question.down_count = 0;
    bench.servers[1].weight = 0;
    assert_false(allows(&bench));
    bench.servers[1].weight = 100;
    bench.servers[1].state = SERVER_MAINT;
    assert_false(allows(&bench));
    tear_down(&bench);
}

static void backups_are_counted_apart(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 3, 0);
    bench.servers[1].is_backup = bench.servers[2].is_backup = true;
    assert_false(allows(&bench)); /* s1 is the only one that is none */
    bench.question.server = "s2";
    assert_true(allows(&bench)); /* one of two backups stays */
    tear_down(&bench);
}

/* ---- capacities declared ---- */

static void the_rest_must_bear_the_peak_without_its_largest(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 4, 100);
    bench.servers[3].capacity_rps = 150;
    bench.servers[3].weight = 150;
    bench.question.peak_rps = 200; /* stays: 100 + 100 + 150, less 150 */
    assert_true(allows(&bench));
    assert_string_equal(json_string_value(json_object_get(bench.numbers, "capacity")), "known");
    assert_int_equal(number(&bench, "capacity_rps", "after"), 350);
    assert_int_equal(number(&bench, "capacity_rps", "largest"), 150);
    assert_int_equal(number(&bench, "peak", "rps"), 200);
    bench.question.peak_rps = 201;
    assert_false(allows(&bench));
    assert_string_equal(bench.why, "without its largest server the rest serves 200 requests a "
                                   "second, and the peak is 201");
    tear_down(&bench);
}

static void no_server_may_be_used_more_than_80_percent(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 4, 100);
    bench.servers[1].weight = 200; /* half of what stays */
    bench.question.peak_rps = 160;
    assert_true(allows(&bench));
    assert_true(number(&bench, "utilisation", "highest") == 0.8);
    bench.question.peak_rps = 161;
    assert_false(allows(&bench));
    assert_non_null(strstr(bench.why, "used 80.5 % at the peak"));
    tear_down(&bench);
}

static void one_unknown_capacity_makes_all_unknown(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 3, 100);
    bench.question.peak_rps = 1000;
    assert_false(allows(&bench));
    bench.servers[0].capacity_rps = 0;
    assert_true(allows(&bench)); /* 2 of 3 */
    tear_down(&bench);
}

/* ---- pace ---- */

static void one_other_drain_in_ten_minutes_is_allowed(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 8, 0);
    assert_true(allows(&bench));
    happened(&bench, "s2", "drain", MINUTE_MS, 0);
    happened(&bench, "s2", "drain", 2 * MINUTE_MS, 0); /* the same one again */
    happened(&bench, "s1", "drain", 2 * MINUTE_MS, 0); /* this one: no other */
    happened(&bench, "s4", "drain", 10 * MINUTE_MS, 0);
    assert_true(allows(&bench));
    happened(&bench, "s3", "drain", 10 * MINUTE_MS - 1, 0);
    assert_false(allows(&bench));
    assert_int_equal(json_array_size(json_object_get(bench.numbers, "drains_in_10_minutes")), 2);
    tear_down(&bench);
}

static void the_pace_counts_with_declared_capacities_too(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 8, 100);
    assert_true(allows(&bench));
    happened(&bench, "s2", "drain", MINUTE_MS, 0);
    happened(&bench, "s3", "drain", MINUTE_MS, 0);
    assert_false(allows(&bench));
    tear_down(&bench);
}

/* E-26 */
static void servers_cannot_be_drained_one_by_one(void **state)
{
    size_t drained = 0;
    struct bench bench;

    (void)state;
    set_up(&bench, 8, 0);
    for (size_t i = 0; i < 8; i++) { /* with a quarter of an hour between them */
        bench.question.server = names[i];
        if (!allows(&bench))
            break;
        override(&bench, names[i], i % 2 == 0 ? "drain" : "maint", -1);
        drained++;
    }
    assert_int_equal(drained, 4);
    tear_down(&bench);
}

/* ---- what is always allowed ---- */

static void a_server_that_is_out_already_may_be_moved_about(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 2, 0);
    override(&bench, "s1", "drain", -1);
    override(&bench, "s2", "drain", -1);
    bench.question.state = "maint";
    assert_false(capacity_is_drain(&bench.question));
    assert_true(allows(&bench));
    bench.question.state = "ready";
    assert_true(allows(&bench));
    tear_down(&bench);
}

static void orders_for_other_pools_do_not_count(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 2, 0);
    json_array_append_new(bench.in_force, json_pack("{s:s, s:s, s:s, s:n}", "pool", "api", "server",
                                                    "s2", "state", "drain", "weight"));
    assert_true(allows(&bench));
    tear_down(&bench);
}

/* ---- weights ---- */

static void a_weight_may_move_5_percent(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 2, 0);
    bench.servers[0].weight = bench.servers[1].weight = 450;
    bench.question.state = NULL;
    bench.question.weight = 550; /* 0.55 of all */
    assert_true(allows(&bench));
    assert_true(number(&bench, "tvd", "predicted") == 0.05);
    bench.question.weight = 551;
    assert_false(allows(&bench));
    assert_non_null(strstr(bench.why, "5 % is the limit"));
    tear_down(&bench);
}

static void small_changes_of_weight_add_up_over_an_hour(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 2, 0);
    bench.servers[0].weight = bench.servers[1].weight = 450;
    override(&bench, "s1", NULL, 550);
    bench.question.state = NULL;
    bench.question.weight = 580;
    happened(&bench, "s1", "weight", HOUR_MS - 1, 450);
    happened(&bench, "s1", "weight", MINUTE_MS, 500);
    assert_false(allows(&bench)); /* 450 to 580 */
    bench.question.weight = 450;
    assert_true(allows(&bench)); /* back to where it was */
    assert_true(number(&bench, "tvd", "predicted") == 0);
    json_array_clear(bench.events);
    happened(&bench, "s1", "weight", HOUR_MS, 450);
    bench.question.weight = 580;
    assert_true(allows(&bench)); /* 550 to 580 */
    tear_down(&bench);
}

static void changes_of_several_servers_are_summed(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 4, 0);
    bench.question.state = NULL;
    bench.question.weight = 125; /* 1/4 to 125 of 425: 4.4 % */
    assert_true(allows(&bench));
    override(&bench, "s2", NULL, 125);
    happened(&bench, "s2", "weight", MINUTE_MS, 100);
    assert_false(allows(&bench)); /* 1/2 to 250 of 450: 5.6 % */
    tear_down(&bench);
}

static void a_weight_of_0_is_a_drain(void **state)
{
    struct bench bench;

    (void)state;
    set_up(&bench, 8, 0);
    bench.servers[0].weight = 10;
    bench.question.state = NULL;
    bench.question.weight = 0;
    assert_true(capacity_is_drain(&bench.question));
    assert_true(allows(&bench)); /* 1.4 % of the requests */
    happened(&bench, "s2", "drain", MINUTE_MS, 0);
    happened(&bench, "s3", "drain", MINUTE_MS, 0);
    assert_false(allows(&bench));
    tear_down(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_of_the_servers_must_stay),
        cmocka_unit_test(the_only_server_stays),
        cmocka_unit_test(servers_that_are_down_or_weigh_nothing_do_not_stay),
        cmocka_unit_test(backups_are_counted_apart),
        cmocka_unit_test(the_rest_must_bear_the_peak_without_its_largest),
        cmocka_unit_test(no_server_may_be_used_more_than_80_percent),
        cmocka_unit_test(one_unknown_capacity_makes_all_unknown),
        cmocka_unit_test(one_other_drain_in_ten_minutes_is_allowed),
        cmocka_unit_test(the_pace_counts_with_declared_capacities_too),
        cmocka_unit_test(servers_cannot_be_drained_one_by_one),
        cmocka_unit_test(a_server_that_is_out_already_may_be_moved_about),
        cmocka_unit_test(orders_for_other_pools_do_not_count),
        cmocka_unit_test(a_weight_may_move_5_percent),
        cmocka_unit_test(small_changes_of_weight_add_up_over_an_hour),
        cmocka_unit_test(changes_of_several_servers_are_summed),
        cmocka_unit_test(a_weight_of_0_is_a_drain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
