/*
 * traffic_test - hits are kept seven days, in bounded memory; and what detectors make of them.
 *
 * Threads  the first
 */
#include "tests/support/ledger_fixture.h"

#include "base/arena.h"
#include "change/hits.h"
#include "change/peak.h"
#include "change/traffic.h"
#include "detect/detect.h"
#include "observe/sample.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

static int begin(void **state)
{
    (void)state;
    world_begin(CONFIGURATION(ENFORCED));
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static uint64_t route_hits(const char *name)
{
    return hits_of(world.ledger, HITS_OF_ROUTES, name);
}

/* ---- hits ---- */

static void hits_are_those_of_seven_days(void **state)
{
    (void)state;
    assert_int_equal(route_hits("shop"), 0);
    ledger_note_route(world.ledger, "shop", 5);
    pass_ms(HOUR_MS);
    ledger_note_route(world.ledger, "shop", 10);
    ledger_note_route(world.ledger, "blog", 1);
    assert_int_equal(route_hits("shop"), 15);
    pass_ms((int64_t)(HITS_HOURS - 1) * HOUR_MS);
    assert_int_equal(route_hits("shop"), 10); /* the first hour is too old */
    pass_ms(HOUR_MS);
    assert_int_equal(route_hits("shop"), 0);
    assert_int_equal(hits_each(world.ledger, HITS_OF_ROUTES, NULL, NULL), 0);
    pass_ms((int64_t)1000 * HOUR_MS);
    ledger_note_route(world.ledger, "shop", 2);
    assert_int_equal(route_hits("shop"), 2);
}

static void hits_outlive_a_restart_but_for_the_last_minute(void **state)
{
    (void)state;
    ledger_note_route(world.ledger, "shop", 5);
    hits_note(world.ledger, HITS_OF_HOSTS, "shop.example.com", 7);
    pass_ms(HOUR_MS);
    ledger_note_route(world.ledger, "shop", 10);
    pass_ms(MINUTE_MS);
    hits_tick(world.ledger);
    ledger_note_route(world.ledger, "shop", 100);
    world_restart();
    assert_int_equal(route_hits("shop"), 15);
    assert_int_equal(hits_of(world.ledger, HITS_OF_HOSTS, "shop.example.com"), 7);
    assert_int_equal(hits_of(world.ledger, HITS_OF_HOSTS, "shop"), 0);
    ledger_note_route(world.ledger, "shop", 1);
    hits_save(world.ledger); /* as an orderly stop does */
    world_restart();
    assert_int_equal(route_hits("shop"), 16);
}

/* Hours with a tick in each. */
static void tick_hours(unsigned hours)
{
    for (unsigned hour = 0; hour < hours; hour++) {
        pass_ms(HOUR_MS);
        hits_tick(world.ledger);
    }
}

static bool are_complete(void)
{
    return hits_are_complete(world.ledger, HITS_OF_ROUTES);
}

static void that_nobody_asked_is_known_after_seven_days(void **state)
{
    (void)state;
    assert_false(are_complete());
    tick_hours(HITS_HOURS - 1);
    assert_false(are_complete());
    assert_null(traffic_used_routes(world.ledger));
    ledger_note_route(world.ledger, "shop", 3);
    tick_hours(1);
    assert_true(are_complete());
    assert_true(hits_are_complete(world.ledger, HITS_OF_HOSTS));

    json_t *used = traffic_used_routes(world.ledger);

    assert_int_equal(json_object_size(used), 1);
    assert_int_equal(json_integer_value(json_object_get(used, "shop")), 3);
    json_decref(used);
    used = traffic_used_hosts(world.ledger);
    assert_int_equal(json_object_size(used), 0);
    json_decref(used);
}

static void a_restart_does_not_begin_the_seven_days_anew(void **state)
{
    (void)state;
    tick_hours(HITS_HOURS / 2);
    world_restart();
    tick_hours(HITS_HOURS / 2 + 1);
    assert_true(are_complete());
    hits_save(world.ledger);
    pass_ms((int64_t)(HITS_GAP_HOURS - 1) * HOUR_MS);
    world_restart();
    assert_true(are_complete());
}

static void a_day_that_nobody_counted_begins_the_seven_days_anew(void **state)
{
    (void)state;
    tick_hours(HITS_HOURS + 1);
    assert_true(are_complete());
    pass_ms((int64_t)(HITS_GAP_HOURS + 1) * HOUR_MS); /* stopped, or somebody set the clock */
    world_restart();
    assert_false(are_complete());
    tick_hours(HITS_HOURS + 1);
    assert_true(are_complete());
    pass_ms((int64_t)(HITS_GAP_HOURS + 1) * HOUR_MS);
    assert_false(are_complete());
}

static void what_was_not_counted_by_name_begins_the_seven_days_anew(void **state)
{
    char name[32];

    (void)state;
    tick_hours(HITS_HOURS + 1);
    ledger_missed_routes(world.ledger);
    assert_false(are_complete());
    assert_true(hits_are_complete(world.ledger, HITS_OF_HOSTS));
    for (unsigned i = 0; i <= HITS_HOSTS; i++) { /* some must be forgotten */
        (void)snprintf(name, sizeof(name), "h%u.example", i);
        hits_note(world.ledger, HITS_OF_HOSTS, name, 1);
    }
    assert_false(hits_are_complete(world.ledger, HITS_OF_HOSTS));
}

static bool count_row(void *context, const char *key, struct slice value, uint64_t version)
{
    (void)key;
    (void)value;
    (void)version;
    ++*(unsigned *)context;
    return true;
}

static unsigned rows(void)
{
    unsigned count = 0;

    store_list(ledger_store(world.ledger), "hits/", NULL, false, count_row, &count);
    return count;
}

static void the_store_has_a_row_an_hour_and_not_for_ever(void **state)
{
    (void)state;
    for (unsigned hour = 0; hour < HITS_HOURS + 50; hour++) {
        ledger_note_route(world.ledger, "shop", 1);
        ledger_note_route(world.ledger, "blog", 1);
        pass_ms(HOUR_MS);
        hits_tick(world.ledger);
    }
    assert_in_range(rows(), HITS_HOURS - 2, HITS_HOURS);
    assert_in_range(route_hits("shop"), HITS_HOURS - 2, HITS_HOURS);
    pass_ms((int64_t)HITS_HOURS * HOUR_MS);
    world_restart();
    assert_int_equal(route_hits("shop"), 0);
    pass_ms(MINUTE_MS);
    hits_tick(world.ledger);
    assert_int_equal(rows(), 0);
}

static void a_full_disk_costs_no_hits(void **state)
{
    (void)state;
    ledger_note_route(world.ledger, "shop", 3);
    pass_ms(MINUTE_MS);
    memory_fails = true;
    hits_tick(world.ledger);
    memory_fails = false;
    pass_ms(MINUTE_MS);
    hits_tick(world.ledger);
    world_restart();
    assert_int_equal(route_hits("shop"), 3);
}

static void a_clock_set_back_counts_on(void **state)
{
    (void)state;
    ledger_note_route(world.ledger, "shop", 3);
    world.wall_ms -= 5 * HOUR_MS;
    ledger_note_route(world.ledger, "shop", 4);
    assert_int_equal(route_hits("shop"), 7);
}

/* Clients may make up hosts: those that have many requests stay. */
static void hosts_are_bounded_and_the_used_ones_stay(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5 * HITS_HOSTS; i++) {
        char host[32];

        (void)snprintf(host, sizeof(host), "x%u.example.com", i);
        hits_note(world.ledger, HITS_OF_HOSTS, host, 1);
        (void)snprintf(host, sizeof(host), "real%u.example.com", i % 100);
        hits_note(world.ledger, HITS_OF_HOSTS, host, 1);
    }
    assert_in_range(hits_each(world.ledger, HITS_OF_HOSTS, NULL, NULL), 100, HITS_HOSTS);
    for (unsigned i = 0; i < 100; i++) {
        char host[32];

        (void)snprintf(host, sizeof(host), "real%u.example.com", i);
        assert_int_equal(hits_of(world.ledger, HITS_OF_HOSTS, host),
                         5 * HITS_HOSTS / 100 + (i < 5 * HITS_HOSTS % 100));
    }
}

