/*
 * distributions: from counters and live words of real snapshots to shares, alarms and epochs,
 * second by second, over reloads.
 *
 * Threads  the first
 */
#include "watch/distributions.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "proxy/publish.h"
#include "proxy/upstream/server.h"
#include "tests/support/snapshots.h"

/* Of three servers; `more` goes into the pool, each server's own part into its braces. */
#define THREE(more, first, second, third)                                                          \
    "{\"listeners\":{\"web\":{\"address\":\"127.0.0.1:8080\"}},"                                   \
    "\"routes\":{\"all\":{\"pool\":\"shop\"}},\"pools\":{\"shop\":{" more "\"servers\":{"          \
    "\"s1\":{\"address\":\"10.0.0.1:80\"" first "},"                                               \
    "\"s2\":{\"address\":\"10.0.0.2:80\"" second "},"                                              \
    "\"s3\":{\"address\":\"10.0.0.3:80\"" third "}}}}}"

enum { CONFIGURATIONS = 8 };

static struct {
    struct snapshots in;
    struct snapshot *built[CONFIGURATIONS];
    size_t built_count;
    struct snapshot *running;
    struct distributions *distributions;
    uint64_t now_ms;
    unsigned turn;
} world;

/* In place of the publisher. */
struct snapshot *publisher_running(const struct publisher *publisher)
{
    (void)publisher;
    return world.running;
}

struct snapshot *publisher_candidate(const struct publisher *publisher)
{
    (void)publisher;
    return NULL;
}

static struct snapshot *run(const char *text)
{
    world.running = snapshots_build(&world.in, slice_from(text), world.built_count + 1);
    world.built[world.built_count++] = world.running;
    snapshot_configure_servers(world.running);
    return world.running;
}

static struct balance_live *live_of(const char *server)
{
    struct snapshot_pool *pool = &world.running->pools[0];

    for (size_t i = 0; i < pool->server_count; i++)
        if (strcmp(pool->servers[i]->name, server) == 0)
            return &pool->servers[i]->live;
    fail_msg("no server %s", server);
    return NULL;
}

static void live_has_changed(void)
{
    atomic_fetch_add(&world.running->pools[0].live->epoch, 1);
}

static int begin(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    snapshots_begin(&world.in, 2);
    world.distributions = distributions_new(world.in.counters, 2, NULL);
    world.now_ms = 5000000;
    return 0;
}

static int end(void **state)
{
    (void)state;
    distributions_free(&world.distributions);
    for (size_t i = 0; i < world.built_count; i++)
        snapshot_free(&world.built[i]);
    snapshots_end(&world.in);
    return 0;
}

/* ---- traffic ---- */

/* As a worker counts an attempt and its answer. */
static void request(const char *server, enum balance_reason reason)
{
    unsigned worker = world.turn++ % 2;
    struct pool_row *pool =
        counters_pool(world.in.counters, worker, world.running->pools[0].counter_slot);
    struct server_row *row = counters_server(
        world.in.counters, worker, counters_slot(world.in.counters, SCOPE_SERVER, "shop", server));

    count_one(&pool->requests);
    count_one(&pool->picked[reason]);
    count_one(&row->requests);
    if (reason == REASON_STICKY)
        count_one(&row->sticky);
    count_one(&row->responses[2]);
    histogram_note(&row->latency, 5000);
}

struct part {
    const char *server;
    unsigned per_second;
    enum balance_reason reason;
};

static void pass(unsigned seconds, const struct part *parts, size_t count)
{
    for (unsigned second = 0; second < seconds; second++) {
        for (size_t p = 0; p < count; p++)
            for (unsigned i = 0; i < parts[p].per_second; i++)
                request(parts[p].server, parts[p].reason);
        world.now_ms += 1000;
        distributions_tick(world.distributions, world.now_ms);
    }
}
#define PASS(seconds, ...)                                                                         \
    pass(seconds, (struct part[]){__VA_ARGS__},                                                    \
         sizeof((struct part[]){__VA_ARGS__}) / sizeof(struct part))

static const struct part even[] = {
    {"s1", 10, REASON_BALANCER}, {"s2", 10, REASON_BALANCER}, {"s3", 10, REASON_BALANCER}};

static json_t *alerts(void)
{
    json_t *list = json_array();

    distributions_add_alerts(world.distributions, list);
    return list;
}

