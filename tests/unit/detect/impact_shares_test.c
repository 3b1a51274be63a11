/*
 * impact_shares_test - which servers of a pool a candidate would give its traffic to: by weights,
 * by pace, by hashes and cookies, by who is there.
 *
 * Threads  the first
 */
#include "tests/unit/detect/forecasts.h"

#include "detect/detect.h"
#include "proxy/balance/balance.h"

static void shares_follow_weights(void **state)
{
    (void)state;
    see("h", "/", 1000, 100);
    forecast(ONE(POOL("", ABC)), ONE(POOL("", W("a", 200) "," W("b", 50) "," SERVER("c", ""))));
    expect_share("a", 1 / 3.0, 200 / 350.0, 1e-9);
    expect_share("b", 1 / 3.0, 50 / 350.0, 1e-9);
    assert_float_equal(pool("p")->requests_per_second.before, 10, 1e-6);
    assert_float_equal(pool("p")->requests_per_second.after, 10, 1e-6);
    assert_float_equal(pool("p")->tvd, 200 / 350.0 - 1 / 3.0, 1e-6);
    assert_float_equal(pool("p")->n_eff.before, 3, 1e-6);
    assert_true(pool("p")->is_changed);
    assert_float_equal(server("p", "a")->requests_per_second.after, 10 * 200 / 350.0, 1e-6);
    assert_int_equal(impact->move_count, 0);
    assert_true(impact->keys_moved_percent < 0);
}

static void servers_come_and_go(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(ONE(POOL("", ABC)), ONE(POOL("", SERVER("a", "") "," SERVER("d", ""))));
    expect_share("a", 1 / 3.0, 0.5, 1e-9);
    expect_share("b", 1 / 3.0, -1, 1e-9);
    expect_share("d", -1, 0.5, 1e-9);
    assert_float_equal(pool("p")->tvd, 2 / 3.0, 1e-6);
}

static void what_does_not_change_is_told_as_unchanged(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(ONE(POOL("", ABC)), ONE(POOL(",'slow_start':'7s'", ABC)));
    assert_false(pool("p")->is_changed);
    assert_float_equal(pool("p")->tvd, 0, 1e-9);
}

static void methods_that_follow_load_keep_the_pace_they_were_seen_to_have(void **state)
{
    static const char *const methods[] = {"least_requests", "peak_ewma", "random"};
    struct sample_request *requests = see("h", "/", 9000, 9000);

    (void)state;
    /* a took twice what b took, for the same weight: it answers in half the time */
    for (size_t i = 0; i < 9000; i++)
        requests[i].server = i % 9 < 4 ? "a" : i % 9 < 6 ? "b" : "c";
    for (size_t i = 0; i < 3; i++) {
        char before[512];
        char after[512];

        (void)snprintf(before, sizeof(before), ONE(POOL(",'balance':'%s'", ABC)), methods[i]);
        (void)snprintf(after, sizeof(after),
                       ONE(POOL(",'balance':'%s'", SERVER("a", "") "," W("b", 200) ",%s")),
                       "'c':{'address':'10.0.0.1:80'},'d':{'address':'10.0.0.2:80'}", methods[i]);
        forecast(before, after);
        /* paces 4/3, 2/3 and 1, and 1 of who is new: 4 : 2 * 2 : 3 : 3 */
        expect_share("a", 4 / 9.0, 4 / 14.0, 0.01);
        expect_share("b", 2 / 9.0, 4 / 14.0, 0.01);
        expect_share("c", 3 / 9.0, 3 / 14.0, 0.01);
        expect_share("d", -1, 3 / 14.0, 0.01 + 1e-9);
    }
}

static void a_few_picks_say_little_of_pace(void **state)
{
    struct sample_request *requests = see("h", "/", 4, 4);

    (void)state;
    for (size_t i = 0; i < 4; i++)
        requests[i].server = "a";
    forecast(ONE(POOL(",'balance':'least_requests'", ABC)),
             ONE(POOL(",'balance':'least_requests'", ABC)));
    expect_share("a", 0.364, 0.364, 0.01);
}

