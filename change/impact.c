/*
 * impact - what a change would do to the shares of servers, as far as weights tell it.
 *
 * What needs traffic to be known is null, and the policy takes it as the worst case.
 *
 * Owner    results are the caller's      Threads  any
 */
#include "change/candidate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "change/change.h"
#include "config/load.h"
#include "config/model.h"

struct share_of {
    double share;
    bool is_there;
};

/* NULL: no such pool. */
static const struct conf_pool *pool_named(const struct configuration *conf, const char *name)
{
    int index = config_find_pool(conf, name);

    return index != CONFIG_NONE ? &conf->pools[index] : NULL;
}

static const json_t *order_for(const json_t *overrides, const char *pool, const char *server)
{
    json_t *order;
    size_t i;

    json_array_foreach(overrides, i, order)
    {
        if (strcmp(json_string_value(json_object_get(order, "pool")), pool) == 0 &&
            strcmp(json_string_value(json_object_get(order, "server")), server) == 0)
            return order;
    }
    return NULL;
}

static double weight_of(const struct conf_pool *pool, const struct conf_server *server,
                        const json_t *overrides)
{
    const json_t *order = order_for(overrides, pool->name, server->name);
    const char *state = json_string_value(json_object_get(order, "state"));
    const json_t *weight = json_object_get(order, "weight");
    bool is_ready = state != NULL ? strcmp(state, "ready") == 0 : server->state == SERVER_READY;

    if (!is_ready || server->is_backup)
        return 0;
    return weight != NULL ? (double)json_integer_value(weight) : (double)server->weight;
}

static struct share_of share_of(const struct conf_pool *pool, const char *name,
                                const json_t *overrides)
{
    struct share_of found = {0};
    double sum = 0;

    for (size_t i = 0; pool != NULL && i < pool->server_count; i++) {
        double weight = weight_of(pool, &pool->servers[i], overrides);

        sum += weight;
        if (strcmp(pool->servers[i].name, name) == 0) {
            found.share = weight;
            found.is_there = true;
        }
    }
    if (sum > 0)
        found.share /= sum;
    return found;
}

static json_t *rounded(double value)
{
    return json_real(round(value * 10000) / 10000);
}

static json_t *share_json(struct share_of share)
{
    return share.is_there ? rounded(share.share) : json_null();
}

static json_t *server_row(const struct conf_server *server, struct share_of before,
                          struct share_of after)
{
    return json_pack("{s:s, s:{s:o, s:o}, s:{s:n, s:n}, s:o, s:{s:n, s:n}}", "name", server->name,
                     "share", "before", share_json(before), "after", share_json(after),
                     "requests_per_second", "before", "after", "capacity_rps",
                     server->capacity_rps != 0 ? json_integer(server->capacity_rps) : json_null(),
                     "utilisation", "before", "after");
}

struct sums {
    double moved;
    double square_before;
    double square_after;
};

static void add_server(json_t *rows, struct sums *sums, const struct conf_pool *before,
                       const struct conf_pool *after, const struct conf_server *server,
                       const json_t *overrides)
{
    struct share_of was = share_of(before, server->name, NULL);
    struct share_of is = share_of(after, server->name, overrides);

    sums->moved += fabs(was.share - is.share);
    sums->square_before += was.share * was.share;
    sums->square_after += is.share * is.share;
    json_array_append_new(rows, server_row(server, was, is));
}

static bool has_server(const struct conf_pool *pool, const char *name)
{
    return share_of(pool, name, NULL).is_there;
}

static json_t *n_eff(double squares)
{
    return squares > 0 ? rounded(1 / squares) : json_integer(0);
}

