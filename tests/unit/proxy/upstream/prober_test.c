/*
 * prober: checks over loopback sockets, on its own thread; verdict words are polled.
 *
 * The origins are threads that answer as they are told, one connection at a time.
 */
#include "proxy/upstream/prober.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/model.h"
#include "proxy/upstream/outlier.h"

#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BAD  "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"

/* ---- origins ---- */

struct origin {
    union server_address address;
    socklen_t address_bytes;
    int socket;
    pthread_t thread;
    const char *_Atomic answer; /* NULL: none */
    _Atomic int connections;
    _Atomic bool is_over;
    char question[1024]; /* the first one */
};

static void serve_one(struct origin *origin, int peer)
{
    char question[1024] = "";
    const char *answer;
    ssize_t got = 0;
    size_t have = 0;

    while (strstr(question, "\r\n\r\n") == NULL && have < sizeof(question) - 1) {
        got = recv(peer, question + have, sizeof(question) - 1 - have, 0);
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    if (atomic_load(&origin->connections) == 0)
        memcpy(origin->question, question, sizeof(question));
    atomic_fetch_add(&origin->connections, 1);
    answer = atomic_load(&origin->answer);
    if (got > 0 && answer != NULL)
        (void)send(peer, answer, strlen(answer), MSG_NOSIGNAL);
    if (got > 0 && answer == NULL)
        (void)recv(peer, question, sizeof(question), 0);
    close(peer);
}

static void *serve(void *context)
{
    struct origin *origin = context;

    while (!atomic_load(&origin->is_over)) {
        struct pollfd waiting = {.fd = origin->socket, .events = POLLIN};
        int peer = poll(&waiting, 1, 20) > 0 ? accept(origin->socket, NULL, NULL) : -1;

        if (peer >= 0)
            serve_one(origin, peer);
    }
    return NULL;
}

static struct origin *origin_start(int family, const char *path, const char *answer)
{
    struct origin *origin = calloc(1, sizeof(*origin));

    atomic_store(&origin->answer, answer);
    origin->socket = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    origin->address.any.sa_family = (sa_family_t)family;
    origin->address_bytes = family == AF_INET    ? sizeof(origin->address.v4)
                            : family == AF_INET6 ? sizeof(origin->address.v6)
                                                 : sizeof(origin->address.local);
    if (family == AF_INET)
        origin->address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (family == AF_INET6)
        origin->address.v6.sin6_addr = in6addr_loopback;
    else
        snprintf(origin->address.local.sun_path, sizeof(origin->address.local.sun_path), "%s",
                 path);
    if (bind(origin->socket, &origin->address.any, origin->address_bytes) != 0) {
        close(origin->socket);
        free(origin);
        return NULL; /* no IPv6 here */
    }
    assert_int_equal(listen(origin->socket, 64), 0);
    if (family != AF_UNIX)
        getsockname(origin->socket, &origin->address.any, &origin->address_bytes);
    assert_int_equal(pthread_create(&origin->thread, NULL, serve, origin), 0);
    return origin;
}

static const char *first_question(struct origin *origin)
{
    uint64_t end = clock_ms() + 5000;

    while (atomic_load(&origin->connections) == 0 && clock_ms() < end)
        usleep(1000);
    assert_true(atomic_load(&origin->connections) > 0);
    return origin->question;
}

static void origin_stop(struct origin *origin)
{
    atomic_store(&origin->is_over, true);
    pthread_join(origin->thread, NULL);
    close(origin->socket);
    free(origin);
}

/* ---- the bench ---- */

enum { MOST = 2000 };

struct bench {
    struct conf_pool conf;
    struct conf_status_range range;
    struct pool_live live;
    struct server *servers;
    struct prober_target *targets;
    struct prober *prober;
    _Atomic int adopted;
};

static void note_adopted(void *context)
{
    atomic_fetch_add(&((struct bench *)context)->adopted, 1);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    bench->range = (struct conf_status_range){200, 399};
    bench->conf = (struct conf_pool){
        .name = "p",
        .health_check = {.is_on = true,
                         .type = CHECK_HTTP,
                         .path = "/up",
                         .interval_ms = 50,
                         .fast_interval_ms = 20,
                         .timeout_ms = 300,
                         .fall = 2,
                         .rise = 2,
                         .expect_status = &bench->range,
                         .expect_status_count = 1},
        .ejection = {.consecutive_failures = 3,
                     .base_time_ms = 200,
                     .max_time_ms = 1000,
                     .max_percent = 50},
        .slow_start_ms = 200,
        .panic_percent = 50,
    };
    bench->live.name = "p";
    bench->servers = calloc(MOST, sizeof(*bench->servers));
    bench->targets = calloc(MOST, sizeof(*bench->targets));
    bench->prober = prober_start();
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    if (bench->prober != NULL)
        prober_stop(&bench->prober);
    assert_null(bench->prober);
    free(bench->servers);
    free(bench->targets);
    free(bench);
    return 0;
}

static struct server *add(struct bench *bench, size_t at, const struct origin *origin)
{
    struct server *server = &bench->servers[at];

    *server = (struct server){.tag = SERVER_TAG, .pool = &bench->live, .name = "s"};
    atomic_store(&server->live.weight_override, BALANCE_NO_OVERRIDE);
    server->address = origin->address;
    server->address_bytes = origin->address_bytes;
    bench->targets[at] = (struct prober_target){.server = server, .pool = &bench->conf};
    return server;
}

static bool wait_for(const _Atomic uint32_t *word, uint32_t wanted)
{
    uint64_t end = clock_ms() + 10000;

    while (atomic_load(word) != wanted && clock_ms() < end)
        usleep(1000);
    return atomic_load(word) == wanted;
}

static void adopt_part(struct bench *bench, const struct prober_target *targets, size_t count)
{
    int before = atomic_load(&bench->adopted);
    uint64_t end = clock_ms() + 10000;

    prober_adopt(bench->prober, targets, count, note_adopted, bench);
    while (atomic_load(&bench->adopted) == before && clock_ms() < end)
        usleep(1000);
    assert_int_equal(atomic_load(&bench->adopted), before + 1);
}

static void adopt(struct bench *bench, size_t count)
{
    adopt_part(bench, bench->targets, count);
}

/* ---- checks ---- */

static void a_server_goes_up_down_and_up_again(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, GOOD);
    struct server *server = add(bench, 0, origin);
    char host[64];

    adopt(bench, 1);
    assert_true(wait_for(&server->live.health, HEALTH_UP));
    assert_int_equal(atomic_load(&server->live.ramp_from_ms), 0);
    atomic_store(&origin->answer, BAD);
    assert_true(wait_for(&server->live.health, HEALTH_DOWN));
    assert_string_equal(atomic_load(&server->last_check), "the status is not the expected one");
    assert_true(wait_for(&bench->live.is_panic, 1));
    atomic_store(&origin->answer, GOOD);
    assert_true(wait_for(&server->live.health, HEALTH_UP));
    assert_int_not_equal(atomic_load(&server->live.ramp_from_ms), 0);
    assert_true(wait_for(&bench->live.is_panic, 0));
    assert_int_not_equal(atomic_load(&server->health_since_ms), 0);
    assert_non_null(strstr(first_question(origin), "GET /up HTTP/1.1\r\n"));
    snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n", ntohs(origin->address.v4.sin_port));
    assert_non_null(strstr(first_question(origin), host));
    assert_non_null(strstr(first_question(origin), "\r\nConnection: close\r\n"));
    assert_non_null(
        strstr(first_question(origin), "\r\nUser-Agent: twokey-check/" TWOKEY_VERSION "\r\n"));
    prober_stop(&bench->prober);
    origin_stop(origin);
}

