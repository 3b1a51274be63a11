/*
 * override_test - orders to a server: stored and audited with their guard, durable, with an end;
 * and the peaks that the guard goes by.
 *
 * Threads  the first
 */
#include "change/override.h"
#include "change/peak.h"
#include "observe/counters.h"
#include "proxy/upstream/registry.h"
#include "tests/support/ledger_fixture.h"

/* Until they are there. */
__attribute__((weak)) void apply_tick(struct ledger *ledger)
{
    (void)ledger;
}
__attribute__((weak)) void pending_load(struct ledger *ledger)
{
    (void)ledger;
}

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

static const char *give(const struct override_order *order)
{
    struct actor actor = who("bob");

    fresh_answer();
    (void)override_set(world.ledger, &actor, order, &world.answer, &world.refusal);
    return problem();
}

static const char *state_for(const char *server, const char *state, uint64_t lasts_ms)
{
    return give(&(struct override_order){.pool = "shop",
                                         .server = server,
                                         .state = state,
                                         .weight = OVERRIDE_WEIGHT_KEEP,
                                         .reason = "maintenance",
                                         .lasts_ms = lasts_ms});
}

static const char *weight_for(const char *server, int64_t weight)
{
    return give(&(struct override_order){.pool = "shop", .server = server, .weight = weight});
}

static const struct override *in_force(const char *server)
{
    return override_get(world.ledger, "shop", server);
}

/* The event of the newest audit record. */
static void assert_last_event(const char *event)
{
    const struct memory_entry *last = NULL;

    for (size_t i = 0; i < memory.count; i++)
        if (strncmp(memory.entries[i].key, "audit/", 6) == 0)
            last = &memory.entries[i];
    assert_non_null(last);
    json_t *record = json_loadb(last->bytes, last->len, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(record, "event")), event);
    json_decref(record);
}

/* ---- orders ---- */

static void a_drain_is_kept_with_who_ordered_it_and_why(void **state)
{
    (void)state;
    assert_string_equal(state_for("s1", "drain", 2 * HOUR_MS), "");
    assert_non_null(in_force("s1"));
    assert_string_equal(in_force("s1")->state, "drain");
    assert_string_equal(in_force("s1")->by, "bob");
    assert_string_equal(in_force("s1")->reason, "maintenance");
    assert_int_equal(in_force("s1")->weight, -1);
    assert_int_equal(in_force("s1")->expires_ms, world.wall_ms + 2 * HOUR_MS);
    assert_last_event("override.set");
    assert_string_equal(json_string_value(json_object_get(world.answer, "capacity")), "unknown");
    assert_null(in_force("s2"));
}

static void ready_clears_it(void **state)
{
    (void)state;
    assert_string_equal(state_for("s1", "drain", 0), "");
    assert_string_equal(state_for("s1", "ready", 0), "");
    assert_null(in_force("s1"));
    assert_last_event("override.cleared");
    assert_false(store_get(world.ledger->store, "rt/shop/s1", NULL, NULL));
}

static void what_changes_nothing_is_not_written(void **state)
{
    uint64_t before = memory.transactions;

    (void)state;
    assert_string_equal(state_for("s1", "ready", 0), "");
    assert_string_equal(weight_for("s1", 100), "");
    assert_null(in_force("s1"));
    assert_int_equal(memory.transactions, before);
}

static void state_and_weight_are_kept_apart(void **state)
{
    (void)state;
    assert_string_equal(weight_for("s1", 110), "");
    assert_string_equal(state_for("s1", "drain", HOUR_MS), "");
    assert_int_equal(in_force("s1")->weight, 110);
    assert_string_equal(state_for("s1", "ready", 0), "");
    assert_int_equal(in_force("s1")->weight, 110);
    assert_null(in_force("s1")->state);
    assert_string_equal(weight_for("s1", OVERRIDE_WEIGHT_CONFIGURED), "");
    assert_null(in_force("s1"));
}

