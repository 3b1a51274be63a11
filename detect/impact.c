/*
 * impact - see impact.h.
 *
 * Each recent request is routed on both sides (trace), comes to pools (flow), and is spread over
 * their servers (spread, trial).  This file makes of it what is told.
 *
 * Owner    the caller      Threads  any
 */
#include "detect/impact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/memory.h"
#include "config/model.h"
#include "detect/detect.h"
#include "detect/flow.h"
#include "detect/impact_hosts.h"
#include "detect/share.h"
#include "detect/spread.h"
#include "detect/trial.h"

enum { ARENA_BLOCK = 256 * 1024 };

struct making {
    const struct impact_subject *subject;
    const struct flows *flows;
    struct spread_totals totals;
    struct impact *impact;
};

/* ---- one pool ---- */

static double per_second(const struct flows *flows, double requests)
{
    return flows->traces.seconds > 0 ? requests / flows->traces.seconds : -1;
}

static struct impact_pair rate_of(const struct flows *flows, const struct flow_pool *pool)
{
    struct impact_pair rate = {-1, -1};

    if (pool->conf[FLOW_BEFORE] != NULL)
        rate.before = per_second(flows, pool->requests[FLOW_BEFORE]);
    if (pool->conf[FLOW_AFTER] != NULL && !pool->is_unknown)
        rate.after = per_second(flows, pool->requests[FLOW_AFTER]);
    return rate;
}

static struct impact_pair peak_of(const struct flow_pool *pool)
{
    struct impact_pair peak = {-1, -1};

    if (pool->conf[FLOW_BEFORE] != NULL)
        peak.before = pool->at_peak[FLOW_BEFORE];
    if (pool->conf[FLOW_AFTER] != NULL && !pool->is_unknown)
        peak.after = pool->at_peak[FLOW_AFTER];
    return peak;
}

static double times(double share, double rate)
{
    return share >= 0 && rate >= 0 ? share * rate : -1;
}

static double by_capacity(double rate, uint32_t capacity_rps)
{
    return rate >= 0 && capacity_rps > 0 ? rate / capacity_rps : -1;
}

static void fill_server(const struct impact_pool *pool, const struct spread *spread,
                        const struct conf_server *before, size_t b, const struct conf_server *after,
                        size_t a, struct impact_server *server)
{
    uint32_t was_rps = before != NULL ? before->capacity_rps : 0;

    server->name = after != NULL ? after->name : before->name;
    server->share.before = before != NULL ? spread->shares[FLOW_BEFORE][b] : -1;
    server->share.after = after != NULL ? spread->shares[FLOW_AFTER][a] : -1;
    server->requests_per_second.before =
        times(server->share.before, pool->requests_per_second.before);
    server->requests_per_second.after = times(server->share.after, pool->requests_per_second.after);
    server->capacity_rps = after != NULL ? after->capacity_rps : was_rps;
    server->utilisation.before = by_capacity(server->requests_per_second.before, was_rps);
    server->utilisation.after =
        by_capacity(server->requests_per_second.after, server->capacity_rps);
}

static void fill_servers(struct making *making, const struct flow_pool *flow,
                         const struct spread *spread, struct impact_pool *pool)
{
    const struct conf_pool *before = flow->conf[FLOW_BEFORE];
    const struct conf_pool *after = flow->conf[FLOW_AFTER];
    size_t before_count = before != NULL ? before->server_count : 0;
    size_t after_count = after != NULL ? after->server_count : 0;
    size_t b = 0;
    size_t a = 0;

    pool->servers =
        arena_array(making->impact->arena, before_count + after_count + 1, sizeof(*pool->servers));
    while (b < before_count || a < after_count) {
        int order = b == before_count  ? 1
                    : a == after_count ? -1
                                       : strcmp(before->servers[b].name, after->servers[a].name);

        fill_server(pool, spread, order <= 0 ? &before->servers[b] : NULL, b,
                    order >= 0 ? &after->servers[a] : NULL, a,
                    &pool->servers[pool->server_count++]);
        b += order <= 0;
        a += order >= 0;
    }
}

static double part(double share)
{
    return share > 0 ? share : 0;
}

/* A pool that is new takes nothing from another server; of one that goes, all goes. */
static void measure(const struct flow_pool *flow, struct impact_pool *pool)
{
    double sum = 0;
    double squares[FLOW_SIDES] = {0, 0};

    for (size_t i = 0; i < pool->server_count; i++) {
        const struct impact_pair *share = &pool->servers[i].share;

        sum += fabs(part(share->before) - part(share->after));
        squares[FLOW_BEFORE] += part(share->before) * part(share->before);
        squares[FLOW_AFTER] += part(share->after) * part(share->after);
    }
    pool->tvd = sum / 2;
    if (flow->conf[FLOW_BEFORE] == NULL)
        pool->tvd = 0;
    if (flow->conf[FLOW_AFTER] == NULL)
        pool->tvd = 1;
    pool->n_eff.before = flow->conf[FLOW_BEFORE] == NULL ? -1 : 0;
    pool->n_eff.after = flow->conf[FLOW_AFTER] == NULL ? -1 : 0;
    if (squares[FLOW_BEFORE] > 0)
        pool->n_eff.before = 1 / squares[FLOW_BEFORE];
    if (squares[FLOW_AFTER] > 0)
        pool->n_eff.after = 1 / squares[FLOW_AFTER];
}