static void silence_is_a_failure_after_the_timeout(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, NULL);
    struct server *server = add(bench, 0, origin);
    uint64_t begun = clock_ms();

    bench->conf.health_check.timeout_ms = 100;
    adopt(bench, 1);
    assert_true(wait_for(&server->live.health, HEALTH_DOWN));
    assert_true(clock_ms() - begun >= 200);
    assert_string_equal(atomic_load(&server->last_check), "no whole answer in time");
    prober_stop(&bench->prober);
    origin_stop(origin);
}

static void a_refused_connection_is_a_failure(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, GOOD);
    struct server *server = add(bench, 0, origin);

    origin_stop(origin);
    bench->conf.health_check.type = CHECK_TCP;
    adopt(bench, 1);
    assert_true(wait_for(&server->live.health, HEALTH_DOWN));
    assert_string_equal(atomic_load(&server->last_check), "connection refused");
}

static void tcp_checks_only_connect(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, NULL);
    struct server *server = add(bench, 0, origin);

    bench->conf.health_check.type = CHECK_TCP;
    adopt(bench, 1);
    assert_true(wait_for(&server->live.health, HEALTH_UP));
    prober_stop(&bench->prober);
    assert_string_equal(first_question(origin), "");
    origin_stop(origin);
}

static void the_body_and_the_host_are_as_configured(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, GOOD);
    struct server *server = add(bench, 0, origin);

    bench->conf.health_check.expect_body = "fine";
    bench->conf.health_check.host = "shop.example.com";
    adopt(bench, 1);
    assert_true(wait_for(&server->live.health, HEALTH_DOWN));
    assert_string_equal(atomic_load(&server->last_check), "the body lacks the expected text");
    assert_non_null(strstr(first_question(origin), "\r\nHost: shop.example.com\r\n"));
    atomic_store(&origin->answer, "HTTP/1.1 200 OK\r\n\r\nall is fine");
    assert_true(wait_for(&server->live.health, HEALTH_UP));
    prober_stop(&bench->prober);
    origin_stop(origin);
}

