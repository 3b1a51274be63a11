/*
 * gate_watch: from counters and live words of a real snapshot to readings, second by second; what a
 * change is held against, through confirmations, ways back and rollbacks.
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
#include <jansson.h>

#include "proxy/upstream/server.h"
#include "tests/support/snapshots.h"
#include "watch/distributions.h"
#include "watch/gate_spread.h"
#include "watch/gate_watch.h"

#define TWO(weight)                                                                                \
    "{\"listeners\":{\"web\":{\"address\":\"127.0.0.1:8080\"}},"                                   \
    "\"routes\":{\"all\":{\"pool\":\"shop\"}},\"pools\":{"                                         \
    "\"blog\":{\"servers\":{\"b1\":{\"address\":\"10.0.1.1:80\"}}},"                               \
    "\"shop\":{\"servers\":{\"s1\":{\"address\":\"10.0.0.1:80\",\"weight\":" weight "},"           \
    "\"s2\":{\"address\":\"10.0.0.2:80\"}},\"health_check\":{}}}}"

static struct {
    struct snapshots in;
    struct snapshot *base;
    struct snapshot *target;
    struct gate_watch *watch;
    struct gate_sight sight;
    struct gate_subject subject;
    bool has_subject;
    json_t *changed;
    json_t *prediction;
    struct gate_readings readings;
    unsigned taken;
} world;

static struct snapshot *build(const char *text, uint64_t generation)
{
    return snapshots_build(&world.in, slice_from(text), generation);
}

static void set_health(const struct snapshot *snapshot, const char *server, uint32_t health)
{
    for (size_t p = 0; p < snapshot->pool_count; p++)
        for (size_t i = 0; i < snapshot->pools[p].server_count; i++)
            if (server == NULL || strcmp(snapshot->pools[p].servers[i]->name, server) == 0)
                atomic_store(&snapshot->pools[p].servers[i]->live.health, health);
}

static void run(struct snapshot *snapshot)
{
    world.sight.running = snapshot;
    world.sight.published_generation = snapshot->generation;
}

static int begin(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    snapshots_begin(&world.in, 1);
    world.base = build(TWO("100"), 1);
    world.target = build(TWO("90"), 2);
    world.watch = gate_watch_new(world.in.counters, 1, NULL);
    world.sight.now_ms = 1000;
    set_health(world.base, NULL, HEALTH_UP);
    run(world.base);
    return 0;
}

static int end(void **state)
{
    (void)state;
    gate_watch_free(&world.watch);
    snapshot_free(&world.base);
    snapshot_free(&world.target);
    snapshots_end(&world.in);
    json_decref(world.changed);
    json_decref(world.prediction);
    return 0;
}

/* ---- traffic ---- */

struct traffic {
    unsigned per_second;
    unsigned failed_percent;
    unsigned ms;
    unsigned first_percent; /* of them that s1 gets */
};

static void answer(const char *pool, const struct traffic *traffic)
{
    uint32_t slot = counters_slot(world.in.counters, SCOPE_POOL, NULL, pool);
    struct pool_row *row = counters_pool(world.in.counters, 0, slot);

    for (unsigned i = 0; i < traffic->per_second; i++) {
        bool fails = i * 100 / traffic->per_second < traffic->failed_percent;
        bool is_first = i * 100 / traffic->per_second < traffic->first_percent;
        uint32_t server =
            counters_slot(world.in.counters, SCOPE_SERVER, pool, is_first ? "s1" : "s2");

        count_one(&row->responses[fails ? 5 : 2]);
        histogram_note(&row->latency, traffic->ms * 1000);
        count_one(&counters_server(world.in.counters, 0, server)->requests);
    }
}

static const struct traffic good = {.per_second = 50, .ms = 5, .first_percent = 50};
static const struct traffic bad = {
    .per_second = 50, .failed_percent = 50, .ms = 5, .first_percent = 50};
static const struct traffic slow = {.per_second = 50, .ms = 900, .first_percent = 50};
static const struct traffic lopsided = {.per_second = 50, .ms = 5, .first_percent = 100};

static void pass_seconds(unsigned seconds, const char *pool, const struct traffic *traffic)
{
    for (unsigned i = 0; i < seconds; i++) {
        world.sight.now_ms += 1000;
        if (traffic != NULL)
            answer(pool, traffic);
        world.taken += gate_watch_tick(world.watch, &world.sight,
                                       world.has_subject ? &world.subject : NULL, &world.readings);
    }
}

static enum gate_word word(enum gate_input input)
{
    return world.readings.inputs[input].word;
}

static const char *why(enum gate_input input)
{
    return world.readings.inputs[input].why;
}