static void what_chance_explains_is_no_pace(void **state)
{
    struct sample_request *requests = see("h", "/", 900, 900);

    (void)state;
    for (size_t i = 0; i < 900; i++)
        requests[i].server = i % 90 < 31 ? "a" : i % 90 < 60 ? "b" : "c";
    forecast(ONE(POOL(",'balance':'random'", ABC)), ONE(POOL(",'balance':'random'", ABC)));
    expect_share("a", 1 / 3.0, 1 / 3.0, 1e-9);
}

static void a_round_takes_no_notice_of_pace(void **state)
{
    struct sample_request *requests = see("h", "/", 900, 900);

    (void)state;
    for (size_t i = 0; i < 900; i++)
        requests[i].server = "a";
    forecast(ONE(POOL("", ABC)), ONE(POOL("", ABC)));
    expect_share("a", 1 / 3.0, 1 / 3.0, 1e-9);
}

static void backups_take_over_where_no_other_is_ready(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(ONE(POOL("", SERVER("a", "") "," SERVER("z", ",'backup':true"))),
             ONE(POOL("", SERVER("a", ",'state':'drain'") "," SERVER("z", ",'backup':true"))));
    expect_share("a", 1, 0, 1e-9);
    expect_share("z", 0, 1, 1e-9);
    assert_true(pool("p")->has_eligible_after);
}

static void orders_in_force_and_orders_that_come_count(void **state)
{
    static const struct detect_override in_force[] = {{"p", "a", "drain", -1}};
    static const struct detect_override ordered[] = {{"p", "b", NULL, 300}};

    (void)state;
    see("h", "/", 1000, 10);
    subject.overrides = in_force;
    subject.override_count = 1;
    subject.ordered = ordered;
    subject.ordered_count = 1;
    forecast(ONE(POOL("", ABC)), ONE(POOL("", ABC)));
    expect_share("a", 0, 0, 1e-9);
    expect_share("b", 0.5, 0.75, 1e-9);
    expect_share("c", 0.5, 0.25, 1e-9);
}

static void who_is_down_gets_nothing_until_there_is_panic(void **state)
{
    static const struct impact_down down[] = {{"p", "a"}, {"p", "b"}};

    (void)state;
    see("h", "/", 1000, 10);
    subject.down = down;
    subject.down_count = 1;
    forecast(ONE(POOL(",'panic_percent':50", ABC)),
             ONE(POOL(",'panic_percent':50",
                      "'a':{'address':'10.0.0.9:80'}," SERVER("b", "") "," SERVER("c", ""))));
    expect_share("a", 0, 1 / 3.0, 1e-9); /* another machine: nobody knows that it is down */
    subject.down_count = 2;
    forecast(ONE(POOL(",'panic_percent':50", ABC)), ONE(POOL(",'panic_percent':20", ABC)));
    expect_share("a", 1 / 3.0, 0, 1e-9);
    expect_share("c", 1 / 3.0, 1, 1e-9);
    assert_true(pool("p")->has_eligible_after);
}

static void a_ceiling_gives_what_is_over_to_the_others(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(ONE(POOL("", W("a", 800) "," W("b", 100) "," W("c", 100))),
             ONE(POOL(",'max_share_percent':40", W("a", 800) "," W("b", 100) "," W("c", 100))));
    expect_share("a", 0.8, 0.4, 1e-9);
    expect_share("b", 0.1, 0.3, 1e-9);
    /* nobody is left: backups, and then nobody */
    forecast(ONE(POOL("", W("a", 100) "," SERVER("z", ",'backup':true"))),
             ONE(POOL(",'max_share_percent':40", W("a", 100) "," SERVER("z", ",'backup':true"))));
    expect_share("a", 1, 0.4, 1e-9);
    expect_share("z", 0, 0.4, 1e-9);
}