static void an_order_without_an_end_leaves_the_end_of_the_rest(void **state)
{
    int64_t ends;

    (void)state;
    assert_string_equal(state_for("s1", "drain", HOUR_MS), "");
    ends = in_force("s1")->expires_ms;
    pass_ms(MINUTE_MS);
    assert_string_equal(weight_for("s1", 110), "");
    assert_int_equal(in_force("s1")->expires_ms, ends);
    assert_string_equal(state_for("s1", "maint", 0), "");
    assert_int_equal(in_force("s1")->expires_ms, ends);
    assert_string_equal(weight_for("s1", 100), ""); /* as configured: the state alone is left */
    assert_string_equal(state_for("s1", "drain", 0), "");
    assert_int_equal(in_force("s1")->expires_ms, 0);
}

static void orders_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    assert_string_equal(state_for("s9", "drain", 0), "not-found");
    assert_string_equal(state_for("s1", "gone", 0), "invalid-field");
    assert_string_equal(weight_for("s1", 1001), "invalid-field");
    assert_string_equal(weight_for("s1", OVERRIDE_WEIGHT_KEEP), "invalid-field");
    assert_string_equal(
        give(&(struct override_order){
            .pool = "none", .server = "s1", .state = "drain", .weight = OVERRIDE_WEIGHT_KEEP}),
        "not-found");
}

static void an_order_that_cannot_be_recorded_does_not_happen(void **state)
{
    (void)state;
    memory_fails = true;
    assert_string_equal(state_for("s1", "drain", 0), "audit-unavailable");
    assert_null(in_force("s1"));
    memory_fails = false;
    assert_string_equal(state_for("s1", "drain", 0), "");
    memory_fails = true;
    assert_string_equal(state_for("s1", "ready", 0), "audit-unavailable");
    assert_non_null(in_force("s1"));
    memory_fails = false;
}

/* ---- the guard ---- */

static void servers_drained_one_by_one_are_stopped_with_numbers(void **state) /* E-26 */
{
    const json_t *guard;

    (void)state;
    assert_string_equal(state_for("s1", "drain", 0), "");
    assert_string_equal(state_for("s2", "drain", 0), "");
    assert_string_equal(state_for("s3", "drain", 0), "capacity-guard");
    guard = json_object_get(world.refusal.fields, "guard");
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(guard, "eligible"), "after")), 1);
    assert_int_equal(json_integer_value(json_object_get(guard, "needed")), 2);
    assert_int_equal(json_array_size(json_object_get(guard, "drains_in_10_minutes")), 2);
    assert_non_null(strstr(world.refusal.next, "/v1/changes"));
    pass_ms(HOUR_MS); /* patience is no help: half of the pool must stay */
    assert_string_equal(state_for("s3", "maint", 0), "capacity-guard");
    assert_string_equal(state_for("s2", "ready", 0), "");
    assert_string_equal(state_for("s3", "drain", 0), "");
}

static void drains_that_are_over_count_for_ten_minutes(void **state)
{
    (void)state;
    assert_string_equal(state_for("s1", "drain", 0), "");
    assert_string_equal(state_for("s1", "ready", 0), "");
    assert_string_equal(state_for("s2", "drain", 0), "");
    assert_string_equal(state_for("s2", "ready", 0), "");
    assert_string_equal(state_for("s3", "drain", 0), "capacity-guard");
    world_restart(); /* kept in the store, not in memory */
    override_restore(world.ledger);
    assert_string_equal(state_for("s3", "drain", 0), "capacity-guard");
    pass_ms(10 * MINUTE_MS);
    assert_string_equal(state_for("s3", "drain", 0), "");
}

static void weights_add_up_over_an_hour(void **state)
{
    (void)state;
    assert_string_equal(weight_for("s1", 120), "");               /* 1/4 to 120 of 420: 3.6 % */
    assert_string_equal(weight_for("s1", 140), "capacity-guard"); /* to 140 of 440: 6.8 % */
    pass_ms(HOUR_MS - 1);
    assert_string_equal(weight_for("s1", 140), "capacity-guard");
    pass_ms(1);
    assert_string_equal(weight_for("s1", 140), ""); /* from 120: 3.2 % */
    assert_int_equal(in_force("s1")->weight, 140);
}

