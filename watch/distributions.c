/*
 * distributions - see distributions.h: pools are found again by name, counters and live words are
 * read, and monitors told.  What is answered is in distributions_shown.c.
 *
 * Owner    watch.      Threads  control only
 */
#include "watch/distributions.h"

#include <stdatomic.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config/load.h"
#include "config/model.h"
#include "observe/counters.h"
#include "proxy/publish.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/server.h"
#include "watch/watched.h"

enum { DISTRIBUTIONS_TAG = 0x44495354, CLASS_5XX = 5 };

static uint64_t look(const counter *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* ---- life ---- */

struct distributions *distributions_new(struct counters *counters, unsigned worker_count,
                                        struct publisher *publisher)
{
    struct distributions *distributions = xcalloc(1, sizeof(*distributions));

    distributions->tag = DISTRIBUTIONS_TAG;
    distributions->counters = counters;
    distributions->worker_count = worker_count;
    distributions->publisher = publisher;
    return distributions;
}

static void free_servers(struct watched_server *servers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        xfree(servers[i].name);
    xfree(servers);
}

static void free_pool(struct watched *watched)
{
    free_servers(watched->servers, watched->server_count);
    monitor_free(&watched->monitor);
    xfree(watched->name);
    watched->name = NULL;
}

void distributions_free(struct distributions **holder)
{
    struct distributions *distributions = TAKE_POINTER(holder);

    if (distributions == NULL)
        return;
    CHECK_OBJ(distributions, DISTRIBUTIONS_TAG);
    for (size_t i = 0; i < distributions->pool_count; i++)
        free_pool(&distributions->pools[i]);
    xfree(distributions->pools);
    distributions->tag = 0;
    xfree(distributions);
}

/* ---- counters ---- */

static uint64_t requests_of(const struct distributions *distributions, uint32_t slot)
{
    uint64_t requests = 0;

    for (unsigned worker = 0; worker < distributions->worker_count; worker++)
        requests += look(&counters_pool(distributions->counters, worker, slot)->requests);
    return requests;
}

/* What came to a server since this was last asked. */
static struct monitor_counts count_server(const struct distributions *distributions,
                                          struct watched_server *server)
{
    struct watched_server now = {0};
    struct monitor_counts counts;

    for (unsigned worker = 0; worker < distributions->worker_count; worker++) {
        struct server_row *row = counters_server(distributions->counters, worker, server->slot);

        now.seen.attempts += look(&row->requests);
        now.seen.sticky += look(&row->sticky);
        now.seen.retries += look(&row->retries);
        now.seen.errors += look(&row->failures) + look(&row->responses[CLASS_5XX]);
        for (unsigned class = 1; class < COUNTERS_CLASSES; class ++)
            now.seen.answers += look(&row->responses[class]);
        now.seen.latency_us += look(&row->latency.sum_us);
    }
    counts = (struct monitor_counts){
        .attempts = (uint32_t)(now.seen.attempts - server->seen.attempts),
        .sticky = (uint32_t)(now.seen.sticky - server->seen.sticky),
        .retries = (uint32_t)(now.seen.retries - server->seen.retries),
        .errors = (uint32_t)(now.seen.errors - server->seen.errors),
        .answers = (uint32_t)(now.seen.answers - server->seen.answers),
        .latency_us = (double)(now.seen.latency_us - server->seen.latency_us),
    };
    server->seen = now.seen;
    return counts;
}

static void count_reasons(const struct distributions *distributions, struct watched *watched,
                          uint64_t since_out[MONITOR_REASONS])
{
    for (unsigned why = 0; why < MONITOR_REASONS; why++) {
        uint64_t now = 0;

        for (unsigned worker = 0; worker < distributions->worker_count; worker++)
            now +=
                look(&counters_pool(distributions->counters, worker, watched->slot)->picked[why]);
        since_out[why] = now - watched->reasons[why];
        watched->reasons[why] = now;
    }
}

static void count_pool(const struct distributions *distributions, struct watched *watched)
{
    struct monitor_counts *counts = xcalloc(watched->server_count + 1, sizeof(*counts));
    uint64_t reasons[MONITOR_REASONS];

    _Static_assert((int)MONITOR_REASONS == (int)COUNTERS_REASONS, "one count a reason");
    for (size_t i = 0; i < watched->server_count; i++)
        counts[i] = count_server(distributions, &watched->servers[i]);
    count_reasons(distributions, watched, reasons);
    if (watched->monitor != NULL)
        monitor_count(watched->monitor, counts, reasons);
    xfree(counts);
}

/* ---- what is due ---- */

static void tell_due(struct watched *watched)
{
    double *configured = xcalloc(2 * watched->server_count + 1, sizeof(*configured));
    double *capacity = configured + watched->server_count;

    for (size_t i = 0; i < watched->server_count; i++) {
        configured[i] = watched->servers[i].due[REF_CONFIGURED];
        capacity[i] = watched->servers[i].due[REF_CAPACITY];
    }
    monitor_due(watched->monitor, configured, capacity);
    xfree(configured);
}

static uint64_t orders_of(const struct watched *watched)
{
    uint64_t orders = 0;

    for (size_t i = 0; i < watched->server_count; i++)
        orders = orders * 1099511628211u + watched->servers[i].orders;
    return orders;
}

/* Windows begin anew where somebody ordered it to be otherwise; health has no such right. */
static void look_at_due(struct distributions *distributions, struct watched *watched)
{
    uint64_t epoch = atomic_load_explicit(&watched->pool->live->epoch, memory_order_acquire);
    uint64_t orders = orders_of(watched);

    if (epoch == watched->epoch && !watched->is_ramping)
        return;
    watched_find_due(watched, distributions->now_ms);
    if (watched->monitor == NULL)
        return;
    if (orders != orders_of(watched)) {
        count_pool(distributions, watched);
        monitor_restart(watched->monitor);
    }
    tell_due(watched);
}

static void describe(struct watched *watched)
{
    const struct conf_pool *conf = watched->pool->conf;
    struct monitor_traits traits = {
        .is_sticky = conf->sticky.cookie != NULL,
        .follows_load = conf->balance != BALANCE_ROUND_ROBIN && conf->balance != BALANCE_MAGLEV,
        .is_standby = conf->intent == INTENT_ACTIVE_STANDBY,
    };

    monitor_describe(watched->monitor, &traits);
}

static void begin_monitor(struct distributions *distributions, struct watched *watched)
{
    watched->monitor = watched_silent_monitor(watched, distributions->now_ms / 1000);
    describe(watched);
    tell_due(watched);
}

/* What came since the last second; the first request makes a monitor. */
static void take_requests(struct distributions *distributions, struct watched *watched)
{
    uint64_t requests = requests_of(distributions, watched->slot);
    uint64_t since = requests - watched->requests;

    watched->requests = requests;
    if (watched->monitor == NULL && since > 0)
        begin_monitor(distributions, watched);
    if (watched->monitor != NULL)
        monitor_second(watched->monitor, since);
}

/* ---- another snapshot ---- */

/* Those that were found already have no name here any more. */
static int place_of(const struct watched_server *servers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (servers[i].name != NULL && strcmp(servers[i].name, name) == 0)
            return (int)i;
    return MONITOR_NEW;
}

static bool is_in_place(const struct watched *watched, const struct conf_pool *conf)
{
    if (watched->server_count != conf->server_count)
        return false;
    for (size_t i = 0; i < conf->server_count; i++)
        if (strcmp(watched->servers[i].name, conf->servers[i].name) != 0)
            return false;
    return true;
}

/* The servers of the new configuration, with what is known of those that stay. */
static void reshape(struct distributions *distributions, struct watched *watched,
                    const struct conf_pool *conf)
{
    struct watched_server *old = watched->servers;
    size_t old_count = watched->server_count;
    int *from = xcalloc(conf->server_count + 1, sizeof(*from));

    watched->servers = xcalloc(conf->server_count + 1, sizeof(*watched->servers));
    watched->server_count = conf->server_count;
    for (size_t i = 0; i < conf->server_count; i++) {
        struct watched_server *server = &watched->servers[i];

        from[i] = place_of(old, old_count, conf->servers[i].name);
        if (from[i] != MONITOR_NEW) {
            *server = old[from[i]];
            old[from[i]].name = NULL;
            continue;
        }
        server->name = xstrdup(conf->servers[i].name);
        server->slot =
            counters_slot(distributions->counters, SCOPE_SERVER, conf->name, server->name);
        if (!distributions->is_first)
            (void)count_server(distributions, server);
    }
    if (watched->monitor != NULL)
        monitor_shape(watched->monitor, conf->server_count, from);
    free_servers(old, old_count);
    xfree(from);
}

static void take_pool(struct distributions *distributions, struct watched *watched,
                      const struct snapshot_pool *pool, bool is_other_configuration)
{
    uint64_t now_s = distributions->now_ms / 1000;

    if (watched->name == NULL) {
        watched->name = xstrdup(pool->conf->name);
        watched->slot = pool->counter_slot;
        if (!distributions->is_first)
            watched->requests = requests_of(distributions, watched->slot);
    } else {
        watched->pool = pool;
        take_requests(distributions, watched);
    }
    watched->pool = pool;
    if (watched->monitor != NULL)
        count_pool(distributions, watched);
    if (!is_in_place(watched, pool->conf))
        reshape(distributions, watched, pool->conf);
    watched_find_due(watched, distributions->now_ms);
    if (watched->monitor == NULL) {
        uint64_t none[MONITOR_REASONS];

        if (!distributions->is_first)
            count_reasons(distributions, watched, none);
        return;
    }
    describe(watched);
    if (is_other_configuration)
        monitor_change(watched->monitor, now_s);
    else
        monitor_settle(watched->monitor, now_s);
    tell_due(watched);
}

/* Both lists are sorted by name. */
static void adopt(struct distributions *distributions, const struct snapshot *snapshot)
{
    struct distributions old = *distributions;
    bool is_other = strcmp(distributions->digest, snapshot->conf->digest) != 0;

    distributions->is_first = distributions->snapshot == NULL;
    distributions->snapshot = snapshot;
    distributions->generation = snapshot->generation;
    if (is_other) {
        distributions->changed_generation = snapshot->generation;
        distributions->changed_ms = distributions->now_ms;
        memcpy(distributions->digest, snapshot->conf->digest, sizeof(distributions->digest));
    }
    distributions->pools = xcalloc(snapshot->pool_count + 1, sizeof(*distributions->pools));
    distributions->pool_count = snapshot->pool_count;
    for (size_t i = 0; i < snapshot->pool_count; i++) {
        struct watched *known = watched_find(&old, snapshot->pools[i].conf->name);

        if (known != NULL) {
            distributions->pools[i] = *known;
            known->monitor = NULL; /* the rest is told apart by its name */
            known->servers = NULL;
            known->server_count = 0;
        }
    }
    for (size_t i = 0; i < snapshot->pool_count; i++)
        take_pool(distributions, &distributions->pools[i], &snapshot->pools[i], is_other);
    for (size_t i = 0; i < old.pool_count; i++)
        if (watched_find(distributions, old.pools[i].name) == NULL)
            free_pool(&old.pools[i]);
    xfree(old.pools);
}

/* ---- each second ---- */

static void turn_pool(struct distributions *distributions, struct watched *watched)
{
    const struct snapshot_pool *pool = watched->pool;
    struct monitor_limits *limits = xcalloc(watched->server_count + 1, sizeof(*limits));

    for (size_t i = 0; i < watched->server_count; i++) {
        limits[i].capacity_rps = pool->conf->servers[i].capacity_rps;
        limits[i].max_connections = pool->conf->servers[i].max_connections;
    }
    for (size_t i = 0; i < pool->server_count; i++)
        limits[pool->server_conf[i]].in_flight += balance_in_flight(&pool->servers[i]->live);
    count_pool(distributions, watched);
    monitor_turn(watched->monitor, distributions->now_ms / 1000, limits);
    xfree(limits);
    if (pool->conf->balance == BALANCE_ROUND_ROBIN || pool->conf->balance == BALANCE_MAGLEV)
        return;
    watched_find_due(watched, distributions->now_ms); /* it moves with load */
    tell_due(watched);
}

static void tick_pool(struct distributions *distributions, size_t at)
{
    struct watched *watched = &distributions->pools[at];

    take_requests(distributions, watched);
    look_at_due(distributions, watched);
    if (watched->monitor == NULL)
        return;
    if (publisher_candidate(distributions->publisher) != NULL)
        monitor_settle(watched->monitor, distributions->now_ms / 1000);
    /* each pool has a second of its own among the ten */
    if ((distributions->seconds + at) % MONITOR_BUCKET_S == 0)
        turn_pool(distributions, watched);
}

/* False: nothing runs yet. */
static bool take_up(struct distributions *distributions, uint64_t now_ms)
{
    const struct snapshot *snapshot = publisher_running(distributions->publisher);

    ON_CONTROL();
    CHECK_OBJ(distributions, DISTRIBUTIONS_TAG);
    if (snapshot == NULL)
        return false;
    distributions->now_ms = now_ms;
    if (snapshot != distributions->snapshot || snapshot->generation != distributions->generation)
        adopt(distributions, snapshot);
    return true;
}

bool distributions_look(struct distributions *distributions, uint64_t now_ms)
{
    if (!take_up(distributions, now_ms))
        return false;
    for (size_t i = 0; i < distributions->pool_count; i++) {
        struct watched *watched = &distributions->pools[i];

        take_requests(distributions, watched);
        look_at_due(distributions, watched);
        if (watched->monitor != NULL)
            count_pool(distributions, watched);
    }
    return true;
}

void distributions_tick(struct distributions *distributions, uint64_t now_ms)
{
    if (!take_up(distributions, now_ms))
        return;
    distributions->seconds++;
    for (size_t i = 0; i < distributions->pool_count; i++)
        tick_pool(distributions, i);
}