/* ---- changes ---- */

static void apply(uint64_t rev)
{
    json_decref(world.changed);
    json_decref(world.prediction);
    world.changed = json_pack("{s:[]}", "shop");
    world.prediction = json_loads(
        "{\"pools\":[{\"pool\":\"shop\",\"servers\":[{\"name\":\"s1\",\"share\":{\"after\":0.47}},"
        "{\"name\":\"s2\",\"share\":{\"after\":0.53}}]}]}",
        0, NULL);
    run(world.target);
    world.subject = (struct gate_subject){.change = "chg_1",
                                          .rev = rev,
                                          .generation = world.target->generation,
                                          .changed = world.changed,
                                          .prediction = world.prediction};
    world.has_subject = true;
    world.taken = 0;
}

static void confirm(void)
{
    world.subject.is_soaking = true;
}

static void take_back(void)
{
    run(world.base);
    world.base->generation += 10;
    world.sight.published_generation = world.base->generation;
    world.subject =
        (struct gate_subject){.change = "", .rev = 1, .generation = 99, .is_soaking = true};
}

/* ---- tests ---- */

static void a_reading_comes_each_ten_seconds(void **state)
{
    (void)state;
    pass_seconds(65, "shop", &good);
    assert_int_equal(world.taken, 0);
    apply(2);
    pass_seconds(10, "shop", &good);
    assert_int_equal(world.taken, 0);
    pass_seconds(1, "shop", &good);
    assert_int_equal(world.taken, 1);
    pass_seconds(29, "shop", &good);
    assert_int_equal(world.taken, 3);
}

static void a_good_change_passes(void **state)
{
    (void)state;
    pass_seconds(65, "shop", &good);
    apply(2);
    pass_seconds(12, "shop", &good);
    for (unsigned i = 0; i < GATE_INPUTS; i++) {
        if (world.readings.inputs[i].word != GATE_PASS)
            fail_msg("input %u: %s", i, world.readings.inputs[i].why);
    }
    assert_non_null(strstr(why(GATE_ERRORS), "before 0.00% of 3"));
    assert_non_null(strstr(why(GATE_DISTRIBUTION), "spread as approved"));
}

static void failures_are_held_against_before(void **state)
{
    (void)state;
    pass_seconds(65, "shop", &good);
    apply(2);
    pass_seconds(12, "shop", &bad);
    assert_int_equal(word(GATE_ERRORS), GATE_FAIL);
    assert_int_equal(word(GATE_LATENCY), GATE_PASS);
}

static void what_failed_before_may_fail(void **state)
{
    (void)state;
    pass_seconds(65, "shop", &bad);
    apply(2);
    pass_seconds(12, "shop", &bad);
    assert_int_equal(word(GATE_ERRORS), GATE_PASS);
}

static void latency_is_held_against_before(void **state)
{
    (void)state;
    pass_seconds(65, "shop", &good);
    apply(2);
    pass_seconds(12, "shop", &slow);
    assert_int_equal(word(GATE_LATENCY), GATE_FAIL);
    assert_int_equal(word(GATE_ERRORS), GATE_PASS);
}

static void shares_are_held_against_what_was_approved(void **state)
{
    (void)state;
    pass_seconds(65, "shop", &good);
    apply(2);
    pass_seconds(12, "shop", &lopsided);
    assert_int_equal(word(GATE_DISTRIBUTION), GATE_FAIL);
    assert_non_null(strstr(why(GATE_DISTRIBUTION), "pool shop: s1 got 100.0%"));
}

/* s2 at a tenth of its weight for so long. */
static void begin_slowly(unsigned seconds, const struct traffic *traffic)
{
    struct balance_live *live = NULL;
    const struct snapshot_pool *shop = snapshot_find_pool(world.target, "shop");

    for (size_t i = 0; i < shop->server_count; i++)
        if (strcmp(shop->servers[i]->name, "s2") == 0)
            live = &shop->servers[i]->live;
    assert_non_null(live);
    for (unsigned i = 0; i < seconds; i++) {
        atomic_store(&live->ramp_from_ms, world.sight.now_ms + 1000);
        pass_seconds(1, "shop", traffic);
    }
    atomic_store(&live->ramp_from_ms, 0);
}