static void many_small_steps_are_one_large_one(void **state)
{
    int weight = 100;

    (void)state;
    while (weight < 200) {
        if (strcmp(weight_for("s1", weight + 1), "") != 0)
            break;
        weight++;
        pass_ms(7000);
    }
    assert_int_equal(weight, 128); /* 128 of 428: 4.9 %; 129 of 429: 5.1 % */
}

static void a_change_may_bring_what_the_guard_refused(void **state)
{
    json_t *overrides = json_pack("[{s:s,s:s,s:s},{s:s,s:s,s:i}]", "pool", "shop", "server", "s3",
                                  "state", "drain", "pool", "shop", "server", "s4", "weight", 10);
    struct actor actor = who("bob");
    struct refusal refusal = {0};
    struct step step;

    (void)state;
    assert_string_equal(state_for("s1", "drain", 0), "");
    assert_string_equal(state_for("s2", "drain", 0), "");
    step_begin(&step, world.ledger, &actor);
    override_apply_change(world.ledger, step.txn, overrides, "bob", "chg_1");
    assert_true(step_commit(&step, &refusal));
    assert_null(in_force("s3"));
    override_restore(world.ledger);
    assert_string_equal(in_force("s3")->state, "drain");
    assert_string_equal(in_force("s3")->reason, "change chg_1");
    assert_int_equal(in_force("s4")->weight, 10);
    assert_string_equal(in_force("s1")->state, "drain");
    json_decref(overrides);
}

static void bring(json_t *overrides, const char *change)
{
    struct actor actor = who("bob");
    struct refusal refusal = {0};
    struct step step;

    step_begin(&step, world.ledger, &actor);
    override_apply_change(world.ledger, step.txn, overrides, "bob", change);
    assert_true(step_commit(&step, &refusal));
    override_restore(world.ledger);
    json_decref(overrides);
}

static void take_back(const char *change)
{
    struct actor actor = who("bob");
    struct refusal refusal = {0};
    struct step step;

    step_begin(&step, world.ledger, &actor);
    override_revert_change(world.ledger, step.txn, change);
    assert_true(step_commit(&step, &refusal));
    override_restore(world.ledger);
}

static void what_came_with_a_change_goes_with_it(void **state)
{
    (void)state;
    assert_string_equal(weight_for("s2", 110), "");
    bring(json_pack("[{s:s,s:s,s:s},{s:s,s:s,s:s},{s:s,s:s,s:i}]", "pool", "shop", "server", "s1",
                    "state", "drain", "pool", "shop", "server", "s2", "state", "maint", "pool",
                    "shop", "server", "s3", "weight", 10),
          "chg_1");
    bring(json_pack("[{s:s,s:s,s:i}]", "pool", "shop", "server", "s4", "weight", 20), "chg_2");
    assert_string_equal(in_force("s2")->state, "maint");
    assert_int_equal(in_force("s2")->weight, 110);
    pass_ms(HOUR_MS);
    assert_string_equal(weight_for("s3", 11), ""); /* bob's own now */
    take_back("chg_1");
    assert_null(in_force("s1"));
    assert_null(in_force("s2")->state); /* as it was before */
    assert_int_equal(in_force("s2")->weight, 110);
    assert_int_equal(in_force("s3")->weight, 11);
    assert_int_equal(in_force("s4")->weight, 20);
}

/* ---- how long ---- */

static void an_override_ends_by_itself(void **state)
{
    (void)state;
    assert_string_equal(state_for("s1", "drain", HOUR_MS), "");
    pass_ms(HOUR_MS - 1);
    override_tick(world.ledger);
    assert_non_null(in_force("s1"));
    pass_ms(1);
    memory_fails = true;
    override_tick(world.ledger);
    assert_non_null(in_force("s1")); /* it could not be recorded: later */
    memory_fails = false;
    override_tick(world.ledger);
    assert_null(in_force("s1"));
    assert_last_event("override.expired");
}

