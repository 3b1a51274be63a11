/*
 * pool_alerts - see pool_alerts.h.
 *
 * Owner    answers are the caller's.      Threads  control
 */
#include "watch/pool_alerts.h"

#include <stdio.h>

#include "base/arena.h"
#include "config/load.h"
#include "config/model.h"
#include "proxy/snapshot.h"
#include "watch/live.h"

enum { TEXT = 256, ARENA_BLOCK = 16 * 1024 };

/* Somebody wants it to serve. */
static bool is_wanted(const struct live_server *server)
{
    return server->admin == ADMIN_READY && server->conf->weight > 0 && server->weight_override != 0;
}

static bool is_down(const struct live_server *server)
{
    return server->health == HEALTH_DOWN || server->address_count == 0;
}

static void add(json_t *list, const char *name, const struct live_pool *live, const char *server,
                const char *summary, const char *description)
{
    json_array_append_new(list, json_pack("{s:s, s:s, s:s*, s:s, s:s}", "name", name, "pool",
                                          live->pool->conf->name, "server", server, "summary",
                                          summary, "description", description));
}

/* ---- a pool ---- */

struct tally {
    size_t wanted;  /* that should serve, backups left out */
    size_t lost;    /* of them */
    size_t healthy; /* that should serve, or stand by, and could */
};

static struct tally tally(const struct live_pool *live)
{
    struct tally tally = {0};

    for (size_t i = 0; i < live->server_count; i++) {
        const struct live_server *server = &live->servers[i];
        bool is_lost = is_down(server) || server->is_ejected;

        if (!is_wanted(server))
            continue;
        tally.healthy += !is_lost;
        tally.wanted += !server->conf->is_backup;
        tally.lost += !server->conf->is_backup && is_lost;
    }
    return tally;
}

void pool_alerts_of_pool(const struct live_pool *live, json_t *list)
{
    const char *pool = live->pool->conf->name;
    struct tally of = tally(live);
    char summary[TEXT], description[TEXT];
    const char *name = NULL;

    (void)snprintf(description, sizeof(description),
                   "%zu of %zu servers that should serve are out; %zu may be used. GET "
                   "/v1/pools/%s says why.",
                   of.lost, of.wanted, live->eligible_count, pool);
    if (live->eligible_count == 0) {
        name = "PoolDown";
        (void)snprintf(summary, sizeof(summary),
                       "pool %s: no server may be used; its requests get 503", pool);
    } else if (of.healthy == 0) {
        name = "PoolDown";
        (void)snprintf(summary, sizeof(summary),
                       "pool %s: no server is healthy; in a panic they are tried all the same",
                       pool);
    } else if (live->is_panic) {
        name = "PoolPanic";
        (void)snprintf(summary, sizeof(summary),
                       "pool %s: so few servers are healthy that all are used", pool);
    } else if (of.wanted > 1 && of.lost > 0 &&
               (of.lost * 2 >= of.wanted || of.wanted - of.lost == 1)) {
        name = "PoolDegraded";
        (void)snprintf(summary, sizeof(summary), "pool %s: %zu of %zu servers are out", pool,
                       of.lost, of.wanted);
    }
    if (name != NULL)
        add(list, name, live, NULL, summary, description);
}

/* ---- its servers ---- */

static const char *reason_of(const struct live_server *server)
{
    if (server->address_count == 0)
        return "its name has not been resolved";
    return server->addresses[0].last_check != NULL ? server->addresses[0].last_check
                                                   : "it fails its health checks";
}

void pool_alerts_of_servers(const struct live_pool *live, json_t *list)
{
    const char *pool = live->pool->conf->name;
    char summary[TEXT], description[TEXT];

    for (size_t i = 0; i < live->server_count; i++) {
        const struct live_server *server = &live->servers[i];
        const char *name = server->conf->name;

        if (!is_wanted(server))
            continue;
        (void)snprintf(description, sizeof(description),
                       "%zu of %zu servers of the pool may be used. GET /v1/pools/%s/servers/%s",
                       live->eligible_count, live->server_count, pool, name);
        if (is_down(server)) {
            (void)snprintf(summary, sizeof(summary), "pool %s: %s is down: %s", pool, name,
                           reason_of(server));
            add(list, "ServerDown", live, name, summary, description);
        } else if (server->is_ejected) {
            (void)snprintf(summary, sizeof(summary),
                           "pool %s: %s is ejected: it failed requests in a row", pool, name);
            add(list, "ServerEjected", live, name, summary, description);
        }
    }
}

/* ---- all of them ---- */

/* By index: routes lead to it. */
static bool *routed_pools(const struct configuration *conf, struct arena *arena)
{
    bool *is_routed = arena_array(arena, conf->pool_count + 1, sizeof(*is_routed));

    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_route *route = &conf->routes[i];

        if (route->action == ACTION_POOL && route->pool != CONFIG_NONE)
            is_routed[route->pool] = true;
        for (size_t j = 0; j < route->split_count; j++)
            if (route->split[j].pool != CONFIG_NONE)
                is_routed[route->split[j].pool] = true;
    }
    return is_routed;
}

json_t *pool_alerts(const struct live_source *source, const struct snapshot *snapshot)
{
    struct arena *arena = arena_new(ARENA_BLOCK);
    const bool *is_routed = routed_pools(snapshot->conf, arena);
    json_t *list = json_array(), *servers = json_array();

    for (size_t i = 0; i < snapshot->pool_count; i++) {
        const struct live_pool *live;

        if (!is_routed[i])
            continue;
        live = live_pool_read(source, &snapshot->pools[i], arena);
        pool_alerts_of_pool(live, list);
        pool_alerts_of_servers(live, servers);
    }
    json_array_extend(list, servers);
    json_decref(servers);
    arena_free(&arena);
    return list;
}