static void ipv6_and_unix_sockets_are_checked(void **state)
{
    struct bench *bench = *state;
    char path[64];
    struct origin *six = origin_start(AF_INET6, NULL, GOOD);
    struct origin *local;
    struct server *servers[2] = {NULL, NULL};
    size_t count = 0;

    snprintf(path, sizeof(path), "/tmp/prober_test.%d.sock", (int)getpid());
    local = origin_start(AF_UNIX, path, GOOD);
    servers[count] = add(bench, count, local);
    count++;
    if (six != NULL) {
        servers[count] = add(bench, count, six);
        count++;
    }
    adopt(bench, count);
    for (size_t i = 0; i < count; i++)
        assert_true(wait_for(&servers[i]->live.health, HEALTH_UP));
    assert_non_null(strstr(first_question(local), "\r\nHost: localhost\r\n"));
    origin_stop(local);
    unlink(path);
    assert_true(wait_for(&servers[0]->live.health, HEALTH_DOWN));
    assert_string_equal(atomic_load(&servers[0]->last_check), "no such socket");
    prober_stop(&bench->prober);
    if (six != NULL)
        origin_stop(six);
}

static void without_checks_servers_are_up_at_once(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, GOOD);
    struct server *first = add(bench, 0, origin);
    struct server *second = add(bench, 1, origin);
    struct server *third = add(bench, 2, origin);

    bench->conf.health_check.is_on = false;
    adopt(bench, 1);
    assert_int_equal(atomic_load(&first->live.health), HEALTH_UP);
    assert_int_equal(atomic_load(&first->live.ramp_from_ms), 0);
    /* one that joins begins slowly; most being new, none does */
    adopt(bench, 2);
    assert_int_equal(atomic_load(&second->live.health), HEALTH_UP);
    assert_int_not_equal(atomic_load(&second->live.ramp_from_ms), 0);
    adopt_part(bench, bench->targets + 1, 1);
    add(bench, 0, origin);
    adopt(bench, 3);
    assert_int_equal(atomic_load(&third->live.ramp_from_ms), 0);
    prober_stop(&bench->prober);
    assert_int_equal(atomic_load(&origin->connections), 0);
    origin_stop(origin);
}

static void a_verdict_outlives_a_reload_and_new_parameters_hold(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, BAD);
    struct server *server = add(bench, 0, origin);
    struct conf_pool slower = bench->conf;
    struct conf_pool newer = bench->conf;
    struct prober_target target = {.server = server};
    struct conf_status_range range = {503, 503};

    adopt(bench, 1);
    assert_true(wait_for(&server->live.health, HEALTH_DOWN));
    slower.health_check.interval_ms = 60000;
    target.pool = &slower;
    adopt_part(bench, &target, 1);
    assert_int_equal(atomic_load(&server->live.health), HEALTH_DOWN);
    usleep(100000); /* the next check is far away now */
    target.pool = &newer;
    newer.health_check.path = "/other";
    newer.health_check.expect_status = &range;
    adopt_part(bench, &target, 1);
    assert_true(wait_for(&server->live.health, HEALTH_UP));
    prober_stop(&bench->prober);
    origin_stop(origin);
}

static void a_server_in_maintenance_is_not_asked(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, GOOD);
    struct server *server = add(bench, 0, origin);

    atomic_store(&server->live.admin, ADMIN_MAINT);
    adopt(bench, 1);
    usleep(200000);
    assert_int_equal(atomic_load(&origin->connections), 0);
    atomic_store(&server->live.admin, ADMIN_READY);
    assert_true(wait_for(&server->live.health, HEALTH_UP));
    atomic_store(&server->live.admin, ADMIN_MAINT);
    assert_true(wait_for(&server->live.health, HEALTH_UNKNOWN));
    prober_stop(&bench->prober);
    origin_stop(origin);
}

static void servers_that_are_gone_are_not_asked_any_more(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, NULL);
    int connections;

    add(bench, 0, origin);
    bench->conf.health_check.timeout_ms = 60000;
    adopt(bench, 1);
    usleep(150000); /* a check is under way, and never ends */
    adopt(bench, 0);
    free(bench->servers); /* nobody may look at it now */
    bench->servers = NULL;
    connections = atomic_load(&origin->connections);
    usleep(200000);
    assert_in_range(atomic_load(&origin->connections), connections, connections + 1);
    prober_stop(&bench->prober);
    origin_stop(origin);
}