/* ---- what the detectors are told ---- */

static struct sample *sample_of(size_t requests, size_t keys, const char *pool)
{
    struct arena *arena = arena_new(4096);
    struct sample *sample = arena_alloc(arena, sizeof(*sample));
    struct sample_request *singles = arena_array(arena, requests, sizeof(*singles));
    struct sample_kind *kinds = arena_array(arena, 2, sizeof(*kinds));

    for (size_t i = 0; i < requests; i++)
        singles[i] = (struct sample_request){
            .listener = "web", .pool = pool, .hash = i % keys, .has_hash = i % keys > 0};
    kinds[0] = (struct sample_kind){.host = "a.example.com", .requests = 900, .requests_new = 5};
    kinds[1] = (struct sample_kind){.host = "a.example.com", .requests = 9, .requests_new = 2};
    *sample = (struct sample){.references = 1,
                              .arena = arena,
                              .singles = singles,
                              .single_count = requests,
                              .kinds = kinds,
                              .kind_count = 2};
    return sample;
}

static uint64_t distinct_of(const char *pool)
{
    struct detect_traffic *traffic = traffic_known(world.ledger);
    uint64_t distinct = 0;

    for (size_t i = 0; i < traffic->pool_count; i++)
        if (strcmp(traffic->pools[i].pool, pool) == 0)
            distinct = traffic->pools[i].distinct_keys;
    traffic_free(&traffic);
    assert_null(traffic);
    return distinct;
}

