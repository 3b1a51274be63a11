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
#include "detect/share.h"

/* NULL: no such pool. */
static const struct conf_pool *pool_named(const struct configuration *conf, const char *name)
{
    int index = config_find_pool(conf, name);

    return index != CONFIG_NONE ? &conf->pools[index] : NULL;
}

static void override_shares(struct share_pool *shares, const char *pool, const json_t *overrides)
{
    json_t *order;
    size_t i;

    json_array_foreach(overrides, i, order)
    {
        const json_t *weight = json_object_get(order, "weight");

        if (strcmp(json_string_value(json_object_get(order, "pool")), pool) == 0)
            (void)share_override(shares, json_string_value(json_object_get(order, "server")),
                                 json_string_value(json_object_get(order, "state")),
                                 json_is_integer(weight) ? json_integer_value(weight) : -1);
    }
    share_compute(shares);
}

static json_t *rounded(double value)
{
    return json_real(round(value * 10000) / 10000);
}

static json_t *share_json(const struct share_server *server)
{
    return server != NULL ? rounded(server->share) : json_null();
}

/* One of both may be NULL: it is not there. */
static json_t *server_row(const struct share_server *before, const struct share_server *after)
{
    const struct share_server *server = after != NULL ? after : before;

    return json_pack("{s:s, s:{s:o, s:o}, s:{s:n, s:n}, s:o, s:{s:n, s:n}}", "name", server->name,
                     "share", "before", share_json(before), "after", share_json(after),
                     "requests_per_second", "before", "after", "capacity_rps",
                     server->capacity_rps != 0 ? json_integer(server->capacity_rps) : json_null(),
                     "utilisation", "before", "after");
}

static json_t *server_rows(const struct share_pool *before, const struct share_pool *after)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < after->count; i++)
        json_array_append_new(
            rows, server_row(share_find(before, after->servers[i].name), &after->servers[i]));
    for (size_t i = 0; i < before->count; i++)
        if (share_find(after, before->servers[i].name) == NULL)
            json_array_append_new(rows, server_row(&before->servers[i], NULL));
    return rows;
}

static double squares(const struct share_pool *shares)
{
    double sum = 0;

    for (size_t i = 0; i < shares->count; i++)
        sum += shares->servers[i].share * shares->servers[i].share;
    return sum;
}

static json_t *n_eff(const struct share_pool *shares)
{
    double sum = squares(shares);

    return sum > 0 ? rounded(1 / sum) : json_integer(0);
}

/* NULL where nothing of the pool's shares changes. */
static json_t *pool_row(const struct conf_pool *before, const struct conf_pool *after,
                        const json_t *overrides)
{
    const char *name = after != NULL ? after->name : before->name;
    struct share_pool was, is;
    json_t *row = NULL;
    double moved;

    share_pool_init(&was, before);
    share_pool_init(&is, after);
    override_shares(&is, name, overrides);
    moved = share_distance(&was, &is);
    if (moved > 0 || before == NULL || after == NULL || was.count != is.count)
        row = json_pack("{s:s, s:{s:n, s:n}, s:o, s:{s:o, s:o}, s:s, s:o}", "pool", name,
                        "requests_per_second", "before", "after", "tvd", rounded(moved), "n_eff",
                        "before", n_eff(&was), "after", n_eff(&is), "n_minus_1", "unknown",
                        "servers", server_rows(&was, &is));
    share_pool_fini(&was);
    share_pool_fini(&is);
    return row;
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