static void assert_no_alerts(void)
{
    json_t *list = alerts();

    if (json_array_size(list) > 0)
        fail_msg("%s", json_string_value(json_object_get(json_array_get(list, 0), "summary")));
    json_decref(list);
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static double share(const char *ref, size_t server)
{
    json_t *shown = distributions_shown(world.distributions, "shop");
    json_t *minute = json_array_get(json_object_get(shown, "windows"), 0);
    json_t *one = json_array_get(json_object_get(minute, "servers"), server);
    const json_t *value = json_object_get(one, ref);
    double number = json_is_null(value) ? -1 : json_number_value(value);

    json_decref(shown);
    return number;
}

#define assert_near(a, b) assert_true(fabs((a) - (b)) < 0.02)

/* ---- tests ---- */

static void a_pool_without_requests_is_shown_as_such(void **state)
{
    json_t *shown;

    (void)state;
    assert_null(distributions_shown(world.distributions, "shop"));
    run(THREE("", "", "", ""));
    assert_true(distributions_look(world.distributions, world.now_ms));
    shown = distributions_shown(world.distributions, "shop");
    assert_string_equal(text_of(json_object_get(shown, "states"), "capacity"), "insufficient");
    json_decref(shown);
    assert_true(share("share", 0) < 0);
    assert_null(distributions_shown(world.distributions, "shoe"));
}

static void what_came_before_the_first_second_is_counted(void **state)
{
    json_t *shown;
    json_t *minute;

    (void)state;
    run(THREE("", "", "", ""));
    for (unsigned i = 0; i < 90; i++)
        request(i % 3 == 0 ? "s1" : i % 3 == 1 ? "s2" : "s3", REASON_BALANCER);
    assert_true(distributions_look(world.distributions, world.now_ms));
    shown = distributions_shown(world.distributions, "shop");
    minute = json_array_get(json_object_get(shown, "windows"), 0);
    assert_int_equal(json_integer_value(json_object_get(minute, "requests")), 90);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(shown, "picked_by"), "balancer")), 90);
    json_decref(shown);
    assert_near(share("share", 0), 0.333);
}

static void shares_are_held_against_weights_and_capacities(void **state)
{
    (void)state;
    run(THREE("", ",\"weight\":300,\"capacity_rps\":100", ",\"capacity_rps\":100",
              ",\"capacity_rps\":200"));
    PASS(30, {"s1", 30, REASON_BALANCER}, {"s2", 10, REASON_BALANCER}, {"s3", 10, REASON_BALANCER});
    assert_near(share("share", 0), 0.6);
    assert_near(share("configured", 0), 0.6);
    assert_near(share("capacity", 0), 0.25);
    assert_near(share("capacity", 2), 0.5);
    assert_true(share("previous", 0) < 0);
}

static void all_to_one_is_told_with_its_cause(void **state)
{
    json_t *list, *alert;

    (void)state;
    run(THREE("\"balance\":\"maglev\",\"hash_on\":\"path\",", "", "", ""));
    PASS(50, {"s2", 40, REASON_HASH});
    list = alerts();
    assert_int_equal(json_array_size(list), 1);
    alert = json_array_get(list, 0);
    assert_string_equal(text_of(alert, "name"), "TrafficConcentration");
    assert_string_equal(text_of(alert, "severity"), "page");
    assert_string_equal(text_of(alert, "pool"), "shop");
    assert_string_equal(text_of(alert, "server"), "s2");
    assert_string_equal(text_of(alert, "ref"), "capacity");
    assert_string_equal(text_of(alert, "summary"),
                        "pool shop: s2 gets 100 % of requests (expected 33 %)");
    assert_non_null(
        strstr(text_of(alert, "description"), "share=1.00 tau=0.67 N_eff=1.00 TVD=0.67"));
    assert_non_null(strstr(text_of(alert, "description"), "100 % of them by what is hashed."));
    json_decref(list);
}

/* Few requests: what is over is seen before there are enough to call it a concentration. */
static void assert_one_name(unsigned requests_in_three_seconds)
{
    char name[64] = "";
    unsigned told = 0;

    run(THREE("", ",\"weight\":1000", ",\"weight\":1", ",\"weight\":1"));
    for (unsigned second = 0; second < 600; second++) {
        json_t *list, *alert;
        size_t i;

        if (second % 3 < requests_in_three_seconds)
            PASS(1, {"s1", 1, REASON_BALANCER});
        else
            PASS(1, {"s1", 0, REASON_BALANCER});
        list = alerts();
        assert_true(json_array_size(list) <= 1);
        json_array_foreach(list, i, alert)
        {
            if (name[0] == '\0')
                (void)snprintf(name, sizeof(name), "%s", text_of(alert, "name"));
            assert_string_equal(text_of(alert, "name"), name);
            told++;
        }
        json_decref(list);
    }
    assert_true(told > 300);
}

