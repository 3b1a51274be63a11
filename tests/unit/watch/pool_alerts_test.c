/*
 * pool_alerts_test - what is said of servers that are down, and what is not.
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

#include "config/model.h"
#include "proxy/snapshot.h"
#include "watch/live.h"
#include "watch/pool_alerts.h"

enum { SERVERS = 4 };

static struct conf_server confs[SERVERS];
static struct conf_pool conf;
static struct snapshot_pool snapshot;
static struct live_address addresses[SERVERS];
static struct live_server servers[SERVERS];
static struct live_pool live;
static char names[SERVERS][4] = {"s1", "s2", "s3", "s4"};

static int begin(void **state)
{
    (void)state;
    memset(confs, 0, sizeof(confs));
    memset(servers, 0, sizeof(servers));
    conf = (struct conf_pool){.name = "shop"};
    snapshot = (struct snapshot_pool){.conf = &conf};
    live = (struct live_pool){
        .pool = &snapshot, .servers = servers, .server_count = SERVERS, .eligible_count = SERVERS};
    for (unsigned i = 0; i < SERVERS; i++) {
        confs[i] = (struct conf_server){.name = names[i], .weight = 100};
        addresses[i] = (struct live_address){.last_check = "it answered 500"};
        servers[i] = (struct live_server){.conf = &confs[i],
                                          .addresses = &addresses[i],
                                          .address_count = 1,
                                          .admin = ADMIN_READY,
                                          .weight_override = BALANCE_NO_OVERRIDE,
                                          .health = HEALTH_UP};
    }
    return 0;
}

static void takes_down(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        servers[i].health = HEALTH_DOWN;
    live.eligible_count = SERVERS - count;
}

/* "" for none, "PoolDegraded", or "more" for several. */
static const char *says(void (*tell)(const struct live_pool *, json_t *), char out[64])
{
    json_t *list = json_array();
    const char *name;

    tell(&live, list);
    name = json_string_value(json_object_get(json_array_get(list, 0), "name"));
    (void)snprintf(out, 64, "%s", json_array_size(list) > 1 ? "more" : name != NULL ? name : "");
    json_decref(list);
    return out;
}

#define OF_POOL()    says(pool_alerts_of_pool, (char[64]){0})
#define OF_SERVERS() says(pool_alerts_of_servers, (char[64]){0})

static void a_pool_that_is_well_says_nothing(void **state)
{
    (void)state;
    assert_string_equal(OF_POOL(), "");
    assert_string_equal(OF_SERVERS(), "");
}

static void one_of_four_is_a_server_not_a_pool(void **state)
{
    (void)state;
    takes_down(1);
    assert_string_equal(OF_POOL(), "");
    assert_string_equal(OF_SERVERS(), "ServerDown");
}

static void half_of_them_is_a_pool(void **state)
{
    (void)state;
    takes_down(2);
    assert_string_equal(OF_POOL(), "PoolDegraded");
    assert_string_equal(OF_SERVERS(), "more");
}

static void the_last_but_one_of_two_is_a_pool(void **state)
{
    (void)state;
    live.server_count = 2;
    servers[0].is_ejected = true;
    live.eligible_count = 1;
    assert_string_equal(OF_POOL(), "PoolDegraded");
    assert_string_equal(OF_SERVERS(), "ServerEjected");
}

static void a_panic_is_one_alert(void **state)
{
    (void)state;
    takes_down(3);
    live.is_panic = true;
    live.eligible_count = SERVERS; /* in a panic all are used */
    assert_string_equal(OF_POOL(), "PoolPanic");
}

static void none_left_is_down_panic_or_not(void **state)
{
    (void)state;
    takes_down(4);
    assert_string_equal(OF_POOL(), "PoolDown");
    live.is_panic = true;
    assert_string_equal(OF_POOL(), "PoolDown");
    live.eligible_count = SERVERS; /* all are tried, none is well */
    assert_string_equal(OF_POOL(), "PoolDown");
}

static void what_nobody_wants_to_serve_is_no_alert(void **state)
{
    (void)state;
    takes_down(3);
    servers[0].admin = ADMIN_DRAIN;
    confs[1].weight = 0;
    servers[2].weight_override = 0;
    assert_string_equal(OF_POOL(), "");
    assert_string_equal(OF_SERVERS(), "");
}

static void a_backup_that_is_down_is_told_but_no_loss_of_the_pool(void **state)
{
    (void)state;
    live.server_count = 3;
    confs[0].is_backup = true;
    takes_down(1);
    assert_string_equal(OF_POOL(), "");
    assert_string_equal(OF_SERVERS(), "ServerDown");
}

static void a_name_without_an_address_is_down(void **state)
{
    json_t *list = json_array();

    (void)state;
    servers[3].address_count = 0;
    servers[3].health = HEALTH_UNKNOWN;
    pool_alerts_of_servers(&live, list);
    assert_non_null(
        strstr(json_string_value(json_object_get(json_array_get(list, 0), "summary")), "resolved"));
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "server")),
                        "s4");
    json_decref(list);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pool_that_is_well_says_nothing),
        TEST(one_of_four_is_a_server_not_a_pool),
        TEST(half_of_them_is_a_pool),
        TEST(the_last_but_one_of_two_is_a_pool),
        TEST(a_panic_is_one_alert),
        TEST(none_left_is_down_panic_or_not),
        TEST(what_nobody_wants_to_serve_is_no_alert),
        TEST(a_backup_that_is_down_is_told_but_no_loss_of_the_pool),
        TEST(a_name_without_an_address_is_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