static void open_shares(const struct making *making, const struct flow_pool *flow,
                        enum flow_side side, struct share_pool *shares)
{
    const struct impact_subject *subject = making->subject;

    share_pool_init(shares, flow->conf[side]);
    for (size_t i = 0; i < subject->override_count; i++)
        if (strcmp(subject->overrides[i].pool, flow->name) == 0)
            (void)share_override(shares, subject->overrides[i].server, subject->overrides[i].state,
                                 subject->overrides[i].weight);
    for (size_t i = 0; side == FLOW_AFTER && i < subject->ordered_count; i++)
        if (strcmp(subject->ordered[i].pool, flow->name) == 0)
            (void)share_override(shares, subject->ordered[i].server, subject->ordered[i].state,
                                 subject->ordered[i].weight);
    share_compute(shares);
}

static void measure_away(const struct making *making, const struct flow_pool *flow,
                         struct impact_pool *pool)
{
    struct share_pool before;
    struct share_pool after;

    open_shares(making, flow, FLOW_BEFORE, &before);
    open_shares(making, flow, FLOW_AFTER, &after);
    impact_take_shares(making->impact, pool->name, &before, &after);
    pool->away = share_moved_away(&before, &after);
    share_pool_fini(&before);
    share_pool_fini(&after);
}

/* One of those that serve may fail, and the rest bears what comes. */
static enum impact_n_minus_1 bears_a_failure(const struct flow_pool *flow,
                                             const struct spread *spread,
                                             const struct impact_pool *pool)
{
    const struct conf_pool *conf = flow->conf[FLOW_AFTER];
    double load = pool->peak.after >= 0 ? pool->peak.after : pool->requests_per_second.after;
    double capacity = 0;
    double largest = 0;
    size_t serving = 0;

    for (size_t i = 0; conf != NULL && i < conf->server_count; i++) {
        if (trial_weight(spread->trials[FLOW_AFTER], i) <= 0)
            continue;
        if (conf->servers[i].capacity_rps == 0)
            return N_MINUS_1_UNKNOWN;
        serving++;
        capacity += conf->servers[i].capacity_rps;
        largest = fmax(largest, conf->servers[i].capacity_rps);
    }
    if (serving == 0 || load < 0)
        return N_MINUS_1_UNKNOWN;
    return capacity - largest >= load ? N_MINUS_1_OK : N_MINUS_1_SHORT;
}

static bool has_changed(const struct flow_pool *flow, const struct impact_pool *pool)
{
    double was = pool->requests_per_second.before;
    double is = pool->requests_per_second.after;

    if (flow->conf[FLOW_BEFORE] == NULL || flow->conf[FLOW_AFTER] == NULL || flow->is_unknown ||
        fabs(was - is) > 1e-6 * fmax(was, is) || pool->tvd > 1e-9)
        return true;
    for (size_t i = 0; i < pool->server_count; i++)
        if (pool->servers[i].share.before < 0 || pool->servers[i].share.after < 0)
            return true;
    return false;
}

static void fill_pool(struct making *making, const struct flow_pool *flow, struct impact_pool *pool)
{
    struct spread spread;

    spread_init(&spread, making->flows, flow, making->subject, &making->totals);
    pool->name = flow->name;
    pool->requests_per_second = rate_of(making->flows, flow);
    pool->peak = peak_of(flow);
    pool->has_eligible_before = spread.has_eligible[FLOW_BEFORE];
    pool->has_eligible_after = spread.has_eligible[FLOW_AFTER];
    pool->is_reached = flow->is_unknown || flow->link_count[FLOW_AFTER] > 0;
    fill_servers(making, flow, &spread, pool);
    measure(flow, pool);
    pool->n_minus_1 = bears_a_failure(flow, &spread, pool);
    pool->is_changed = has_changed(flow, pool);
    spread_fini(&spread);
}

/* ---- routes that lose all ---- */

static int by_route(const void *name, const void *route)
{
    return strcmp(name, ((const struct conf_route *)route)->name);
}

static int route_named(const struct configuration *conf, const char *name)
{
    const struct conf_route *route =
        conf->route_count > 0
            ? bsearch(name, conf->routes, conf->route_count, sizeof(*conf->routes), by_route)
            : NULL;

    return route != NULL ? (int)(route - conf->routes) : TRACE_NONE;
}

static void lose(struct making *making, const char *route)
{
    making->impact->routes_losing_traffic[making->impact->routes_losing_count++] = route;
}

static void find_deleted_routes(struct making *making)
{
    const struct configuration *base = making->subject->base;

    for (size_t i = 0; i < base->route_count; i++)
        if (route_named(making->subject->target, base->routes[i].name) == TRACE_NONE)
            lose(making, base->routes[i].name);
}