static void nobody_is_eligible_any_more(void **state)
{
    static const struct detect_override in_force[] = {{"p", "a", "drain", -1}};

    (void)state;
    see("h", "/", 1000, 10);
    subject.overrides = in_force;
    subject.override_count = 1;
    forecast(ONE(POOL("", SERVER("a", "") "," SERVER("b", ""))), ONE(POOL("", SERVER("a", ""))));
    assert_true(pool("p")->has_eligible_before);
    assert_false(pool("p")->has_eligible_after);
    assert_true(pool("p")->is_reached);
    expect_share("a", 0, 0, 1e-9);
}

/* ---- hashes and cookies ---- */

#define HASHED(...) ONE(POOL(",'balance':'maglev','hash_on':'client_ip'", __VA_ARGS__))

static struct sample_request *see_hashed(size_t count)
{
    struct sample_request *requests = see("h", "/", count, count);

    for (size_t i = 0; i < count; i++) {
        requests[i].has_hash = true;
        requests[i].hash = requests[i].client_hash;
        requests[i].reason = REASON_HASH;
    }
    return requests;
}

static void a_server_more_moves_its_part_of_the_keys(void **state)
{
    (void)state;
    see_hashed(10000);
    forecast(HASHED(ABC), HASHED(ABC "," SERVER("d", "")));
    expect_share("a", 1 / 3.0, 0.25, 0.02);
    expect_share("d", -1, 0.25, 1.26);
    assert_float_equal(server("p", "d")->share.after, 0.25, 0.02);
    assert_in_range((uint64_t)(impact->keys_moved_percent * 10), 245, 290);
}

static void keys_of_who_stays_stay(void **state)
{
    (void)state;
    see_hashed(10000);
    forecast(HASHED(ABC),
             HASHED(SERVER("a", "") "," SERVER("b", ",'state':'maint'") "," SERVER("c", "")));
    assert_float_equal(impact->keys_moved_percent, 100 * server("p", "b")->share.before, 1e-6);
    assert_float_equal(server("p", "b")->share.after, 0, 1e-9);
}

static void one_key_that_all_have_goes_to_one_server(void **state)
{
    struct sample_request *requests = see_hashed(1000);
    size_t with_all = 0;

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        requests[i].hash = 4711;
    forecast(HASHED(ABC), HASHED(SERVER("a", "") "," SERVER("b", "") "," W("c", 50)));
    for (size_t i = 0; i < 3; i++)
        with_all += pool("p")->servers[i].share.before > 0.999;
    assert_int_equal(with_all, 1);
}

static void what_is_hashed_now_may_not_be_known(void **state)
{
    (void)state;
    see_hashed(1000);
    forecast(HASHED(ABC), ONE(POOL(",'balance':'maglev','hash_on':'cookie:id'", ABC)));
    assert_true(impact->keys_moved_percent < 0);
    expect_share("a", 1 / 3.0, 1 / 3.0, 0.05);
    forecast(HASHED(ABC), ONE(POOL(",'balance':'maglev','hash_on':'path'", ABC)));
    assert_true(impact->keys_moved_percent > 50); /* one path: all keys to one server */
}

static void without_hashing_keys_keep_a_server_by_chance(void **state)
{
    (void)state;
    see_hashed(3000);
    forecast(HASHED(ABC), ONE(POOL("", ABC)));
    assert_float_equal(impact->keys_moved_percent, 100 * 2 / 3.0, 1.5);
}

#define STICKY(...) ONE(POOL(",'sticky':{'cookie':'s'}", __VA_ARGS__))

