/*
 * flow - see flow.h.
 *
 * Owner    the caller's arena      Threads  any
 */
#include "detect/flow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "config/model.h"
#include "detect/impact.h"
#include "observe/sample.h"

struct flowing {
    const struct configuration *conf[FLOW_SIDES];
    struct flows *flows;
    uint32_t *pool_of[FLOW_SIDES]; /* the pool of both sides, by its index in one */
    size_t room[FLOW_SIDES];
};

/* ---- the pools of both sides ---- */

static void add_pool(struct flowing *flowing, enum flow_side side, size_t index, uint32_t at)
{
    const struct conf_pool *conf = &flowing->conf[side]->pools[index];

    flowing->flows->pools[at].name = conf->name;
    flowing->flows->pools[at].conf[side] = conf;
    flowing->pool_of[side][index] = at;
}

static void join_pools(struct flowing *flowing)
{
    const struct configuration *base = flowing->conf[FLOW_BEFORE];
    const struct configuration *target = flowing->conf[FLOW_AFTER];
    struct flows *flows = flowing->flows;
    size_t b = 0;
    size_t t = 0;

    flows->pools =
        arena_array(flows->arena, base->pool_count + target->pool_count + 1, sizeof(*flows->pools));
    for (size_t side = 0; side < FLOW_SIDES; side++)
        flowing->pool_of[side] = arena_array(flows->arena, flowing->conf[side]->pool_count + 1,
                                             sizeof(**flowing->pool_of));
    while (b < base->pool_count || t < target->pool_count) {
        uint32_t at = (uint32_t)flows->pool_count++;
        int order = b == base->pool_count     ? 1
                    : t == target->pool_count ? -1
                                              : strcmp(base->pools[b].name, target->pools[t].name);

        if (order <= 0)
            add_pool(flowing, FLOW_BEFORE, b++, at);
        if (order >= 0)
            add_pool(flowing, FLOW_AFTER, t++, at);
    }
}

/* ---- links ---- */

static void add_link(struct flowing *flowing, enum flow_side side, size_t trace, int pool,
                     double requests)
{
    struct flows *flows = flowing->flows;
    struct flow_link link = {(uint32_t)trace, flowing->pool_of[side][pool], requests};

    if (flows->link_count[side] == flowing->room[side]) {
        size_t room = 2 * flowing->room[side] + 64;
        struct flow_link *links = arena_array(flows->arena, room, sizeof(*links));

        if (flows->link_count[side] > 0)
            memcpy(links, flows->links[side], flows->link_count[side] * sizeof(*links));
        flows->links[side] = links;
        flowing->room[side] = room;
    }
    flows->links[side][flows->link_count[side]++] = link;
    flows->pools[link.pool].requests[side] += requests;
    flows->pools[link.pool].link_count[side]++;
}

/* It took this route and came to no pool: refused by an access list or a rate limit, most likely,
 * and it will be again. */
static bool is_turned_away(const struct trace *trace, const struct conf_route *route)
{
    return trace->single != NULL && trace->single->pool == NULL && trace->single->route != NULL &&
           strcmp(trace->single->route, route->name) == 0;
}

static void follow_route(struct flowing *flowing, enum flow_side side, size_t index,
                         int route_index)
{
    const struct trace *trace = &flowing->flows->traces.items[index];
    const struct conf_route *route;
    double sum = 0;

    if (route_index < 0)
        return;
    route = &flowing->conf[side]->routes[route_index];
    if (is_turned_away(trace, route))
        return;
    if (route->action == ACTION_POOL)
        add_link(flowing, side, index, route->pool, trace->requests);
    if (route->action != ACTION_SPLIT)
        return;
    for (size_t i = 0; i < route->split_count; i++)
        sum += route->split[i].weight;
    for (size_t i = 0; i < route->split_count && sum > 0; i++)
        if (route->split[i].weight > 0)
            add_link(flowing, side, index, route->split[i].pool,
                     trace->requests * route->split[i].weight / sum);
}

static void add_links(struct flowing *flowing)
{
    const struct traces *traces = &flowing->flows->traces;

    for (size_t i = 0; i < traces->count; i++) {
        follow_route(flowing, FLOW_BEFORE, i, traces->items[i].before);
        follow_route(flowing, FLOW_AFTER, i, traces->items[i].after);
    }
}

/* Each pool's, in the order of traces. */
static void sort_links(struct flows *flows, enum flow_side side)
{
    for (size_t i = 0; i < flows->pool_count; i++) {
        struct flow_pool *pool = &flows->pools[i];

        pool->links[side] =
            arena_array(flows->arena, pool->link_count[side] + 1, sizeof(**pool->links));
        pool->link_count[side] = 0;
    }
    for (size_t i = 0; i < flows->link_count[side]; i++) {
        struct flow_pool *pool = &flows->pools[flows->links[side][i].pool];

        pool->links[side][pool->link_count[side]++] = (uint32_t)i;
    }
}

static bool is_shifted(const struct flows *flows, const struct flow_pool *pool)
{
    if (pool->link_count[FLOW_BEFORE] != pool->link_count[FLOW_AFTER])
        return true;
    for (size_t i = 0; i < pool->link_count[FLOW_BEFORE]; i++) {
        const struct flow_link *a = &flows->links[FLOW_BEFORE][pool->links[FLOW_BEFORE][i]];
        const struct flow_link *b = &flows->links[FLOW_AFTER][pool->links[FLOW_AFTER][i]];

        if (a->trace != b->trace || fabs(a->requests - b->requests) > 1e-9 * a->requests)
            return true;
    }
    return false;
}