static void one_trouble_is_one_alert_under_one_name(void **state)
{
    (void)state;
    assert_one_name(3); /* one a second: pages at once */
}

static void a_ticket_that_becomes_a_page_keeps_its_name(void **state)
{
    (void)state;
    assert_one_name(2); /* fewer than it takes to wake somebody by a minute alone */
}

static void sticky_requests_are_no_choice_of_the_balancer(void **state)
{
    (void)state;
    run(THREE("\"sticky\":{\"cookie\":\"c\"},", "", "", ""));
    PASS(60, {"s1", 5, REASON_BALANCER}, {"s2", 5, REASON_BALANCER}, {"s3", 5, REASON_BALANCER},
         {"s3", 15, REASON_STICKY});
    assert_near(share("share", 2), 20 / 30.0);
    assert_near(share("configured", 2), 1 / 3.0);
    json_t *shown = distributions_shown(world.distributions, "shop");
    json_t *by = json_object_get(json_array_get(json_object_get(shown, "windows"), 0), "tvd_by");
    assert_near(json_number_value(json_object_get(by, "configured")), 0);
    assert_near(json_number_value(json_object_get(by, "capacity")), 1 / 3.0);
    assert_in_range(
        json_integer_value(json_object_get(json_object_get(shown, "picked_by"), "sticky")), 800,
        950);
    json_decref(shown);
}

static void who_drains_is_expected_to_get_nothing(void **state)
{
    (void)state;
    run(THREE("", "", "", ""));
    PASS(60, even[0], even[1], even[2]);
    atomic_store(&live_of("s3")->admin, ADMIN_DRAIN);
    live_has_changed();
    /* its sessions stay */
    PASS(60, {"s1", 14, REASON_BALANCER}, {"s2", 14, REASON_BALANCER}, {"s3", 2, REASON_STICKY});
    assert_near(share("capacity", 0), 0.5);
    assert_near(share("capacity", 2), 0);
    assert_no_alerts();
    atomic_store(&live_of("s2")->admin, ADMIN_MAINT);
    live_has_changed();
    PASS(120, {"s1", 30, REASON_ONLY_ONE_LEFT});
    assert_near(share("capacity", 0), 1);
    assert_no_alerts(); /* somebody wanted it so: C003 and overload are about that */
}

static void who_begins_slowly_is_expected_to_get_little(void **state)
{
    uint64_t began_ms;

    (void)state;
    run(THREE("\"slow_start\":\"100s\",\"health_check\":{},", "", "", ""));
    for (unsigned i = 1; i <= 3; i++)
        atomic_store(&live_of(i == 1 ? "s1" : i == 2 ? "s2" : "s3")->health, HEALTH_UP);
    live_has_changed();
    PASS(30, even[0], even[1], even[2]);
    began_ms = world.now_ms;
    atomic_store(&live_of("s3")->ramp_from_ms, began_ms);
    atomic_store(&live_of("s2")->ramp_from_ms, began_ms);
    live_has_changed();
    for (unsigned second = 0; second < 100; second++) {
        unsigned part = second < 10 ? 10 : second;

        PASS(1, {"s1", 100, REASON_BALANCER}, {"s2", part, REASON_BALANCER},
             {"s3", part, REASON_BALANCER});
        assert_no_alerts();
    }
    assert_true(share("capacity", 2) < 0.32);
}

static void health_does_not_excuse_a_concentration(void **state)
{
    json_t *list;

    (void)state;
    run(THREE("\"health_check\":{},\"panic_percent\":0,", "", "", ""));
    atomic_store(&live_of("s1")->health, HEALTH_UP);
    atomic_store(&live_of("s2")->health, HEALTH_DOWN);
    atomic_store(&live_of("s3")->health, HEALTH_DOWN);
    live_has_changed();
    PASS(60, {"s1", 30, REASON_ONLY_ONE_LEFT});
    assert_near(share("configured", 0), 1);
    assert_near(share("capacity", 0), 1 / 3.0);
    list = alerts();
    assert_int_equal(json_array_size(list), 1);
    assert_non_null(strstr(text_of(json_array_get(list, 0), "description"), "only one left"));
    json_decref(list);
}