static void who_begins_slowly_is_due_less(void **state)
{
    static const struct traffic slow_start = {.per_second = 100, .ms = 5, .first_percent = 90};

    (void)state;
    pass_seconds(65, "shop", &good);
    apply(2);
    begin_slowly(61, &slow_start);
    assert_int_equal(world.taken, 6);
    if (word(GATE_DISTRIBUTION) != GATE_PASS)
        fail_msg("%s", why(GATE_DISTRIBUTION));
    pass_seconds(60, "shop", &good); /* what it got less in the beginning is not held against it */
    if (word(GATE_DISTRIBUTION) != GATE_PASS)
        fail_msg("%s", why(GATE_DISTRIBUTION));
    pass_seconds(240, "shop", &slow_start); /* with all of its weight it is not due so little */
    assert_int_equal(word(GATE_DISTRIBUTION), GATE_FAIL);
}

static void who_comes_up_late_is_due_nothing_before(void **state)
{
    (void)state;
    pass_seconds(65, "shop", &good);
    set_health(world.target, "s2", HEALTH_UNKNOWN);
    apply(2);
    pass_seconds(60, "shop", &lopsided);
    set_health(world.target, "s2", HEALTH_UP);
    pass_seconds(30, "shop", &good);
    if (word(GATE_DISTRIBUTION) != GATE_PASS)
        fail_msg("%s", why(GATE_DISTRIBUTION));
}

/* What the monitor says of shop, whose servers got 97 and 3 of 100. */
static struct distributions_since monitored(struct distributions_server servers[2])
{
    struct distributions_since since = {.requests = 1000, .servers = servers, .server_count = 2};

    servers[0] = (struct distributions_server){.name = "s1", .picks = 970};
    servers[1] = (struct distributions_server){.name = "s2", .picks = 30};
    for (unsigned ref = 0; ref < REF_COUNT; ref++) {
        struct distributions_verdict *verdict = &since.verdicts[ref];

        verdict->is_known = verdict->is_enough = true;
        verdict->over = (struct distribution_over){.is_over = true, .share = 0.97, .expected = 0.5};
    }
    return since;
}

static void all_pools_are_held_against_capacity_and_others_against_before(void **state)
{
    const struct snapshot_pool *shop = snapshot_find_pool(world.target, "shop");
    struct distributions_server servers[2];
    struct distributions_since since = monitored(servers);
    struct gate_reading reading = gate_spread_monitored(shop, &since, true);

    (void)state;
    assert_int_equal(reading.word, GATE_FAIL);
    assert_non_null(strstr(reading.why, "s1 got 97.0% of 1000 requests; by capacity"));
    since.verdicts[REF_CAPACITY].is_known = false;
    assert_int_equal(gate_spread_monitored(shop, &since, true).word, GATE_PASS);
    reading = gate_spread_monitored(shop, &since, false);
    assert_int_equal(reading.word, GATE_FAIL);
    assert_non_null(strstr(reading.why, "not changed, and before"));
    since.verdicts[REF_PREVIOUS].over.is_over = false;
    since.verdicts[REF_PREVIOUS].under.is_over = true;
    assert_int_equal(gate_spread_monitored(shop, &since, false).word, GATE_FAIL);
}

static void what_was_so_before_is_not_its_doing(void **state)
{
    const struct snapshot_pool *shop = snapshot_find_pool(world.target, "shop");
    struct distributions_server servers[2];
    struct distributions_since since = monitored(servers);

    (void)state;
    since.verdicts[REF_CAPACITY].was_over = since.verdicts[REF_PREVIOUS].was_over = true;
    assert_int_equal(gate_spread_monitored(shop, &since, false).word, GATE_PASS);
}

static void where_a_server_is_down_health_has_the_word(void **state)
{
    const struct snapshot_pool *shop = snapshot_find_pool(world.target, "shop");
    struct distributions_server servers[2];
    struct distributions_since since = monitored(servers);

    (void)state;
    set_health(world.target, "s2", HEALTH_DOWN);
    assert_int_equal(gate_spread_monitored(shop, &since, false).word, GATE_PASS);
}

static void a_drained_server_is_left_out_of_the_shares(void **state)
{
    (void)state;
    pass_seconds(65, "shop", &good);
    apply(2);
    for (size_t i = 0; i < 2; i++)
        if (strcmp(world.target->pools[1].servers[i]->name, "s2") == 0)
            atomic_store(&world.target->pools[1].servers[i]->live.admin, ADMIN_DRAIN);
    pass_seconds(12, "shop", &lopsided);
    assert_int_not_equal(word(GATE_DISTRIBUTION), GATE_FAIL);
    assert_int_equal(word(GATE_HEALTH), GATE_PASS);
}

static void health_is_held_against_the_worst_minute_before(void **state)
{
    (void)state;
    pass_seconds(65, "shop", &good);
    apply(2);
    set_health(world.target, "s2", HEALTH_DOWN);
    pass_seconds(12, "shop", &good);
    assert_int_equal(word(GATE_HEALTH), GATE_FAIL);
    set_health(world.target, "s2", HEALTH_UNKNOWN);
    pass_seconds(10, "shop", &good);
    assert_int_equal(word(GATE_HEALTH), GATE_INCONCLUSIVE);
}