/* ---- what is not known ---- */

static void mark_route(struct flowing *flowing, enum flow_side side, const struct conf_route *route)
{
    struct flow_pool *pools = flowing->flows->pools;

    if (route->action == ACTION_POOL)
        pools[flowing->pool_of[side][route->pool]].is_unknown = true;
    for (size_t i = 0; route->action == ACTION_SPLIT && i < route->split_count; i++)
        pools[flowing->pool_of[side][route->split[i].pool]].is_unknown = true;
}

/* A request whose route is not known may go where it went, or to any route that asks for headers,
 * or behind them: to any that was not ruled out, then. */
static void mark_unknown(struct flowing *flowing)
{
    const struct traces *traces = &flowing->flows->traces;
    const struct configuration *target = flowing->conf[FLOW_AFTER];
    bool any = false;

    for (size_t i = 0; i < traces->count; i++) {
        if (traces->items[i].after != TRACE_UNKNOWN)
            continue;
        any = true;
        if (traces->items[i].before >= 0)
            mark_route(flowing, FLOW_BEFORE,
                       &flowing->conf[FLOW_BEFORE]->routes[traces->items[i].before]);
    }
    for (size_t i = 0; any && i < target->route_count; i++)
        if (target->routes[i].header_count > 0)
            mark_route(flowing, FLOW_AFTER, &target->routes[i]);
}

/* ---- at the peak ---- */

static int by_pool(const void *name, const void *peak)
{
    return strcmp(name, ((const struct impact_peak *)peak)->pool);
}

/* How much more comes at the pool's peak than in the time of the sample; at least 1. */
static double peak_factor(const struct impact_subject *subject, const struct flow_pool *pool,
                          double seconds)
{
    const struct impact_peak *peak = subject->peak_count > 0
                                         ? bsearch(pool->name, subject->peaks, subject->peak_count,
                                                   sizeof(*subject->peaks), by_pool)
                                         : NULL;
    double rate = seconds > 0 ? pool->requests[FLOW_BEFORE] / seconds : 0;

    return peak != NULL && rate > 0 && peak->requests_per_second > rate
               ? peak->requests_per_second / rate
               : 1;
}

/* What comes from a pool comes as often as that pool's requests do at its peak. */
static void find_peaks(struct flows *flows, const struct impact_subject *subject)
{
    double *factors = arena_array(flows->arena, flows->pool_count + 1, sizeof(*factors));
    double *of = arena_array(flows->arena, flows->traces.count + 1, sizeof(*of));
    double seconds = flows->traces.seconds;

    for (size_t i = 0; i < flows->pool_count; i++)
        factors[i] = peak_factor(subject, &flows->pools[i], seconds);
    for (size_t i = 0; i < flows->link_count[FLOW_BEFORE]; i++) {
        const struct flow_link *link = &flows->links[FLOW_BEFORE][i];

        of[link->trace] = fmax(of[link->trace], factors[link->pool]);
    }
    for (size_t side = 0; side < FLOW_SIDES; side++)
        for (size_t i = 0; i < flows->link_count[side]; i++) {
            const struct flow_link *link = &flows->links[side][i];
            double factor = side == FLOW_BEFORE ? factors[link->pool] : fmax(1, of[link->trace]);

            flows->pools[link->pool].at_peak[side] += link->requests * factor;
        }
}

/* A pool that gets what it got has its peak, though no request of it was looked at. */
static void keep_peaks(struct flows *flows, const struct impact_subject *subject)
{
    double seconds = flows->traces.seconds;

    for (size_t i = 0; i < flows->pool_count; i++) {
        struct flow_pool *pool = &flows->pools[i];
        const struct impact_peak *peak =
            subject->peak_count > 0 ? bsearch(pool->name, subject->peaks, subject->peak_count,
                                              sizeof(*subject->peaks), by_pool)
                                    : NULL;

        for (size_t side = 0; side < FLOW_SIDES; side++) {
            double seen = seconds > 0 ? pool->at_peak[side] / seconds : 0;
            bool is_as_it_was = side == FLOW_BEFORE || !pool->is_shifted;

            pool->at_peak[side] = seen > 0 || (seconds > 0 && !is_as_it_was) ? seen : -1;
            if (peak != NULL && is_as_it_was)
                pool->at_peak[side] = fmax(peak->requests_per_second, seen);
        }
    }
}

bool flow_requests(const struct impact_subject *subject, struct arena *arena, struct flows *flows,
                   struct error *why)
{
    struct flowing flowing = {.conf = {subject->base, subject->target}, .flows = flows};

    *flows = (struct flows){.arena = arena};
    if (!trace_requests(subject->base, subject->target, subject->sample, arena, &flows->traces,
                        why))
        return false;
    join_pools(&flowing);
    add_links(&flowing);
    sort_links(flows, FLOW_BEFORE);
    sort_links(flows, FLOW_AFTER);
    mark_unknown(&flowing);
    for (size_t i = 0; i < flows->pool_count; i++)
        flows->pools[i].is_shifted = is_shifted(flows, &flows->pools[i]);
    find_peaks(flows, subject);
    keep_peaks(flows, subject);
    return true;
}