static void an_ordered_weight_is_seen_without_the_minute_before(void **state)
{
    unsigned seconds = 0;
    json_t *list;

    (void)state;
    run(THREE("", "", "", ""));
    PASS(300, even[0], even[1], even[2]);
    atomic_store(&live_of("s2")->weight_override, 0);
    atomic_store(&live_of("s3")->weight_override, 0);
    live_has_changed();
    for (list = alerts(); json_array_size(list) == 0 && seconds < 100; list = alerts(), seconds++) {
        json_decref(list);
        PASS(1, {"s1", 100, REASON_BALANCER});
    }
    assert_in_range(seconds, 20, 41);
    assert_string_equal(text_of(json_array_get(list, 0), "ref"), "capacity");
    json_decref(list);
}

static void a_ceiling_is_part_of_what_is_configured(void **state)
{
    (void)state;
    run(THREE("\"max_share_percent\":50,", ",\"weight\":800", "", ""));
    PASS(20, {"s1", 15, REASON_BALANCER}, {"s2", 8, REASON_SPILL}, {"s3", 7, REASON_SPILL});
    assert_near(share("configured", 0), 0.5);
    assert_near(share("configured", 1), 0.25);
}

static void standbys_are_expected_to_stand_by(void **state)
{
    (void)state;
    run(THREE("\"intent\":\"active_standby\",", ",\"weight\":1000", ",\"weight\":1",
              ",\"weight\":1"));
    PASS(120, {"s1", 100, REASON_BALANCER});
    assert_no_alerts();
    assert_near(share("capacity", 0), 1);
}

static void backups_are_left_out_until_they_are_needed(void **state)
{
    (void)state;
    run(THREE("", "", "", ",\"backup\":true"));
    PASS(60, {"s1", 15, REASON_BALANCER}, {"s2", 15, REASON_BALANCER});
    assert_near(share("capacity", 2), 0);
    assert_no_alerts();
}

static void a_reload_forgets_nothing(void **state)
{
    json_t *before, *after;

    (void)state;
    run(THREE("", "", "", ""));
    PASS(110, {"s2", 40, REASON_BALANCER});
    before = alerts();
    assert_int_equal(json_array_size(before), 2); /* and it is not as configured */
    /* the same once more: addresses of a name have changed, say */
    run(THREE("", "", "", ""));
    PASS(5, {"s2", 40, REASON_BALANCER});
    after = alerts();
    assert_int_equal(json_array_size(after), 2);
    assert_near(share("share", 1), 1);
    json_decref(before);
    json_decref(after);
}

static void servers_keep_their_shares_when_one_comes_between(void **state)
{
    (void)state;
    run(THREE("", "", "", ""));
    PASS(60, {"s1", 10, REASON_BALANCER}, {"s2", 20, REASON_BALANCER}, {"s3", 30, REASON_BALANCER});
    run("{\"listeners\":{\"web\":{\"address\":\"127.0.0.1:8080\"}},"
        "\"routes\":{\"all\":{\"pool\":\"shop\"}},\"pools\":{\"shop\":{\"servers\":{"
        "\"s1\":{\"address\":\"10.0.0.1:80\"},\"s11\":{\"address\":\"10.0.0.4:80\"},"
        "\"s3\":{\"address\":\"10.0.0.3:80\"}}}}}");
    PASS(20, {"s1", 20, REASON_BALANCER}, {"s11", 20, REASON_BALANCER},
         {"s3", 20, REASON_BALANCER});
    assert_near(share("share", 1), 1 / 3.0);
    /* an hour before: 1 to 3 among those that stay; who is new had nothing */
    assert_near(share("previous", 0), 0.25);
    assert_near(share("previous", 1), 0);
    assert_near(share("previous", 2), 0.75);
}

static void an_epoch_has_what_came_since_the_change(void **state)
{
    struct distributions_since since;

    (void)state;
    run(THREE("", "", "", ""));
    PASS(100, even[0], even[1], even[2]);
    run(THREE("", ",\"weight\":1000", ",\"weight\":1", ",\"weight\":1"));
    PASS(1, {"s1", 0, REASON_BALANCER});
    assert_true(distributions_since_change(world.distributions, "shop", world.in.arena, &since));
    assert_int_equal(since.generation, 2);
    assert_int_equal(since.began_ms, world.now_ms);
    assert_int_equal(since.requests, 0);
    assert_false(since.verdicts[REF_CAPACITY].is_enough);
    PASS(20, {"s1", 50, REASON_BALANCER});
    assert_true(distributions_since_change(world.distributions, "shop", world.in.arena, &since));
    assert_in_range(since.requests, 500, 1000);
    assert_int_equal(since.servers[0].picks, since.requests);
    assert_string_equal(since.servers[2].name, "s3");
    assert_near(since.servers[0].expected[REF_CONFIGURED], 0.998);
    assert_near(since.servers[0].expected[REF_CAPACITY], 1 / 3.0);
    assert_near(since.servers[0].expected[REF_PREVIOUS], 1 / 3.0);
    assert_false(since.verdicts[REF_CONFIGURED].over.is_over);
    assert_true(since.verdicts[REF_CAPACITY].over.is_over);
    assert_int_equal(since.verdicts[REF_CAPACITY].over.server, 0);
    assert_false(since.verdicts[REF_CAPACITY].was_over);
    assert_true(since.verdicts[REF_PREVIOUS].over.is_over);
    assert_true(since.verdicts[REF_PREVIOUS].bayes > DISTRIBUTION_BAYES);
    assert_false(distributions_since_change(world.distributions, "shoe", world.in.arena, &since));
}