static void want_of_descriptors_says_nothing_of_a_server(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, GOOD);
    struct server *server = add(bench, 0, origin);
    struct rlimit before;
    struct rlimit none;

    bench->conf.health_check.type = CHECK_TCP;
    adopt(bench, 1);
    assert_true(wait_for(&server->live.health, HEALTH_UP));
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    usleep(400000);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(atomic_load(&server->live.health), HEALTH_UP);
    assert_int_equal(atomic_load(&bench->live.is_panic), 0);
    prober_stop(&bench->prober);
    origin_stop(origin);
}

static void two_thousand_servers_are_all_judged(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, GOOD);

    bench->conf.health_check.type = CHECK_TCP;
    bench->conf.health_check.interval_ms = 2000;
    bench->conf.health_check.timeout_ms = 8000;
    for (size_t i = 0; i < MOST; i++)
        add(bench, i, origin);
    adopt(bench, MOST);
    for (size_t i = 0; i < MOST; i++)
        assert_true(wait_for(&bench->servers[i].live.health, HEALTH_UP));
    prober_stop(&bench->prober);
    origin_stop(origin);
}

/* ---- ejection ---- */

static void failures_eject_a_server_and_it_returns(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, GOOD);
    struct server *first = add(bench, 0, origin);
    struct server *second = add(bench, 1, origin);
    uint64_t epoch;

    bench->conf.health_check.is_on = false;
    bench->conf.slow_start_ms = 2000; /* longer than a busy machine sleeps */
    adopt(bench, 2);
    epoch = atomic_load(&bench->live.epoch);
    for (int i = 0; i < 10; i++)
        outlier_note(first, &bench->conf.ejection, bench->prober, true);
    assert_true(wait_for(&first->live.ejected, 1));
    assert_true(atomic_load(&bench->live.epoch) > epoch);
    /* the last that could serve stays */
    for (int i = 0; i < 10; i++)
        outlier_note(second, &bench->conf.ejection, bench->prober, true);
    assert_true(wait_for(&second->is_suspected, 0));
    assert_int_equal(atomic_load(&second->live.ejected), 0);
    assert_true(wait_for(&first->live.ejected, 0));
    assert_int_equal(atomic_load(&first->live.failures), 0);
    assert_int_equal(atomic_load(&first->ejections_in_a_row), 1);
    assert_int_not_equal(atomic_load(&first->live.ramp_from_ms), 0);
    assert_true(wait_for(&first->ejections_in_a_row, 0));
    for (int i = 0; i < 1000 && atomic_load(&first->live.ramp_from_ms) != 0; i++)
        usleep(10000);
    assert_int_equal(atomic_load(&first->live.ramp_from_ms), 0);
    prober_stop(&bench->prober);
    origin_stop(origin);
}

static void a_suspicion_of_a_server_that_is_gone_is_ignored(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, GOOD);
    struct server *gone = add(bench, 0, origin);

    adopt(bench, 1);
    adopt(bench, 0);
    free(bench->servers);
    bench->servers = NULL;
    prober_suspect(bench->prober, gone);
    adopt(bench, 0);
    prober_stop(&bench->prober);
    origin_stop(origin);
}

static void turning_ejection_off_brings_the_ejected_back(void **state)
{
    struct bench *bench = *state;
    struct origin *origin = origin_start(AF_INET, NULL, GOOD);
    struct server *first = add(bench, 0, origin);
    struct conf_pool off;

    add(bench, 1, origin);
    bench->conf.health_check.is_on = false;
    bench->conf.ejection.base_time_ms = bench->conf.ejection.max_time_ms = 60000;
    adopt(bench, 2);
    for (int i = 0; i < 3; i++)
        outlier_note(first, &bench->conf.ejection, bench->prober, true);
    assert_true(wait_for(&first->live.ejected, 1));
    off = bench->conf;
    off.ejection.consecutive_failures = 0;
    bench->targets[0].pool = bench->targets[1].pool = &off;
    adopt(bench, 2);
    assert_int_equal(atomic_load(&first->live.ejected), 0);
    prober_stop(&bench->prober);
    origin_stop(origin);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_server_goes_up_down_and_up_again),
        TEST(silence_is_a_failure_after_the_timeout),
        TEST(a_refused_connection_is_a_failure),
        TEST(tcp_checks_only_connect),
        TEST(the_body_and_the_host_are_as_configured),
        TEST(ipv6_and_unix_sockets_are_checked),
        TEST(without_checks_servers_are_up_at_once),
        TEST(a_verdict_outlives_a_reload_and_new_parameters_hold),
        TEST(a_server_in_maintenance_is_not_asked),
        TEST(servers_that_are_gone_are_not_asked_any_more),
        TEST(want_of_descriptors_says_nothing_of_a_server),
        TEST(two_thousand_servers_are_all_judged),
        TEST(failures_eject_a_server_and_it_returns),
        TEST(a_suspicion_of_a_server_that_is_gone_is_ignored),
        TEST(turning_ejection_off_brings_the_ejected_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
