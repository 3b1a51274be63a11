/*
 * watched - see watched.h: what is due to servers now.
 *
 *   configured   effective weights, as workers have them, with the ceiling; where the method
 *                follows load, weight over service time as far as there is load
 *   capacity     declared capacities, or equal parts, of those that should be in service: no
 *                backups, nobody that was ordered to drain; slow start counts
 *
 * Owner    struct distributions.      Threads  control
 */
#include "watch/watched.h"

#include <stdatomic.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/model.h"
#include "proxy/balance/balance.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/server.h"

static uint32_t word(const _Atomic uint32_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

struct watched *watched_find(const struct distributions *distributions, const char *name)
{
    size_t from = 0, to = distributions->pool_count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = strcmp(distributions->pools[middle].name, name);

        if (order == 0)
            return &distributions->pools[middle];
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static void divide(struct watched *watched, enum distribution_ref ref)
{
    double sum = 0;

    for (size_t i = 0; i < watched->server_count; i++)
        sum += watched->servers[i].due[ref];
    for (size_t i = 0; i < watched->server_count && sum > 0; i++)
        watched->servers[i].due[ref] /= sum;
}

/* ---- configured ---- */

/* max_share_percent: what one must not get the others do, as far as they may. */
static void keep_below_ceiling(struct watched *watched, double ceiling)
{
    for (size_t rounds = 0; rounds < watched->server_count; rounds++) {
        double over = 0, below = 0;

        for (size_t i = 0; i < watched->server_count; i++) {
            double *due = &watched->servers[i].due[REF_CONFIGURED];

            if (*due > ceiling) {
                over += *due - ceiling;
                *due = ceiling;
            } else if (*due < ceiling) {
                below += *due;
            }
        }
        if (over <= 1e-9 || below <= 0)
            break;
        for (size_t i = 0; i < watched->server_count; i++) {
            double *due = &watched->servers[i].due[REF_CONFIGURED];

            if (*due < ceiling)
                *due += over * *due / below;
        }
    }
    divide(watched, REF_CONFIGURED);
}

static bool follows_load(const struct conf_pool *conf)
{
    return conf->balance != BALANCE_ROUND_ROBIN && conf->balance != BALANCE_MAGLEV;
}

/* Without load such a method goes by weight alone; with one request under way at each server and
 * more, equal numbers of them under way make shares of weight over service time. */
static void follow_load(struct watched *watched)
{
    double sum = 0, under_way = 0, serving = 0, part;

    for (size_t i = 0; i < watched->server_count; i++) {
        struct watched_server *server = &watched->servers[i];
        double latency_us = monitor_latency_us(watched->monitor, i);

        if (server->due[REF_CONFIGURED] <= 0)
            continue;
        if (latency_us <= 0)
            return; /* not known of all: by weight */
        serving++;
        sum += server->due[REF_CONFIGURED] / latency_us;
        under_way += monitor_rate(watched->monitor, i) * latency_us / 1e6;
    }
    part = serving > 0 && under_way < serving ? under_way / serving : 1;
    for (size_t i = 0; i < watched->server_count && sum > 0; i++) {
        double *due = &watched->servers[i].due[REF_CONFIGURED];

        if (*due > 0)
            *due = (1 - part) * *due + part * *due / monitor_latency_us(watched->monitor, i) / sum;
    }
}

static void find_configured(struct watched *watched, struct balance_view *view, uint64_t now_ms)
{
    const struct snapshot_pool *pool = watched->pool;

    for (size_t i = 0; i < watched->server_count; i++)
        watched->servers[i].due[REF_CONFIGURED] = 0;
    for (size_t i = 0; i < pool->server_count; i++)
        watched->servers[pool->server_conf[i]].due[REF_CONFIGURED] +=
            balance_effective_weight(view, (uint32_t)i, now_ms);
    divide(watched, REF_CONFIGURED);
    if (follows_load(pool->conf) && watched->monitor != NULL)
        follow_load(watched);
    if (pool->conf->max_share_percent > 0 && pool->conf->max_share_percent < 100)
        keep_below_ceiling(watched, pool->conf->max_share_percent / 100.0);
}

/* ---- capacity ---- */

/* The part of its capacity that one in service is to use: all of it but in a slow start; 0: it is
 * not to serve. */
static double readiness(const struct watched *watched, size_t at, uint64_t now_ms)
{
    const struct snapshot_pool *pool = watched->pool;
    const struct conf_server *conf = &pool->conf->servers[at];
    uint32_t admin = (uint32_t)conf->state;
    uint32_t percent = 100;

    for (size_t i = 0; i < pool->server_count; i++)
        if (pool->server_conf[i] == at) {
            const struct balance_live *live = &pool->servers[i]->live;

            admin = word(&live->admin);
            percent = balance_ramp_percent(live, pool->balance.slow_start_ms, now_ms);
        }
    return conf->is_backup || admin != ADMIN_READY ? 0 : percent / 100.0;
}

static void find_capacity(struct watched *watched, uint64_t now_ms)
{
    const struct conf_pool *conf = watched->pool->conf;
    bool is_declared = true;

    for (size_t i = 0; i < watched->server_count; i++) {
        watched->servers[i].due[REF_CAPACITY] = readiness(watched, i, now_ms);
        if (watched->servers[i].due[REF_CAPACITY] > 0)
            is_declared = is_declared && conf->servers[i].capacity_rps > 0;
    }
    for (size_t i = 0; i < watched->server_count && is_declared; i++)
        watched->servers[i].due[REF_CAPACITY] *= conf->servers[i].capacity_rps;
    divide(watched, REF_CAPACITY);
}

/* One serves and the others stand by: all of it is the one's that weighs most. */
static void find_standby(struct watched *watched)
{
    size_t most = 0;

    for (size_t i = 0; i < watched->server_count; i++) {
        watched->servers[i].due[REF_CAPACITY] = 0;
        if (watched->servers[i].due[REF_CONFIGURED] > watched->servers[most].due[REF_CONFIGURED])
            most = i;
    }
    if (watched->server_count > 0)
        watched->servers[most].due[REF_CAPACITY] = 1;
}

/* ---- both ---- */

static void find_orders(struct watched *watched)
{
    const struct snapshot_pool *pool = watched->pool;

    for (size_t i = 0; i < pool->server_count; i++) {
        const struct balance_live *live = &pool->servers[i]->live;

        watched->servers[pool->server_conf[i]].orders =
            word(&live->admin) << 30 ^ word(&live->weight_override);
    }
}

static bool is_ramping(const struct snapshot_pool *pool, uint64_t now_ms)
{
    for (size_t i = 0; i < pool->server_count; i++)
        if (balance_ramp_percent(&pool->servers[i]->live, pool->balance.slow_start_ms, now_ms) <
            100)
            return true;
    return false;
}

void watched_find_due(struct watched *watched, uint64_t now_ms)
{
    struct balance_view *view = balance_view_new(&watched->pool->balance, NULL, 1);

    watched->epoch = atomic_load_explicit(&watched->pool->live->epoch, memory_order_acquire);
    find_configured(watched, view, now_ms);
    if (watched->pool->conf->intent == INTENT_ACTIVE_STANDBY)
        find_standby(watched);
    else
        find_capacity(watched, now_ms);
    find_orders(watched);
    watched->is_ramping = is_ramping(watched->pool, now_ms);
    balance_view_free(&view);
}

double *watched_capacity_of(const struct snapshot_pool *pool, uint64_t now_ms)
{
    size_t count = pool->conf->server_count;
    struct watched watched = {.pool = pool,
                              .servers = xcalloc(count + 1, sizeof(struct watched_server)),
                              .server_count = count};
    double *due = xcalloc(count + 1, sizeof(*due));

    watched_find_due(&watched, now_ms);
    for (size_t i = 0; i < count; i++)
        due[i] = watched.servers[i].due[REF_CAPACITY];
    xfree(watched.servers);
    return due;
}

struct monitor *watched_silent_monitor(const struct watched *watched, uint64_t now_s)
{
    struct monitor *monitor = monitor_new(now_s);
    int *from = xcalloc(watched->server_count + 1, sizeof(*from));

    for (size_t i = 0; i < watched->server_count; i++)
        from[i] = MONITOR_NEW;
    monitor_shape(monitor, watched->server_count, from);
    xfree(from);
    return monitor;
}