static void overrides_outlive_a_restart(void **state)
{
    (void)state;
    assert_string_equal(state_for("s1", "maint", HOUR_MS), "");
    assert_string_equal(weight_for("s2", 110), "");
    world_restart();
    assert_null(in_force("s1"));
    override_restore(world.ledger);
    assert_string_equal(in_force("s1")->state, "maint");
    assert_string_equal(in_force("s1")->by, "bob");
    assert_string_equal(in_force("s1")->reason, "maintenance");
    assert_int_equal(in_force("s1")->expires_ms, world.wall_ms + HOUR_MS);
    assert_int_equal(in_force("s2")->weight, 110);
    pass_ms(HOUR_MS);
    override_tick(world.ledger);
    assert_null(in_force("s1"));
    assert_non_null(in_force("s2"));
}

static void they_are_listed_with_times(void **state)
{
    json_t *list;
    json_t *wanted;

    (void)state;
    assert_string_equal(state_for("s1", "drain", HOUR_MS), "");
    list = override_list(world.ledger);
    wanted = json_pack("[{s:s, s:s, s:s, s:n, s:s, s:s, s:s, s:s}]", "pool", "shop", "server", "s1",
                       "state", "drain", "weight", "by", "bob", "reason", "maintenance", "since",
                       "2026-11-22T10:00:00.000Z", "expires", "2026-11-22T11:00:00.000Z");
    assert_true(json_equal(list, wanted));
    json_decref(list);
    json_decref(wanted);
}

/* ---- live servers ---- */

static void nothing(void *context)
{
    (void)context;
}

struct live {
    uv_loop_t loop;
    struct counters *counters;
    struct registry *registry;
    struct pool_live *pool;
    struct server *servers[4];
};

static void live_begin(struct live *live)
{
    const struct conf_pool *shop = &world.running->pools[config_find_pool(world.running, "shop")];

    assert_int_equal(uv_loop_init(&live->loop), 0);
    live->counters = counters_new(1);
    live->registry = registry_new(&live->loop, 1, live->counters, nothing, NULL);
    live->pool = registry_take_pool(live->registry, "shop");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(registry_take_servers(live->registry, live->pool, shop->servers[i].name,
                                               &shop->servers[i].address, &live->servers[i], 1),
                         1);
    world.ledger->options.registry = live->registry;
}

static void live_end(struct live *live)
{
    world.ledger->options.registry = NULL;
    for (size_t i = 0; i < 4; i++)
        registry_give_server(live->registry, &live->servers[i]);
    registry_give_pool(live->registry, &live->pool);
    registry_close(live->registry);
    uv_run(&live->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&live->loop), 0);
    registry_free(&live->registry);
    counters_free(&live->counters);
}

static uint32_t admin_of(const struct live *live, size_t server)
{
    return atomic_load(&live->servers[server]->live.admin);
}

static void an_order_reaches_the_live_server(void **state)
{
    struct live live;

    (void)state;
    live_begin(&live);
    assert_string_equal(state_for("s1", "drain", HOUR_MS), "");
    assert_int_equal(admin_of(&live, 0), ADMIN_DRAIN);
    assert_string_equal(state_for("s1", "maint", 0), "");
    assert_int_equal(admin_of(&live, 0), ADMIN_MAINT);
    assert_string_equal(state_for("s1", "ready", 0), "");
    assert_int_equal(admin_of(&live, 0), ADMIN_READY);
    assert_string_equal(weight_for("s2", 110), "");
    assert_int_equal(atomic_load(&live.servers[1]->live.weight_override), 110);
    assert_int_equal(admin_of(&live, 1), ADMIN_READY);
    assert_string_equal(state_for("s1", "drain", HOUR_MS), "");
    pass_ms(HOUR_MS);
    override_tick(world.ledger);
    assert_int_equal(admin_of(&live, 0), ADMIN_READY);
    live_end(&live);
}

static void after_a_restart_it_reaches_it_again(void **state)
{
    struct live live;

    (void)state;
    assert_string_equal(state_for("s1", "drain", HOUR_MS), "");
    world_restart();
    live_begin(&live);
    override_restore(world.ledger);
    assert_int_equal(admin_of(&live, 0), ADMIN_DRAIN);
    live_end(&live);
}

