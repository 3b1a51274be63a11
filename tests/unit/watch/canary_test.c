/*
 * canary_test - readings of a share against the rest: counters are set as workers would, and time
 * is moved.
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

#include "tests/support/snapshots.h"
#include "watch/canary.h"

#define SERVERS                                                                                    \
    "\"s1\":{\"address\":\"10.0.0.1:80\",\"capacity_rps\":100},"                                   \
    "\"s2\":{\"address\":\"10.0.0.2:80\",\"capacity_rps\":100}"
#define LISTENER "\"listeners\":{\"web\":{\"address\":\"127.0.0.1:8080\"}}"
#define RUNNING                                                                                    \
    "{" LISTENER ",\"pools\":{\"shop\":{\"servers\":{" SERVERS "}}},"                              \
    "\"routes\":{\"all\":{\"pool\":\"shop\"}}}"
#define TRIED                                                                                      \
    "{" LISTENER ",\"pools\":{\"shop\":{\"slow_start\":\"1s\",\"servers\":{" SERVERS "}},"         \
    "\"next\":{\"servers\":{\"n1\":{\"address\":\"10.0.0.9:80\"}}}},"                              \
    "\"routes\":{\"all\":{\"pool\":\"shop\"}}}"
#define PREDICTION                                                                                 \
    "{\"pools\":[{\"pool\":\"shop\",\"servers\":["                                                 \
    "{\"name\":\"s1\",\"share\":{\"before\":0.5,\"after\":0.5}},"                                  \
    "{\"name\":\"s2\",\"share\":{\"before\":0.5,\"after\":0.5}}]}]}"

enum { CLASS_2XX = 2, CLASS_5XX = 5, TENTH = 10 * 1000, FAST_US = 1000, SLOW_US = 900 * 1000 };

static struct {
    struct snapshots in;
    struct snapshot *running;
    struct snapshot *tried;
    struct canary_watch *watch;
    struct canary_sight sight;
    struct gate_subject subject;
    struct gate_readings readings;
    json_t *changed;
    json_t *prediction;
} world;

static struct snapshot *build(const char *text, uint64_t generation)
{
    return snapshots_build(&world.in, slice_from(text), generation);
}

static void set_health(const struct snapshot *snapshot, const char *pool, size_t server,
                       enum balance_health health)
{
    const struct snapshot_pool *found = snapshot_find_pool(snapshot, pool);

    atomic_store(&found->servers[server]->live.health, health);
}

static int begin(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    snapshots_begin(&world.in, 2);
    world.running = build(RUNNING, 1);
    world.tried = build(TRIED, 2);
    set_health(world.tried, "shop", 0, HEALTH_UP);
    set_health(world.tried, "shop", 1, HEALTH_UP);
    set_health(world.tried, "next", 0, HEALTH_UP);
    world.watch = canary_watch_new(world.in.counters, 2);
    world.changed = json_loads("{\"shop\":[]}", 0, NULL);
    world.prediction = json_loads(PREDICTION, 0, NULL);
    world.sight = (struct canary_sight){
        .now_ms = 1000 * 1000, .running = world.running, .tried = world.tried};
    world.subject = (struct gate_subject){.change = "chg_1",
                                          .rev = 2,
                                          .generation = 2,
                                          .percent = 10,
                                          .prediction = world.prediction,
                                          .changed = world.changed};
    assert_false(canary_watch_tick(world.watch, &world.sight, &world.subject, &world.readings));
    return 0;
}

static int end(void **state)
{
    (void)state;
    canary_watch_free(&world.watch);
    snapshot_free(&world.running);
    snapshot_free(&world.tried);
    snapshots_end(&world.in);
    json_decref(world.changed);
    json_decref(world.prediction);
    return 0;
}

/* ---- requests, as a worker counts them ---- */

static uint32_t server_slot(const char *pool, const char *server)
{
    return counters_slot(world.in.counters, SCOPE_SERVER, pool, server);
}

static void answer(const char *pool, bool is_tried, unsigned count, unsigned class, uint64_t us,
                   const char *server)
{
    uint32_t slot = counters_slot(world.in.counters, SCOPE_POOL, NULL, pool);
    uint32_t web = counters_slot(world.in.counters, SCOPE_LISTENER, NULL, "web");
    unsigned w = count % 2;

    for (unsigned i = 0; i < count; i++) {
        count_one(&counters_listener(world.in.counters, w, web)->responses[class]);
        count_one(&counters_pool(world.in.counters, w, slot)->responses[class]);
        histogram_note(&counters_pool(world.in.counters, w, slot)->latency, us);
        count_one(&counters_server(world.in.counters, w, server_slot(pool, server))->requests);
        if (!is_tried)
            continue;
        count_one(&counters_candidate(world.in.counters, w)->responses[class]);
        count_one(&counters_candidate_pool(world.in.counters, w, slot)->responses[class]);
        histogram_note(&counters_candidate_pool(world.in.counters, w, slot)->latency, us);
        count_one(counters_candidate_picks(world.in.counters, w, server_slot(pool, server)));
    }
}

