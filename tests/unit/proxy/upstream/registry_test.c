/*
 * registry: identity of live servers over snapshots, slots, states, and names that change.
 *
 * getaddrinfo() is defined here: libuv's pool calls this one, so that names answer as told.
 */
#include "proxy/upstream/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/model.h"
#include "observe/counters.h"

/* ---- what names answer: IPv4 addresses of one octet each, "" for failure ---- */

static const char *_Atomic answer_now = "";
static _Atomic int lookups_made;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    const char *answer = atomic_load(&answer_now);
    struct addrinfo *first = NULL;

    (void)service;
    (void)hints;
    atomic_fetch_add(&lookups_made, 1);
    if (strncmp(node, "never", 5) == 0)
        usleep(3500000);
    if (strncmp(node, "slow", 4) == 0)
        usleep(500000);
    if (strncmp(node, "fixed", 5) == 0)
        answer = "9";
    if (*answer == '\0')
        return EAI_NONAME;
    for (; *answer != '\0'; answer++) {
        struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in));
        struct sockaddr_in *v4 = (void *)(info + 1);

        v4->sin_family = AF_INET;
        v4->sin_addr.s_addr = htonl(0x0a000000 | (uint32_t)(*answer - '0'));
        info->ai_family = AF_INET;
        info->ai_addr = (void *)v4;
        info->ai_next = first;
        first = info;
    }
    *out = first;
    return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
    while (info != NULL) {
        struct addrinfo *next = info->ai_next;

        free(info);
        info = next;
    }
}

/* ---- the bench ---- */

struct bench {
    uv_loop_t loop;
    struct counters *counters;
    struct registry *registry;
    int changes;
    int firsts;
};

static void note_change(void *context)
{
    ((struct bench *)context)->changes++;
}

static void note_first(void *context)
{
    ((struct bench *)context)->firsts++;
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_int_equal(uv_loop_init(&bench->loop), 0);
    bench->counters = counters_new(2);
    bench->registry = registry_new(&bench->loop, 2, bench->counters, note_change, bench);
    atomic_store(&answer_now, "");
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    registry_close(bench->registry);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
    registry_free(&bench->registry);
    assert_null(bench->registry);
    counters_free(&bench->counters);
    free(bench);
    return 0;
}