static void what_came_just_before_a_change_is_not_lost(void **state)
{
    (void)state;
    run(THREE("", "", "", ""));
    assert_true(distributions_look(world.distributions, world.now_ms));
    for (unsigned i = 0; i < 300; i++)
        request(i % 3 == 0 ? "s1" : i % 3 == 1 ? "s2" : "s3", REASON_BALANCER);
    run(THREE("", ",\"weight\":101", "", ""));
    PASS(1, {"s1", 1, REASON_BALANCER});
    PASS(10, even[0], even[1], even[2]);
    assert_near(share("previous", 0), 1 / 3.0); /* it made that hour's shares */
}

static void metrics_show_all_references(void **state)
{
    struct buffer out = {0};
    char *text;

    (void)state;
    run(THREE("", "", "", ""));
    PASS(30, even[0], even[1], even[2]);
    buffer_init(&out);
    distributions_write_metrics(world.distributions, &out);
    text = arena_strdup(world.in.arena, buffer_text(&out));
    assert_non_null(strstr(text, "twokey_distribution_state{pool=\"shop\",ref=\"capacity\"} 0\n"));
    assert_non_null(strstr(text, "twokey_distribution_state{pool=\"shop\",ref=\"previous\"} -1\n"));
    assert_non_null(strstr(text, "twokey_pool_effective_servers{pool=\"shop\"} 3\n"));
    assert_non_null(strstr(text, "twokey_pool_tvd{pool=\"shop\",ref=\"configured\"} 0\n"));
    assert_non_null(strstr(
        text, "twokey_server_share_expected{pool=\"shop\",server=\"s1\",ref=\"capacity\"} 0.33"));
    assert_null(strstr(text, "ref=\"previous\"} 0"));
    buffer_fini(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pool_without_requests_is_shown_as_such, begin, end),
        cmocka_unit_test_setup_teardown(what_came_before_the_first_second_is_counted, begin, end),
        cmocka_unit_test_setup_teardown(shares_are_held_against_weights_and_capacities, begin, end),
        cmocka_unit_test_setup_teardown(all_to_one_is_told_with_its_cause, begin, end),
        cmocka_unit_test_setup_teardown(one_trouble_is_one_alert_under_one_name, begin, end),
        cmocka_unit_test_setup_teardown(a_ticket_that_becomes_a_page_keeps_its_name, begin, end),
        cmocka_unit_test_setup_teardown(sticky_requests_are_no_choice_of_the_balancer, begin, end),
        cmocka_unit_test_setup_teardown(who_drains_is_expected_to_get_nothing, begin, end),
        cmocka_unit_test_setup_teardown(who_begins_slowly_is_expected_to_get_little, begin, end),
        cmocka_unit_test_setup_teardown(health_does_not_excuse_a_concentration, begin, end),
        cmocka_unit_test_setup_teardown(an_ordered_weight_is_seen_without_the_minute_before, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_ceiling_is_part_of_what_is_configured, begin, end),
        cmocka_unit_test_setup_teardown(standbys_are_expected_to_stand_by, begin, end),
        cmocka_unit_test_setup_teardown(backups_are_left_out_until_they_are_needed, begin, end),
        cmocka_unit_test_setup_teardown(a_reload_forgets_nothing, begin, end),
        cmocka_unit_test_setup_teardown(servers_keep_their_shares_when_one_comes_between, begin,
                                        end),
        cmocka_unit_test_setup_teardown(an_epoch_has_what_came_since_the_change, begin, end),
        cmocka_unit_test_setup_teardown(what_came_just_before_a_change_is_not_lost, begin, end),
        cmocka_unit_test_setup_teardown(metrics_show_all_references, begin, end),
    };

    return cmocka_run_group_tests_name("distributions", tests, NULL, NULL);
}