static void well(bool is_tried, unsigned count)
{
    answer("shop", is_tried, count / 2, CLASS_2XX, FAST_US, "s1");
    answer("shop", is_tried, count / 2, CLASS_2XX, FAST_US, "s2");
}

static void read_now(void)
{
    memset(&world.readings, 0, sizeof(world.readings));
    world.sight.now_ms += TENTH;
    assert_true(canary_watch_tick(world.watch, &world.sight, &world.subject, &world.readings));
}

static void assert_reads(enum gate_input input, enum gate_word word, const char *text)
{
    const struct gate_reading *reading = &world.readings.inputs[input];

    if (reading->word != word || strstr(reading->why, text) == NULL)
        fail_msg("%s is %s: %s", gate_input_word(input), gate_word_word(reading->word),
                 reading->why);
}

/* ---- the tests ---- */

static void two_arms_that_do_alike_pass(void **state)
{
    (void)state;
    well(false, 4000);
    well(true, 400);
    read_now();
    for (unsigned i = 0; i < GATE_INPUTS; i++)
        assert_reads((enum gate_input)i, GATE_PASS, "");
}

static void a_share_without_traffic_is_not_known(void **state)
{
    (void)state;
    well(false, 4000);
    read_now();
    assert_reads(GATE_ERRORS, GATE_INCONCLUSIVE, "");
    assert_reads(GATE_DISTRIBUTION, GATE_INCONCLUSIVE, "");
}

static void what_was_before_the_step_does_not_count(void **state)
{
    (void)state;
    well(true, 4000);
    world.subject.percent = 50; /* the next step */
    world.sight.now_ms += 1000;
    assert_false(canary_watch_tick(world.watch, &world.sight, &world.subject, &world.readings));
    read_now();
    assert_reads(GATE_ERRORS, GATE_INCONCLUSIVE, "");
}

static void a_share_that_fails_more_fails(void **state)
{
    (void)state;
    well(false, 4000);
    well(true, 360);
    answer("shop", true, 40, CLASS_5XX, FAST_US, "s1");
    read_now();
    assert_reads(GATE_ERRORS, GATE_FAIL, "shop");
}

static void few_requests_that_all_fail_are_enough(void **state)
{
    (void)state;
    well(false, 4000);
    answer("shop", true, 40, CLASS_5XX, FAST_US, "s1");
    read_now();
    assert_reads(GATE_ERRORS, GATE_FAIL, "40 of 40");
}

static void failures_of_both_are_nobodys(void **state)
{
    (void)state;
    well(false, 3600);
    answer("shop", false, 400, CLASS_5XX, FAST_US, "s1");
    well(true, 360);
    answer("shop", true, 40, CLASS_5XX, FAST_US, "s1");
    read_now();
    assert_reads(GATE_ERRORS, GATE_PASS, "");
}

static void answers_of_no_pool_count_too(void **state)
{
    uint32_t web = counters_slot(world.in.counters, SCOPE_LISTENER, NULL, "web");

    (void)state;
    well(false, 4000);
    well(true, 400);
    for (unsigned i = 0; i < 100; i++) {
        count_one(&counters_listener(world.in.counters, 0, web)->responses[CLASS_5XX]);
        count_one(&counters_candidate(world.in.counters, 0)->responses[CLASS_5XX]);
    }
    read_now();
    assert_reads(GATE_ERRORS, GATE_FAIL, "all requests");
}

static void a_new_pool_is_held_against_those_it_stands_for(void **state)
{
    (void)state;
    json_decref(world.changed);
    world.changed = json_loads("{\"next\":[\"shop\"]}", 0, NULL);
    world.subject.changed = world.changed;
    world.subject.rev++;
    world.sight.now_ms += 1000;
    assert_false(canary_watch_tick(world.watch, &world.sight, &world.subject, &world.readings));
    well(false, 4000);
    answer("next", true, 400, CLASS_2XX, FAST_US, "n1");
    read_now();
    assert_reads(GATE_ERRORS, GATE_PASS, "next");
    assert_reads(GATE_HEALTH, GATE_PASS, "next");
    answer("next", true, 400, CLASS_2XX, SLOW_US, "n1");
    read_now();
    assert_reads(GATE_LATENCY, GATE_FAIL, "next");
    set_health(world.tried, "next", 0, HEALTH_DOWN);
    read_now();
    assert_reads(GATE_HEALTH, GATE_FAIL, "next");
}