static void who_was_down_before_is_not_down_by_the_change(void **state)
{
    (void)state;
    set_health(world.base, "s2", HEALTH_DOWN);
    pass_seconds(30, "shop", &good);
    set_health(world.base, "s2", HEALTH_UP);
    pass_seconds(20, "shop", &good);
    apply(2);
    set_health(world.target, "s2", HEALTH_DOWN);
    pass_seconds(12, "shop", &good);
    assert_int_equal(word(GATE_HEALTH), GATE_PASS);
}

static void without_traffic_nothing_is_known(void **state)
{
    (void)state;
    pass_seconds(65, NULL, NULL);
    apply(2);
    pass_seconds(100, NULL, NULL);
    assert_int_equal(word(GATE_ERRORS), GATE_INCONCLUSIVE);
    assert_int_equal(word(GATE_LATENCY), GATE_INCONCLUSIVE);
    assert_int_equal(word(GATE_DISTRIBUTION), GATE_INCONCLUSIVE);
    assert_int_equal(word(GATE_WORKERS), GATE_PASS);
    assert_int_equal(word(GATE_REFUSALS), GATE_PASS);
}

static void traffic_that_ends_after_apply_does_not_pass(void **state)
{
    (void)state;
    pass_seconds(65, "shop", &good);
    apply(2);
    pass_seconds(20, "shop", &good);
    assert_int_equal(word(GATE_ERRORS), GATE_PASS);
    pass_seconds(80, NULL, NULL);
    assert_int_equal(word(GATE_ERRORS), GATE_INCONCLUSIVE);
}

/* The change leads all of shop's requests to blog; nobody predicted rates. */
static void a_pool_that_nobody_is_led_to_holds_up_nothing(void **state)
{
    (void)state;
    snapshot_free(&world.target);
    world.target = build("{\"listeners\":{\"web\":{\"address\":\"127.0.0.1:8080\"}},"
                         "\"routes\":{\"all\":{\"pool\":\"blog\"}},\"pools\":{"
                         "\"blog\":{\"servers\":{\"b1\":{\"address\":\"10.0.1.1:80\"}}},"
                         "\"shop\":{\"servers\":{\"s1\":{\"address\":\"10.0.0.1:80\"},"
                         "\"s2\":{\"address\":\"10.0.0.2:80\"}},\"health_check\":{}}}}",
                         2);
    pass_seconds(65, "shop", &good);
    apply(2);
    json_decref(world.changed);
    world.changed = json_pack("{s:[], s:[s]}", "shop", "blog", "shop");
    world.subject.changed = world.changed;
    pass_seconds(80, "blog", &good);
    assert_int_equal(word(GATE_ERRORS), GATE_PASS);
    assert_int_equal(word(GATE_LATENCY), GATE_PASS);
}

static void other_pools_are_not_looked_at(void **state)
{
    (void)state;
    pass_seconds(65, "blog", &good);
    apply(2);
    pass_seconds(12, "blog", &bad);
    assert_int_equal(word(GATE_ERRORS), GATE_INCONCLUSIVE); /* shop is changed, and silent */
}

static void a_worker_that_stays_behind_fails(void **state)
{
    (void)state;
    apply(2);
    world.sight.published_generation = 3;
    pass_seconds(12, "shop", &good);
    assert_int_equal(word(GATE_WORKERS), GATE_FAIL);
}

static void new_addresses_of_a_name_do_not_fail(void **state)
{
    (void)state;
    apply(2);
    world.target->generation = 7;
    run(world.target);
    pass_seconds(12, "shop", &good);
    assert_int_equal(word(GATE_WORKERS), GATE_PASS);
}

static void refused_connections_fail(void **state)
{
    uint32_t slot = counters_slot(world.in.counters, SCOPE_LISTENER, NULL, "web");
    struct listener_row *row = counters_listener(world.in.counters, 0, slot);

    (void)state;
    pass_seconds(5, "shop", &good);
    count_add(&row->connections, 1000);
    pass_seconds(60, "shop", &good);
    apply(2);
    pass_seconds(1, "shop", &good);
    count_add(&row->connections, 500);
    count_add(&row->connections_refused, 400);
    pass_seconds(11, "shop", &good);
    assert_int_equal(word(GATE_REFUSALS), GATE_FAIL);
    pass_seconds(1, "shop", &good);
    count_add(&row->connections, 500);
    pass_seconds(9, "shop", &good);
    assert_int_equal(word(GATE_REFUSALS), GATE_PASS); /* it is over */
}