static void servers_that_are_down_cannot_stand_in(void **state)
{
    struct live live;

    (void)state;
    live_begin(&live);
    atomic_store(&live.servers[1]->live.health, HEALTH_DOWN);
    assert_string_equal(state_for("s1", "drain", 0), ""); /* 2 of 4 stay */
    assert_string_equal(state_for("s1", "ready", 0), "");
    atomic_store(&live.servers[2]->live.ejected, 1);
    assert_string_equal(state_for("s1", "drain", 0), "capacity-guard"); /* 1 of 4 */
    assert_string_equal(state_for("s2", "drain", 0), "");               /* it is down itself */
    live_end(&live);
}

/* ---- peaks ---- */

static void the_peak_is_the_most_of_seven_days(void **state)
{
    int64_t since_ms;

    (void)state;
    assert_true(peak_of(world.ledger, "shop", &since_ms) == 0);
    assert_int_equal(since_ms, world.wall_ms);
    peak_note(world.ledger, "shop", 100);
    peak_note(world.ledger, "shop", 300);
    peak_note(world.ledger, "shop", 200);
    peak_note(world.ledger, "api", 5);
    assert_true(peak_of(world.ledger, "shop", &since_ms) == 300);
    pass_ms(24 * HOUR_MS);
    peak_note(world.ledger, "shop", 50);
    assert_true(peak_of(world.ledger, "shop", &since_ms) == 300);
    assert_int_equal(since_ms, world.wall_ms - 24 * HOUR_MS);
    pass_ms((int64_t)6 * 24 * HOUR_MS);
    peak_note(world.ledger, "shop", 10);
    peak_tick(world.ledger);
    assert_true(peak_of(world.ledger, "shop", &since_ms) == 50); /* the first hour is too old */
}

static void peaks_outlive_a_restart(void **state)
{
    json_t *all;
    int64_t since_ms;

    (void)state;
    peak_note(world.ledger, "shop", 100);
    peak_note(world.ledger, "api", 2.5);
    pass_ms(MINUTE_MS);
    peak_tick(world.ledger);
    peak_note(world.ledger, "shop", 400); /* of the minute that a crash costs */
    world_restart();
    assert_true(peak_of(world.ledger, "shop", &since_ms) == 100);
    assert_int_equal(since_ms, world.wall_ms - MINUTE_MS);
    all = peak_all(world.ledger);
    assert_int_equal(json_object_size(all), 2);
    assert_true(json_number_value(json_object_get(all, "api")) == 2.5);
    json_decref(all);
}

static void a_full_disk_costs_no_peak(void **state)
{
    int64_t since_ms;

    (void)state;
    peak_note(world.ledger, "shop", 100);
    pass_ms(MINUTE_MS);
    memory_fails = true;
    peak_tick(world.ledger);
    memory_fails = false;
    pass_ms(MINUTE_MS);
    peak_tick(world.ledger);
    world_restart();
    assert_true(peak_of(world.ledger, "shop", &since_ms) == 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_enforced, end_enforced)
    const struct CMUnitTest tests[] = {
        TEST(a_drain_is_kept_with_who_ordered_it_and_why),
        TEST(ready_clears_it),
        TEST(what_changes_nothing_is_not_written),
        TEST(state_and_weight_are_kept_apart),
        TEST(an_order_without_an_end_leaves_the_end_of_the_rest),
        TEST(orders_that_make_no_sense_are_refused),
        TEST(an_order_that_cannot_be_recorded_does_not_happen),
        TEST(servers_drained_one_by_one_are_stopped_with_numbers),
        TEST(drains_that_are_over_count_for_ten_minutes),
        TEST(weights_add_up_over_an_hour),
        TEST(many_small_steps_are_one_large_one),
        TEST(a_change_may_bring_what_the_guard_refused),
        TEST(what_came_with_a_change_goes_with_it),
        TEST(an_override_ends_by_itself),
        TEST(overrides_outlive_a_restart),
        TEST(they_are_listed_with_times),
        TEST(an_order_reaches_the_live_server),
        TEST(after_a_restart_it_reaches_it_again),
        TEST(servers_that_are_down_cannot_stand_in),
        TEST(the_peak_is_the_most_of_seven_days),
        TEST(peaks_outlive_a_restart),
        TEST(a_full_disk_costs_no_peak),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