static void a_pool_that_nobody_is_led_to_holds_up_nothing(void **state)
{
    (void)state;
    json_decref(world.changed);
    world.changed = json_loads("{\"shop\":[],\"next\":[]}", 0, NULL); /* no route leads to next */
    world.subject.changed = world.changed;
    world.subject.rev++;
    world.sight.now_ms += 1000;
    assert_false(canary_watch_tick(world.watch, &world.sight, &world.subject, &world.readings));
    answer("next", false, 4000, CLASS_2XX, FAST_US, "n1");
    well(false, 4000);
    well(true, 400);
    read_now();
    assert_reads(GATE_ERRORS, GATE_PASS, "shop");
    assert_reads(GATE_LATENCY, GATE_PASS, "shop");
}

static void a_slow_share_fails(void **state)
{
    (void)state;
    well(false, 4000);
    well(true, 350);
    answer("shop", true, 50, CLASS_2XX, SLOW_US, "s1");
    read_now();
    assert_reads(GATE_LATENCY, GATE_FAIL, "shop");
    assert_reads(GATE_ERRORS, GATE_PASS, "");
}

static void a_share_that_goes_elsewhere_than_approved_fails(void **state)
{
    (void)state;
    well(false, 4000);
    answer("shop", true, 400, CLASS_2XX, FAST_US, "s1");
    read_now();
    assert_reads(GATE_DISTRIBUTION, GATE_FAIL, "s1");
}

static void what_was_approved_may_still_be_more_than_a_server_can(void **state)
{
    json_t *prediction =
        json_loads("{\"pools\":[{\"pool\":\"shop\",\"servers\":["
                   "{\"name\":\"s1\",\"share\":{\"before\":0.5,\"after\":0.97}},"
                   "{\"name\":\"s2\",\"share\":{\"before\":0.5,\"after\":0.03}}]}]}",
                   0, NULL);

    (void)state;
    world.subject.prediction = prediction;
    well(false, 4000);
    answer("shop", true, 970, CLASS_2XX, FAST_US, "s1");
    answer("shop", true, 30, CLASS_2XX, FAST_US, "s2");
    read_now();
    assert_reads(GATE_DISTRIBUTION, GATE_FAIL, "capacity");
    json_decref(prediction);
}

static void what_the_rest_does_as_well_is_not_the_changes_doing(void **state)
{
    json_t *prediction =
        json_loads("{\"pools\":[{\"pool\":\"shop\",\"servers\":["
                   "{\"name\":\"s1\",\"share\":{\"before\":0.97,\"after\":0.97}},"
                   "{\"name\":\"s2\",\"share\":{\"before\":0.03,\"after\":0.03}}]}]}",
                   0, NULL);

    (void)state;
    world.subject.prediction = prediction;
    answer("shop", false, 3880, CLASS_2XX, FAST_US, "s1");
    answer("shop", false, 120, CLASS_2XX, FAST_US, "s2");
    answer("shop", true, 970, CLASS_2XX, FAST_US, "s1");
    answer("shop", true, 30, CLASS_2XX, FAST_US, "s2");
    read_now();
    assert_reads(GATE_DISTRIBUTION, GATE_PASS, "");
    json_decref(prediction);
}

/* Beside a share, pool shop with these servers, of which s1 gets `first` of 1000 requests of the
 * share and half of the rest. */
static void try_shop(const char *shop, unsigned first)
{
    char text[1024];
    struct snapshot *before = world.tried;

    snprintf(text, sizeof(text),
             "{" LISTENER ",\"pools\":{\"shop\":{%s}},\"routes\":{\"all\":{\"pool\":\"shop\"}}}",
             shop);
    world.tried = build(text, 3);
    world.sight.tried = world.tried;
    for (size_t i = 0; i < world.tried->pools[0].server_count; i++)
        set_health(world.tried, "shop", i, HEALTH_UP);
    world.subject.percent = 50;
    world.subject.prediction = NULL;
    assert_false(canary_watch_tick(world.watch, &world.sight, &world.subject, &world.readings));
    well(false, 4000);
    answer("shop", true, first, CLASS_2XX, FAST_US, "s1");
    answer("shop", true, 1000 - first, CLASS_2XX, FAST_US, "s2");
    read_now();
    snapshot_free(&before);
}