/* NULL where nothing of the pool's shares changes. */
static json_t *pool_row(const struct conf_pool *before, const struct conf_pool *after,
                        const json_t *overrides)
{
    json_t *rows = json_array();
    struct sums sums = {0};

    for (size_t i = 0; after != NULL && i < after->server_count; i++)
        add_server(rows, &sums, before, after, &after->servers[i], overrides);
    for (size_t i = 0; before != NULL && i < before->server_count; i++) {
        if (after == NULL || !has_server(after, before->servers[i].name))
            add_server(rows, &sums, before, after, &before->servers[i], overrides);
    }
    if (sums.moved == 0 && before != NULL && after != NULL &&
        before->server_count == after->server_count) {
        json_decref(rows);
        return NULL;
    }
    return json_pack("{s:s, s:{s:n, s:n}, s:o, s:{s:o, s:o}, s:s, s:o}", "pool",
                     after != NULL ? after->name : before->name, "requests_per_second", "before",
                     "after", "tvd", rounded(sums.moved / 2), "n_eff", "before",
                     n_eff(sums.square_before), "after", n_eff(sums.square_after), "n_minus_1",
                     "unknown", "servers", rows);
}

static json_t *pool_rows(const struct candidate *candidate, const json_t *overrides)
{
    const struct configuration *base = candidate->base;
    const struct configuration *target = candidate->target;
    json_t *rows = json_array();

    for (size_t i = 0; i < target->pool_count; i++) {
        json_t *row =
            pool_row(pool_named(base, target->pools[i].name), &target->pools[i], overrides);

        if (row != NULL)
            json_array_append_new(rows, row);
    }
    for (size_t i = 0; i < base->pool_count; i++) {
        if (config_find_pool(target, base->pools[i].name) == CONFIG_NONE)
            json_array_append_new(rows, pool_row(&base->pools[i], NULL, NULL));
    }
    return rows;
}

static bool has_host(const struct configuration *conf, const char *host)
{
    for (size_t i = 0; i < conf->route_count; i++) {
        for (size_t n = 0; n < conf->routes[i].hosts.count; n++) {
            if (strcmp(conf->routes[i].hosts.items[n], host) == 0)
                return true;
        }
    }
    return false;
}

static bool has_text(const json_t *list, const char *text)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(item), text) == 0)
            return true;
    }
    return false;
}

static json_t *hosts_dropped(const struct candidate *candidate)
{
    json_t *dropped = json_array();

    for (size_t i = 0; i < candidate->base->route_count; i++) {
        const struct conf_strings *hosts = &candidate->base->routes[i].hosts;

        for (size_t n = 0; n < hosts->count; n++) {
            if (!has_host(candidate->target, hosts->items[n]) &&
                !has_text(dropped, hosts->items[n]))
                json_array_append_new(dropped, json_string(hosts->items[n]));
        }
    }
    return dropped;
}

static json_t *routes_gone(const struct candidate *candidate)
{
    json_t *gone = json_array();

    for (size_t i = 0; i < candidate->base->route_count; i++) {
        const char *name = candidate->base->routes[i].name;
        bool is_there = false;

        for (size_t n = 0; n < candidate->target->route_count && !is_there; n++)
            is_there = strcmp(candidate->target->routes[n].name, name) == 0;
        if (!is_there)
            json_array_append_new(gone, json_string(name));
    }
    return gone;
}

json_t *candidate_impact(const struct candidate *candidate, const struct change *change)
{
    bool is_built = candidate->target != NULL;

    return json_pack("{s:s, s:I, s:o, s:{s:n, s:n}, s:o, s:o, s:o, s:n}", "change", change->id,
                     "class", (json_int_t)candidate->verdict.class, "reasons",
                     candidate->verdict.reasons != NULL ? json_deep_copy(candidate->verdict.reasons)
                                                        : json_array(),
                     "traffic", "requests", "seconds", "pools",
                     is_built ? pool_rows(candidate, change->overrides) : json_array(),
                     "routes_losing_traffic", is_built ? routes_gone(candidate) : json_array(),
                     "hosts_dropped", is_built ? hosts_dropped(candidate) : json_array(),
                     "keys_moved_percent");
}