static void nothing_is_known_before_the_first_request(void **state)
{
    struct detect_traffic *traffic;

    (void)state;
    peak_note(world.ledger, "shop", 0);
    assert_null(traffic_known(world.ledger));
    peak_note(world.ledger, "shop", 12);
    traffic = traffic_known(world.ledger);
    assert_int_equal(traffic->pool_count, 1);
    assert_true(traffic->pools[0].peak_rps == 12);
    assert_int_equal(traffic->route_count, 0);
    traffic_free(&traffic);
}

static void a_sample_counts_its_hosts_once(void **state)
{
    (void)state;
    ledger_take_sample(world.ledger, sample_of(0, 1, "blog"));
    assert_int_equal(hits_of(world.ledger, HITS_OF_HOSTS, "a.example.com"), 7);
    ledger_take_sample(world.ledger, sample_of(0, 1, "blog"));
    assert_int_equal(hits_of(world.ledger, HITS_OF_HOSTS, "a.example.com"), 14);
    assert_ptr_not_equal(ledger_sample(world.ledger), NULL);
}

#define HASHED                                                                                     \
    "{\"pools\":{\"blog\":{\"servers\":{\"b1\":{\"address\":\"10.0.1.1:80\"},"                     \
    "\"b2\":{\"address\":\"10.0.1.2:80\"}},\"health_check\":{},\"balance\":\"maglev\"},"           \
    "\"shop\":{\"servers\":{\"s1\":{\"address\":\"10.0.0.1:80\"}},\"health_check\":{}}},"          \
    "" ROUTES ",\"people\":{" EVERYBODY "},\"policy\":{" ENFORCED "}}"

/* Few requests say little of how many keys there are. */
static void keys_are_counted_where_enough_was_seen(void **state)
{
    static const struct {
        size_t requests, keys;
        uint64_t distinct;
    } cases[] = {{1000, 5, 5}, {1000, 100, 100}, {1000, 101, 0}, {199, 1, 0}, {200, 1, 1}};

    (void)state;
    world_begin(HASHED);
    peak_note(world.ledger, "blog", 12);
    peak_note(world.ledger, "shop", 12);
    assert_int_equal(distinct_of("blog"), 0); /* no sample */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ledger_take_sample(world.ledger, sample_of(cases[i].requests, cases[i].keys, "blog"));
        assert_int_equal(distinct_of("blog"), cases[i].distinct);
        ledger_take_sample(world.ledger, sample_of(cases[i].requests, cases[i].keys, "shop"));
        assert_int_equal(distinct_of("shop"), 0); /* it hashes nothing */
    }
    world_end();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(hits_are_those_of_seven_days),
        TEST(hits_outlive_a_restart_but_for_the_last_minute),
        TEST(that_nobody_asked_is_known_after_seven_days),
        TEST(a_restart_does_not_begin_the_seven_days_anew),
        TEST(a_day_that_nobody_counted_begins_the_seven_days_anew),
        TEST(what_was_not_counted_by_name_begins_the_seven_days_anew),
        TEST(the_store_has_a_row_an_hour_and_not_for_ever),
        TEST(a_full_disk_costs_no_hits),
        TEST(a_clock_set_back_counts_on),
        TEST(hosts_are_bounded_and_the_used_ones_stay),
        TEST(nothing_is_known_before_the_first_request),
        TEST(a_sample_counts_its_hosts_once),
        cmocka_unit_test(keys_are_counted_where_enough_was_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