static void find_losing_routes(struct making *making)
{
    const struct configuration *base = making->subject->base;
    const struct configuration *target = making->subject->target;
    bool *had = xcalloc(base->route_count + 1, sizeof(*had));
    bool *will_have = xcalloc(target->route_count + 1, sizeof(*will_have));

    for (size_t i = 0; i < making->flows->traces.count; i++) {
        const struct trace *trace = &making->flows->traces.items[i];
        int may_stay = trace->after;

        if (trace->before >= 0)
            had[trace->before] = true;
        if (trace->after == TRACE_UNKNOWN && trace->before >= 0)
            may_stay = route_named(target, base->routes[trace->before].name);
        if (may_stay >= 0)
            will_have[may_stay] = true;
    }
    for (size_t i = 0; i < base->route_count; i++) {
        int stays = route_named(target, base->routes[i].name);

        if (had[i] && (stays < 0 || !will_have[stays]))
            lose(making, base->routes[i].name);
    }
    xfree(had);
    xfree(will_have);
}

/* ---- all of it ---- */

static void count(struct making *making)
{
    const struct traces *traces = &making->flows->traces;
    double unknown = 0;

    for (size_t i = 0; i < traces->count; i++)
        if (traces->items[i].before == TRACE_UNKNOWN || traces->items[i].after == TRACE_UNKNOWN)
            unknown += traces->items[i].requests;
    making->impact->requests = (uint64_t)llround(traces->requests);
    making->impact->unknown = (uint64_t)llround(unknown);
    making->impact->seconds = (uint32_t)traces->seconds;
}

static void make(struct making *making)
{
    struct impact *impact = making->impact;
    const struct flows *flows = making->flows;

    count(making);
    impact->pools = arena_array(impact->arena, flows->pool_count, sizeof(*impact->pools));
    impact->pool_count = flows->pool_count;
    for (size_t i = 0; i < flows->pool_count; i++)
        fill_pool(making, &flows->pools[i], &impact->pools[i]);
    for (size_t i = 0; i < flows->pool_count; i++)
        measure_away(making, &flows->pools[i], &impact->pools[i]);
    impact->keys_moved_percent = making->totals.keys > 0 && !making->totals.is_key_unknown
                                     ? 100 * making->totals.keys_moved / making->totals.keys
                                     : -1;
    flow_moves(flows, making->subject, impact);
    impact->routes_losing_traffic = arena_array(impact->arena, making->subject->base->route_count,
                                                sizeof(*impact->routes_losing_traffic));
    if (flows->traces.count > 0)
        find_losing_routes(making);
    else
        find_deleted_routes(making);
    impact->hosts_dropped =
        impact_hosts_dropped(making->subject->base, making->subject->target, &flows->traces,
                             impact->arena, &impact->hosts_dropped_count);
}

struct impact *impact_of(const struct impact_subject *subject, struct error *why)
{
    struct arena *scratch = arena_new(ARENA_BLOCK);
    struct flows flows;
    struct impact *impact = NULL;

    if (flow_requests(subject, scratch, &flows, why)) {
        struct making making = {.subject = subject, .flows = &flows};
        struct arena *arena = arena_new(ARENA_BLOCK);

        impact = arena_alloc(arena, sizeof(*impact));
        impact->arena = arena;
        making.impact = impact;
        make(&making);
    }
    arena_free(&scratch);
    return impact;
}

void impact_free(struct impact **holder)
{
    struct impact *impact = TAKE_POINTER(holder);
    struct arena *arena;

    if (impact == NULL)
        return;
    arena = impact->arena;
    arena_free(&arena);
}

static int by_pool(const void *name, const void *pool)
{
    return strcmp(name, ((const struct impact_pool *)pool)->name);
}

const struct impact_pool *impact_find_pool(const struct impact *impact, const char *name)
{
    return impact->pool_count > 0
               ? bsearch(name, impact->pools, impact->pool_count, sizeof(*impact->pools), by_pool)
               : NULL;
}

static bool is_served(const struct impact_pool *pool)
{
    double before = 0;
    double after = 0;

    for (size_t i = 0; i < pool->server_count; i++) {
        before += part(pool->servers[i].share.before);
        after += part(pool->servers[i].share.after);
    }
    return before > 0 && after > 0;
}

void impact_take_shares(const struct impact *impact, const char *name, struct share_pool *before,
                        struct share_pool *after)
{
    const struct impact_pool *pool = impact_find_pool(impact, name);

    if (pool == NULL || !is_served(pool))
        return;
    for (size_t i = 0; i < pool->server_count; i++) {
        struct share_server *was = share_find(before, pool->servers[i].name);
        struct share_server *is = share_find(after, pool->servers[i].name);

        if (was != NULL)
            was->share = part(pool->servers[i].share.before);
        if (is != NULL)
            is->share = part(pool->servers[i].share.after);
    }
}