static void cookies_lead_to_their_server(void **state)
{
    struct sample_request *requests = see("h", "/", 1000, 1000);

    (void)state;
    for (size_t i = 0; i < 600; i++) {
        requests[i].sticky = "a";
        requests[i].reason = REASON_STICKY;
    }
    forecast(STICKY(ABC), STICKY(SERVER("a", "") "," SERVER("b", "") "," W("c", 200)));
    expect_share("a", 0.6 + 0.4 / 3, 0.6 + 0.4 / 4, 1e-6);
    expect_share("c", 0.4 / 3, 0.4 / 2, 1e-6);
    assert_float_equal(impact->keys_moved_percent, 0, 1e-9);
    /* a drained server keeps its sessions; one that is gone does not */
    forecast(STICKY(ABC),
             STICKY(SERVER("a", ",'state':'drain'") "," SERVER("b", "") "," SERVER("c", "")));
    expect_share("a", 0.6 + 0.4 / 3, 0.6, 1e-6);
    forecast(STICKY(ABC), STICKY(SERVER("b", "") "," SERVER("c", "")));
    expect_share("b", 0.4 / 3, 0.5, 1e-6);
    assert_float_equal(impact->keys_moved_percent, 100, 1e-6);
    /* another cookie is not read */
    forecast(STICKY(ABC), ONE(POOL(",'sticky':{'cookie':'t'}", ABC)));
    expect_share("a", 0.6 + 0.4 / 3, 1 / 3.0, 1e-6);
}

static void more_tables_than_are_made_leave_keys_unknown(void **state)
{
    char *before = arena_alloc(arena, 65536);
    char *after = arena_alloc(arena, 65536);
    size_t at = (size_t)sprintf(before, "{" WEB ",'routes':{");
    size_t pools;

    (void)state;
    for (int i = 0; i < 40; i++)
        at += (size_t)sprintf(before + at, "%s'r%d':{'hosts':['h%d'],'pool':'p%d'}",
                              i > 0 ? "," : "", i, i, i);
    at += (size_t)sprintf(before + at, "},'pools':{");
    pools = at;
    memcpy(after, before, at);
    for (int i = 0; i < 40; i++) {
        at += (size_t)sprintf(before + at,
                              "%s'p%d':{'balance':'maglev','hash_on':'client_ip','servers':{%s}}",
                              i > 0 ? "," : "", i, ABC);
        pools += (size_t)sprintf(
            after + pools, "%s'p%d':{'balance':'maglev','hash_on':'client_ip','servers':{%s}}",
            i > 0 ? "," : "", i, SERVER("a", "") "," SERVER("b", ""));
    }
    (void)sprintf(before + at, "}}");
    (void)sprintf(after + pools, "}}");
    for (int i = 0; i < 40; i++) {
        struct sample_request *request = see(arena_printf(arena, "h%d", i), "/", 10, 1);

        request->has_hash = true;
        request->hash = hash_mix((uint64_t)i);
        request->pool = arena_printf(arena, "p%d", i);
        request->route = arena_printf(arena, "r%d", i);
    }
    forecast(before, after);
    assert_true(impact->keys_moved_percent < 0);
    assert_true(pool("p39")->is_changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        forecast_test(shares_follow_weights),
        forecast_test(servers_come_and_go),
        forecast_test(what_does_not_change_is_told_as_unchanged),
        forecast_test(methods_that_follow_load_keep_the_pace_they_were_seen_to_have),
        forecast_test(a_few_picks_say_little_of_pace),
        forecast_test(what_chance_explains_is_no_pace),
        forecast_test(a_round_takes_no_notice_of_pace),
        forecast_test(backups_take_over_where_no_other_is_ready),
        forecast_test(orders_in_force_and_orders_that_come_count),
        forecast_test(who_is_down_gets_nothing_until_there_is_panic),
        forecast_test(a_ceiling_gives_what_is_over_to_the_others),
        forecast_test(nobody_is_eligible_any_more),
        forecast_test(a_server_more_moves_its_part_of_the_keys),
        forecast_test(keys_of_who_stays_stay),
        forecast_test(one_key_that_all_have_goes_to_one_server),
        forecast_test(what_is_hashed_now_may_not_be_known),
        forecast_test(without_hashing_keys_keep_a_server_by_chance),
        forecast_test(cookies_lead_to_their_server),
        forecast_test(more_tables_than_are_made_leave_keys_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
