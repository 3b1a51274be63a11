/*
 * impact - a forecast as the API tells it: what a change would do to traffic.
 *
 * What is not known is null.  Pools that change are told, the worst first: those with a server
 * nearest to its capacity or beyond, then those of which the most requests go to another server.
 *
 * Owner    results are the caller's      Threads  any
 */
#include "detect/impact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "change/candidate.h"
#include "change/change.h"
#include "change/forecast.h"

static const double mostly_used = 0.8;

static json_t *rounded(double value, double scale)
{
    return value < 0 ? json_null() : json_real(round(value * scale) / scale);
}

static json_t *pair(const struct impact_pair *numbers, double scale)
{
    return json_pack("{s:o, s:o}", "before", rounded(numbers->before, scale), "after",
                     rounded(numbers->after, scale));
}

static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

static json_t *server_row(const struct impact_server *server)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", server->name, "share",
                     pair(&server->share, 1e4), "requests_per_second",
                     pair(&server->requests_per_second, 1e3), "capacity_rps",
                     server->capacity_rps != 0 ? json_integer(server->capacity_rps) : json_null(),
                     "utilisation", pair(&server->utilisation, 1e4));
}

static json_t *pool_row(const struct impact_pool *pool)
{
    static const char *const words[] = {
        [N_MINUS_1_UNKNOWN] = "unknown", [N_MINUS_1_OK] = "ok", [N_MINUS_1_SHORT] = "short"};
    json_t *servers = json_array();

    for (size_t i = 0; i < pool->server_count; i++)
        json_array_append_new(servers, server_row(&pool->servers[i]));
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:o}", "pool", pool->name,
                     "requests_per_second", pair(&pool->requests_per_second, 1e3),
                     "peak_requests_per_second", pair(&pool->peak, 1e3), "tvd",
                     rounded(pool->tvd, 1e4), "n_eff", pair(&pool->n_eff, 1e4), "n_minus_1",
                     words[pool->n_minus_1], "servers", servers);
}

/* ---- the worst first ---- */

/* How far beyond 80 % of its capacity some server would be used. */
static double excess(const struct impact_pool *pool)
{
    double most = 0;

    for (size_t i = 0; i < pool->server_count; i++)
        most = fmax(most, pool->servers[i].utilisation.after);
    return fmax(0, most - mostly_used);
}

static int compare_pools(const void *a, const void *b)
{
    const struct impact_pool *x = *(const struct impact_pool *const *)a;
    const struct impact_pool *y = *(const struct impact_pool *const *)b;
    double first = excess(x) - excess(y);
    double second = x->tvd - y->tvd;

    if (first != 0)
        return first > 0 ? -1 : 1;
    if (second != 0)
        return second > 0 ? -1 : 1;
    return strcmp(x->name, y->name);
}

static json_t *pool_rows(const struct impact *impact)
{
    const struct impact_pool **changed = xcalloc(impact->pool_count + 1, sizeof(*changed));
    json_t *rows = json_array();
    size_t count = 0;

    for (size_t i = 0; i < impact->pool_count; i++)
        if (impact->pools[i].is_changed)
            changed[count++] = &impact->pools[i];
    qsort(changed, count, sizeof(*changed), compare_pools);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(rows, pool_row(changed[i]));
    xfree(changed);
    return rows;
}

/* ---- the rest ---- */

static json_t *move_rows(const struct impact *impact)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < impact->move_count; i++) {
        const struct impact_move *move = &impact->moves[i];

        json_array_append_new(
            rows, json_pack("{s:{s:o, s:o}, s:{s:o, s:o}, s:o, s:s}", "from", "route",
                            text_or_null(move->from_route), "pool", text_or_null(move->from_pool),
                            "to", "route", text_or_null(move->to_route), "pool",
                            text_or_null(move->to_pool), "requests_per_second",
                            rounded(move->requests_per_second, 1e3), "example", move->example));
    }
    return rows;
}

static json_t *texts(const char *const *items, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(items[i]));
    return list;
}

static json_t *traffic(const struct impact *impact)
{
    if (impact->seconds == 0)
        return json_pack("{s:n, s:n, s:n}", "requests", "seconds", "unknown");
    return json_pack("{s:I, s:I, s:I}", "requests", (json_int_t)impact->requests, "seconds",
                     (json_int_t)impact->seconds, "unknown", (json_int_t)impact->unknown);
}

json_t *forecast_json(const struct impact *impact)
{
    static const struct impact nothing = {.keys_moved_percent = -1};

    if (impact == NULL)
        impact = &nothing;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "traffic", traffic(impact), "pools",
                     pool_rows(impact), "moves", move_rows(impact), "routes_losing_traffic",
                     texts(impact->routes_losing_traffic, impact->routes_losing_count),
                     "hosts_dropped", texts(impact->hosts_dropped, impact->hosts_dropped_count),
                     "keys_moved_percent", rounded(impact->keys_moved_percent, 100));
}

json_t *candidate_impact(const struct candidate *candidate, const struct change *change)
{
    json_t *told = forecast_json(candidate->impact);

    json_object_set_new(told, "change", json_string(change->id));
    json_object_set_new(told, "class", json_integer((json_int_t)candidate->verdict.class));
    json_object_set_new(told, "reasons",
                        candidate->verdict.reasons != NULL
                            ? json_deep_copy(candidate->verdict.reasons)
                            : json_array());
    return told;
}