/* Runs the loop until `*word` is `wanted`, for at most `ms`. */
static bool run_until(struct bench *bench, const int *word, int wanted, uint64_t ms)
{
    uint64_t end = clock_ms() + ms;

    while (*word < wanted && clock_ms() < end) {
        uv_run(&bench->loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
    return *word >= wanted;
}

static struct conf_address ip4(uint8_t last, uint16_t port)
{
    struct conf_address address = {.kind = ADDRESS_IP, .port = port};

    address.ip[10] = address.ip[11] = 0xff;
    address.ip[12] = 10;
    address.ip[15] = last;
    return address;
}

static struct conf_address named(const char *host)
{
    return (struct conf_address){.kind = ADDRESS_NAME, .host = host, .port = 80};
}

static struct configuration conf_of(struct conf_pool *pool, struct conf_server *server,
                                    const char *host)
{
    *server = (struct conf_server){.name = "s1", .address = named(host)};
    *pool = (struct conf_pool){.name = "p", .servers = server, .server_count = 1};
    pool->discovery.min_endpoints = 1;
    pool->discovery.max_shrink_percent = 50;
    return (struct configuration){.pools = pool, .pool_count = 1};
}

static size_t take(struct bench *bench, struct pool_live *pool, const char *name,
                   struct conf_address address, struct server **out)
{
    return registry_take_servers(bench->registry, pool, name, &address, out, 16);
}

static void a_server_outlives_snapshots_and_dies_with_its_last_reference(void **state)
{
    struct bench *bench = *state;
    struct pool_live *pool = registry_take_pool(bench->registry, "p");
    struct server *first[16], *again[16], *other[16];
    uint32_t slot, counter_slot;

    assert_int_equal(take(bench, pool, "s1", ip4(1, 80), first), 1);
    assert_string_equal(first[0]->address_text, "10.0.0.1:80");
    assert_string_equal(first[0]->name, "s1");
    assert_ptr_equal(first[0]->pool, pool);
    assert_int_equal(atomic_load(&first[0]->live.health), HEALTH_UNKNOWN);
    assert_int_equal(atomic_load(&first[0]->live.weight_override), BALANCE_NO_OVERRIDE);
    assert_int_equal(take(bench, pool, "s1", ip4(1, 80), again), 1);
    assert_ptr_equal(first[0], again[0]);
    assert_int_equal(take(bench, pool, "s2", ip4(1, 80), other), 1);
    assert_ptr_not_equal(first[0], other[0]);
    assert_int_not_equal(first[0]->slot, other[0]->slot);
    assert_ptr_not_equal(first[0]->live.in_flight[0], first[0]->live.in_flight[1]);
    slot = first[0]->slot;
    counter_slot = first[0]->counter_slot;
    registry_give_server(bench->registry, &first[0]);
    assert_null(first[0]);
    load_begin(again[0], 0);
    load_end(again[0], 0);
    registry_give_server(bench->registry, &again[0]);
    assert_int_equal(take(bench, pool, "s1", ip4(2, 80), first), 1);
    assert_int_equal(first[0]->slot, slot);
    assert_int_equal(first[0]->counter_slot, counter_slot);
    registry_give_server(bench->registry, &first[0]);
    registry_give_server(bench->registry, &other[0]);
    registry_give_pool(bench->registry, &pool);
    assert_null(pool);
}

static void a_pool_lives_while_its_servers_do(void **state)
{
    struct bench *bench = *state;
    struct pool_live *pool = registry_take_pool(bench->registry, "p");
    struct pool_live *again;
    struct server *servers[16];

    take(bench, pool, "s1", ip4(1, 80), servers);
    registry_give_pool(bench->registry, &pool);
    again = registry_take_pool(bench->registry, "p");
    assert_ptr_equal(again, servers[0]->pool);
    registry_give_pool(bench->registry, &again);
    registry_give_server(bench->registry, &servers[0]);
}

static void ipv6_and_unix_sockets_are_addresses(void **state)
{
    struct bench *bench = *state;
    struct pool_live *pool = registry_take_pool(bench->registry, "p");
    struct conf_address v6 = {.kind = ADDRESS_IP, .is_ipv6 = true, .port = 81, .ip = {[15] = 1}};
    struct conf_address local = {.kind = ADDRESS_UNIX, .host = "/run/app.sock"};
    struct conf_address too_long = {.kind = ADDRESS_UNIX};
    struct server *servers[16];
    char path[200];

    assert_int_equal(take(bench, pool, "s1", v6, servers), 1);
    assert_string_equal(servers[0]->address_text, "[::1]:81");
    assert_int_equal(servers[0]->address.any.sa_family, AF_INET6);
    registry_give_server(bench->registry, &servers[0]);
    assert_int_equal(take(bench, pool, "s1", local, servers), 1);
    assert_string_equal(servers[0]->address_text, "unix:/run/app.sock");
    assert_string_equal(servers[0]->address.local.sun_path, "/run/app.sock");
    registry_give_server(bench->registry, &servers[0]);
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    too_long.host = path;
    assert_int_equal(take(bench, pool, "s1", too_long, servers), 0);
    registry_give_pool(bench->registry, &pool);
}

static void an_override_wins_over_the_configuration_and_outlives_the_server(void **state)
{
    struct bench *bench = *state;
    struct pool_live *pool = registry_take_pool(bench->registry, "p");
    struct server *servers[16];
    struct registry_admin admin;
    uint64_t epoch;

    assert_false(
        registry_set_admin(bench->registry, "p", "s1", &(enum balance_admin){ADMIN_DRAIN}, 5));
    take(bench, pool, "s1", ip4(1, 80), servers);
    epoch = atomic_load(&pool->epoch);
    assert_true(
        registry_set_admin(bench->registry, "p", "s1", &(enum balance_admin){ADMIN_DRAIN}, 5));
    assert_int_equal(atomic_load(&pool->epoch), epoch + 1);
    assert_true(
        registry_set_admin(bench->registry, "p", "s1", &(enum balance_admin){ADMIN_DRAIN}, 5));
    assert_int_equal(atomic_load(&pool->epoch), epoch + 1);
    assert_int_equal(atomic_load(&servers[0]->live.admin), ADMIN_DRAIN);
    assert_int_equal(atomic_load(&servers[0]->live.weight_override), 5);
    registry_configure_server(bench->registry, "p", "s1", ADMIN_MAINT);
    assert_int_equal(atomic_load(&servers[0]->live.admin), ADMIN_DRAIN);
    registry_give_server(bench->registry, &servers[0]);
    take(bench, pool, "s1", ip4(2, 80), servers);
    assert_int_equal(atomic_load(&servers[0]->live.admin), ADMIN_DRAIN);
    assert_true(registry_get_admin(bench->registry, "p", "s1", &admin));
    assert_true(admin.has_override);
    assert_int_equal(admin.configured, ADMIN_MAINT);
    assert_int_equal(admin.weight, 5);
    assert_true(registry_clear_admin(bench->registry, "p", "s1"));
    assert_int_equal(atomic_load(&servers[0]->live.admin), ADMIN_MAINT);
    assert_int_equal(atomic_load(&servers[0]->live.weight_override), BALANCE_NO_OVERRIDE);
    registry_give_server(bench->registry, &servers[0]);
    registry_give_pool(bench->registry, &pool);
}

static void an_override_of_the_weight_alone_leaves_the_state_to_the_configuration(void **state)
{
    struct bench *bench = *state;
    struct pool_live *pool = registry_take_pool(bench->registry, "p");
    struct server *servers[16];
    struct registry_admin admin;

    take(bench, pool, "s1", ip4(1, 80), servers);
    assert_true(registry_set_admin(bench->registry, "p", "s1", NULL, 7));
    registry_configure_server(bench->registry, "p", "s1", ADMIN_DRAIN);
    assert_int_equal(atomic_load(&servers[0]->live.admin), ADMIN_DRAIN);
    registry_configure_server(bench->registry, "p", "s1", ADMIN_READY);
    assert_int_equal(atomic_load(&servers[0]->live.admin), ADMIN_READY);
    assert_int_equal(atomic_load(&servers[0]->live.weight_override), 7);
    assert_true(registry_get_admin(bench->registry, "p", "s1", &admin));
    assert_true(admin.has_override);
    assert_int_equal(admin.admin, ADMIN_READY);
    registry_give_server(bench->registry, &servers[0]);
    registry_give_pool(bench->registry, &pool);
}

static void an_override_may_come_before_its_server(void **state)
{
    struct bench *bench = *state;
    struct pool_live *pool = registry_take_pool(bench->registry, "p");
    struct server *servers[16];
    struct registry_admin admin;

    registry_preset_admin(bench->registry, "p", "s1", &(enum balance_admin){ADMIN_DRAIN}, 5);
    registry_preset_admin(bench->registry, "p", "s2", &(enum balance_admin){ADMIN_DRAIN}, 5);
    assert_false(registry_get_admin(bench->registry, "p", "s1", &admin));
    assert_false(registry_clear_admin(bench->registry, "p", "s2")); /* and it is forgotten */
    take(bench, pool, "s1", ip4(1, 80), servers);
    assert_int_equal(atomic_load(&servers[0]->live.admin), ADMIN_DRAIN);
    assert_int_equal(atomic_load(&servers[0]->live.weight_override), 5);
    registry_give_server(bench->registry, &servers[0]);
    take(bench, pool, "s2", ip4(1, 80), servers);
    assert_int_equal(atomic_load(&servers[0]->live.admin), ADMIN_READY);
    registry_give_server(bench->registry, &servers[0]);
    registry_give_pool(bench->registry, &pool);
}

static void a_name_gives_a_server_an_address(void **state)
{
    struct bench *bench = *state;
    struct conf_pool pool_conf;
    struct conf_server server;
    struct configuration conf = conf_of(&pool_conf, &server, "app.test");
    struct pool_live *pool = registry_take_pool(bench->registry, "p");
    struct server *servers[16];

    assert_int_equal(take(bench, pool, "s1", named("app.test"), servers), 0);
    atomic_store(&answer_now, "3121");
    registry_watch_names(bench->registry, &conf, 5000, note_first, bench);
    assert_int_equal(bench->firsts, 0);
    assert_true(run_until(bench, &bench->firsts, 1, 5000));
    assert_int_equal(take(bench, pool, "s1", named("app.test"), servers), 3);
    assert_string_equal(servers[0]->address_text, "10.0.0.1:80");
    assert_string_equal(servers[1]->address_text, "10.0.0.2:80");
    assert_string_equal(servers[2]->address_text, "10.0.0.3:80");
    assert_int_equal(servers[0]->counter_slot, servers[2]->counter_slot);
    assert_true(registry_set_admin(bench->registry, "p", "s1", &(enum balance_admin){ADMIN_MAINT},
                                   BALANCE_NO_OVERRIDE));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(atomic_load(&servers[i]->live.admin), ADMIN_MAINT);
        registry_give_server(bench->registry, &servers[i]);
    }
    assert_int_equal(bench->changes, 0);
    registry_give_pool(bench->registry, &pool);
}

static void a_name_that_fails_at_first_is_asked_again_and_tells_its_change(void **state)
{
    struct bench *bench = *state;
    struct conf_pool pool_conf;
    struct conf_server server;
    struct configuration conf = conf_of(&pool_conf, &server, "app.test");
    struct pool_live *pool = registry_take_pool(bench->registry, "p");
    struct server *servers[16];

    registry_watch_names(bench->registry, &conf, 5000, note_first, bench);
    assert_true(run_until(bench, &bench->firsts, 1, 2000));
    assert_int_equal(take(bench, pool, "s1", named("app.test"), servers), 0);
    assert_true(registry_set_admin(bench->registry, "p", "s1", &(enum balance_admin){ADMIN_DRAIN},
                                   BALANCE_NO_OVERRIDE));
    atomic_store(&answer_now, "12");
    assert_true(run_until(bench, &bench->changes, 1, 5000));
    assert_int_equal(take(bench, pool, "s1", named("app.test"), servers), 2);
    assert_int_equal(atomic_load(&servers[1]->live.admin), ADMIN_DRAIN);
    registry_give_server(bench->registry, &servers[0]);
    registry_give_server(bench->registry, &servers[1]);
    registry_give_pool(bench->registry, &pool);
}

/* A second list with a name in it that was not asked for yet asks for all that is due. */
static void ask_again(struct bench *bench, const char *answer)
{
    struct conf_pool pool_conf;
    struct conf_server server;
    struct configuration conf = conf_of(&pool_conf, &server, "app.test");

    atomic_store(&answer_now, answer);
    bench->firsts = 0;
    registry_watch_names(bench->registry, &conf, 5000, note_first, bench);
    assert_true(run_until(bench, &bench->firsts, 1, 2000));
}

static size_t addresses_now(struct bench *bench, struct pool_live *pool)
{
    struct server *servers[16];
    size_t count = take(bench, pool, "s1", named("app.test"), servers);

    for (size_t i = 0; i < count; i++)
        registry_give_server(bench->registry, &servers[i]);
    return count;
}

static void a_set_that_shrinks_too_much_or_fails_stays(void **state)
{
    struct bench *bench = *state;
    struct pool_live *pool = registry_take_pool(bench->registry, "p");
    int seen;

    ask_again(bench, "1234");
    assert_int_equal(addresses_now(bench, pool), 4);
    /* Asked again after 9 to 11 s; then, refused or failed, every 2 s. */
    atomic_store(&answer_now, "1");
    seen = atomic_load(&lookups_made);
    for (uint64_t end = clock_ms() + 13000; clock_ms() < end && atomic_load(&lookups_made) == seen;)
        run_until(bench, &bench->changes, 1, 50);
    assert_int_equal(atomic_load(&lookups_made), seen + 1);
    assert_false(run_until(bench, &bench->changes, 1, 300));
    assert_int_equal(addresses_now(bench, pool), 4);
    atomic_store(&answer_now, "");
    assert_false(run_until(bench, &bench->changes, 1, 2500));
    assert_int_equal(addresses_now(bench, pool), 4);
    atomic_store(&answer_now, "12");
    assert_true(run_until(bench, &bench->changes, 1, 3000));
    assert_int_equal(addresses_now(bench, pool), 2);
    registry_give_pool(bench->registry, &pool);
}

static void names_that_no_list_wants_are_forgotten_a_list_later(void **state)
{
    struct bench *bench = *state;
    struct configuration none = {.pools = NULL};
    struct pool_live *pool = registry_take_pool(bench->registry, "p");

    ask_again(bench, "12");
    registry_watch_names(bench->registry, &none, 0, note_first, bench);
    assert_int_equal(addresses_now(bench, pool), 2);
    assert_true(run_until(bench, &bench->firsts, 2, 2000));
    registry_watch_names(bench->registry, &none, 0, note_first, bench);
    assert_int_equal(addresses_now(bench, pool), 0);
    assert_false(
        registry_set_admin(bench->registry, "p", "s1", &(enum balance_admin){ADMIN_DRAIN}, 1));
    registry_give_pool(bench->registry, &pool);
}

static void many_names_are_asked_for_a_few_at_a_time_and_told_once(void **state)
{
    struct bench *bench = *state;
    enum { NAMES = 50 };
    struct conf_server servers[NAMES];
    struct conf_pool pool = {.name = "p", .servers = servers, .server_count = NAMES};
    struct configuration conf = {.pools = &pool, .pool_count = 1};
    static char names[NAMES][16];

    for (int i = 0; i < NAMES; i++) {
        snprintf(names[i], sizeof(names[i]), "fixed%d", i);
        servers[i] = (struct conf_server){.name = names[i], .address = named(names[i])};
    }
    registry_watch_names(bench->registry, &conf, 5000, note_first, bench);
    assert_true(run_until(bench, &bench->firsts, 1, 4000));
    assert_false(run_until(bench, &bench->firsts, 2, 200));
    assert_int_equal(bench->changes, 0);
}

static void patience_ends_the_wait_for_a_slow_name(void **state)
{
    struct bench *bench = *state;
    struct conf_pool pool_conf;
    struct conf_server server;
    struct configuration conf = conf_of(&pool_conf, &server, "slow.test");
    uint64_t begun = clock_ms();

    atomic_store(&answer_now, "1");
    registry_watch_names(bench->registry, &conf, 100, note_first, bench);
    assert_true(run_until(bench, &bench->firsts, 1, 2000));
    assert_in_range(clock_ms() - begun, 90, 450);
    assert_true(run_until(bench, &bench->changes, 1, 3000));
    assert_int_equal(bench->firsts, 1);
}

static void refuse(void *context)
{
    struct bench *bench = context;
    struct conf_pool pool_conf;
    struct conf_server server;
    struct configuration conf = conf_of(&pool_conf, &server, "app.test");

    bench->firsts++;
    registry_watch_names(bench->registry, &conf, 0, NULL, NULL);
}

static void a_change_during_a_reload_that_is_refused_is_told_afterwards(void **state)
{
    struct bench *bench = *state;
    struct conf_pool pool_conf;
    struct conf_server server;
    struct configuration conf = conf_of(&pool_conf, &server, "app.test");

    registry_watch_names(bench->registry, &conf, 5000, note_first, bench);
    assert_true(run_until(bench, &bench->firsts, 1, 2000));
    atomic_store(&answer_now, "12");
    /* The failing name is asked again within 2.2 s, while the slow one keeps the reload waiting. */
    conf.pools = (struct conf_pool[]){pool_conf, pool_conf};
    conf.pools[1].servers = (struct conf_server[]){{.name = "s2", .address = named("never.test")}};
    conf.pool_count = 2;
    bench->firsts = 0;
    registry_watch_names(bench->registry, &conf, 3000, refuse, bench);
    assert_true(run_until(bench, &bench->firsts, 1, 4000));
    assert_int_equal(bench->changes, 0);
    assert_true(run_until(bench, &bench->changes, 1, 2000));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_server_outlives_snapshots_and_dies_with_its_last_reference),
        TEST(a_pool_lives_while_its_servers_do),
        TEST(ipv6_and_unix_sockets_are_addresses),
        TEST(an_override_wins_over_the_configuration_and_outlives_the_server),
        TEST(an_override_of_the_weight_alone_leaves_the_state_to_the_configuration),
        TEST(an_override_may_come_before_its_server),
        TEST(a_name_gives_a_server_an_address),
        TEST(a_name_that_fails_at_first_is_asked_again_and_tells_its_change),
        TEST(a_set_that_shrinks_too_much_or_fails_stays),
        TEST(names_that_no_list_wants_are_forgotten_a_list_later),
        TEST(many_names_are_asked_for_a_few_at_a_time_and_told_once),
        TEST(patience_ends_the_wait_for_a_slow_name),
        TEST(a_change_during_a_reload_that_is_refused_is_told_afterwards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