static void one_that_is_meant_to_serve_alone_may(void **state)
{
    (void)state;
    try_shop("\"intent\":\"active_standby\",\"servers\":{\"s1\":{\"address\":\"10.0.0.1:80\"},"
             "\"s2\":{\"address\":\"10.0.0.2:80\",\"weight\":0}}",
             1000);
    assert_reads(GATE_DISTRIBUTION, GATE_PASS, "");
}

static void clients_come(unsigned connections)
{
    for (unsigned i = 0; i < connections; i++)
        count_one(&counters_candidate(world.in.counters, i % 2)->connections);
}

#define HASHED                                                                                     \
    "\"balance\":\"maglev\",\"servers\":{\"s1\":{\"address\":\"10.0.0.1:80\"},"                    \
    "\"s2\":{\"address\":\"10.0.0.2:80\"}}"

static void few_clients_that_are_bound_to_a_server_tell_little(void **state)
{
    (void)state;
    clients_come(3);
    try_shop(HASHED, 1000);
    assert_reads(GATE_DISTRIBUTION, GATE_PASS, "");
}

static void many_of_them_tell(void **state)
{
    (void)state;
    clients_come(300);
    try_shop(HASHED, 1000);
    assert_reads(GATE_DISTRIBUTION, GATE_FAIL, "s1 got 100.0%");
}

static void who_got_too_much_and_fails_now_is_not_well(void **state)
{
    (void)state;
    well(false, 4000);
    well(true, 400);
    set_health(world.tried, "shop", 0, HEALTH_DOWN);
    read_now();
    assert_reads(GATE_DISTRIBUTION, GATE_INCONCLUSIVE, "s1 had requests, and is out now");
    answer("shop", true, 4000, CLASS_2XX, FAST_US, "s1");
    read_now();
    assert_reads(GATE_DISTRIBUTION, GATE_FAIL, "s1 got 95.5% of the share's requests");
}

static void the_capacity_of_a_backup_is_not_asked(void **state)
{
    (void)state;
    try_shop(
        "\"servers\":{\"s1\":{\"address\":\"10.0.0.1:80\",\"weight\":900,\"capacity_rps\":900},"
        "\"s2\":{\"address\":\"10.0.0.2:80\",\"capacity_rps\":100},"
        "\"s3\":{\"address\":\"10.0.0.3:80\",\"backup\":true}}",
        900);
    assert_reads(GATE_DISTRIBUTION, GATE_PASS, "");
}

static void readings_come_each_ten_seconds_while_something_is_tried(void **state)
{
    (void)state;
    well(true, 400);
    world.sight.now_ms += TENTH - 1;
    assert_false(canary_watch_tick(world.watch, &world.sight, &world.subject, &world.readings));
    world.sight.now_ms += 1;
    assert_true(canary_watch_tick(world.watch, &world.sight, &world.subject, &world.readings));
    world.sight.now_ms += TENTH;
    world.subject.percent = 0;
    assert_false(canary_watch_tick(world.watch, &world.sight, &world.subject, &world.readings));
    assert_false(canary_watch_tick(world.watch, &world.sight, NULL, &world.readings));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(two_arms_that_do_alike_pass),
        TEST(a_share_without_traffic_is_not_known),
        TEST(what_was_before_the_step_does_not_count),
        TEST(a_share_that_fails_more_fails),
        TEST(few_requests_that_all_fail_are_enough),
        TEST(failures_of_both_are_nobodys),
        TEST(answers_of_no_pool_count_too),
        TEST(a_new_pool_is_held_against_those_it_stands_for),
        TEST(a_pool_that_nobody_is_led_to_holds_up_nothing),
        TEST(a_slow_share_fails),
        TEST(a_share_that_goes_elsewhere_than_approved_fails),
        TEST(what_was_approved_may_still_be_more_than_a_server_can),
        TEST(what_the_rest_does_as_well_is_not_the_changes_doing),
        TEST(one_that_is_meant_to_serve_alone_may),
        TEST(few_clients_that_are_bound_to_a_server_tell_little),
        TEST(many_of_them_tell),
        TEST(who_got_too_much_and_fails_now_is_not_well),
        TEST(the_capacity_of_a_backup_is_not_asked),
        TEST(readings_come_each_ten_seconds_while_something_is_tried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