static void failed_handshakes_fail(void **state)
{
    uint32_t slot = counters_slot(world.in.counters, SCOPE_LISTENER, NULL, "web");
    struct listener_row *row = counters_listener(world.in.counters, 0, slot);

    (void)state;
    pass_seconds(60, "shop", &good);
    apply(2);
    pass_seconds(1, "shop", &good);
    count_add(&row->connections, 20);
    count_add(&row->tls_failures, 20);
    pass_seconds(11, "shop", &good);
    assert_int_equal(word(GATE_REFUSALS), GATE_FAIL);
}

static void what_was_taken_back_is_not_held_against_the_next(void **state)
{
    (void)state;
    pass_seconds(125, "shop", &good);
    apply(2);
    pass_seconds(60, "shop", &bad);
    assert_int_equal(word(GATE_ERRORS), GATE_FAIL);
    take_back();
    pass_seconds(25, "shop", &good);
    world.target->generation = 20;
    apply(3);
    pass_seconds(12, "shop", &bad);
    assert_int_equal(word(GATE_ERRORS), GATE_FAIL);
    assert_non_null(strstr(why(GATE_ERRORS), "before 0.00%"));
}

static void a_soak_is_held_against_the_same(void **state)
{
    (void)state;
    pass_seconds(65, "shop", &good);
    apply(2);
    pass_seconds(40, "shop", &good);
    confirm();
    pass_seconds(40, "shop", &good);
    assert_int_equal(word(GATE_ERRORS), GATE_PASS);
    pass_seconds(40, "shop", &bad);
    assert_int_equal(word(GATE_ERRORS), GATE_FAIL);
    assert_non_null(strstr(why(GATE_ERRORS), "before 0.00% of 3"));
}

static void the_next_change_is_held_against_the_one_before(void **state)
{
    (void)state;
    pass_seconds(65, "shop", &good);
    apply(2);
    pass_seconds(60, "shop", &slow);
    confirm();
    pass_seconds(60, "shop", &slow);
    world.target->generation = 30;
    apply(3);
    pass_seconds(12, "shop", &slow);
    assert_int_equal(word(GATE_LATENCY), GATE_PASS); /* it was slow already */
}

static void after_a_start_nothing_is_compared(void **state)
{
    (void)state;
    world.subject = (struct gate_subject){.change = "", .rev = 1, .is_soaking = true};
    world.has_subject = true;
    pass_seconds(15, "shop", &bad);
    assert_int_equal(word(GATE_ERRORS), GATE_PASS);
    assert_int_equal(word(GATE_WORKERS), GATE_PASS);
}

static void history_is_of_ten_minutes(void **state)
{
    (void)state;
    pass_seconds(300, "shop", &bad);
    pass_seconds(12 * 60, "shop", &good);
    apply(2);
    pass_seconds(12, "shop", &bad);
    assert_int_equal(word(GATE_ERRORS), GATE_FAIL);
    assert_non_null(strstr(why(GATE_ERRORS), "before 0.00%"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reading_comes_each_ten_seconds),
        TEST(a_good_change_passes),
        TEST(failures_are_held_against_before),
        TEST(what_failed_before_may_fail),
        TEST(latency_is_held_against_before),
        TEST(shares_are_held_against_what_was_approved),
        TEST(who_begins_slowly_is_due_less),
        TEST(who_comes_up_late_is_due_nothing_before),
        TEST(all_pools_are_held_against_capacity_and_others_against_before),
        TEST(what_was_so_before_is_not_its_doing),
        TEST(where_a_server_is_down_health_has_the_word),
        TEST(a_drained_server_is_left_out_of_the_shares),
        TEST(health_is_held_against_the_worst_minute_before),
        TEST(who_was_down_before_is_not_down_by_the_change),
        TEST(without_traffic_nothing_is_known),
        TEST(traffic_that_ends_after_apply_does_not_pass),
        TEST(a_pool_that_nobody_is_led_to_holds_up_nothing),
        TEST(other_pools_are_not_looked_at),
        TEST(a_worker_that_stays_behind_fails),
        TEST(new_addresses_of_a_name_do_not_fail),
        TEST(refused_connections_fail),
        TEST(failed_handshakes_fail),
        TEST(what_was_taken_back_is_not_held_against_the_next),
        TEST(a_soak_is_held_against_the_same),
        TEST(the_next_change_is_held_against_the_one_before),
        TEST(after_a_start_nothing_is_compared),
        TEST(history_is_of_ten_minutes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
