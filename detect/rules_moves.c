/*
 * rules_moves - the X rules about where requests go afterwards.
 *
 * Owner    nobody      Threads  any
 */
#include <string.h>

#include "detect/impact.h"
#include "detect/internal.h"
#include "detect/rules.h"
#include "detect/share.h"

static const double MOVED_AWAY = 0.2;
static const double LOAD_TIMES = 2;
static const double ROUNDING = 1e-9;

/* ---- X003 ---- */

static void check_loads(struct detect_run *run, const struct conf_pool *pool,
                        const struct share_pool *before, const struct share_pool *after)
{
    for (size_t i = 0; i < after->count; i++) {
        const struct share_server *now = &after->servers[i];
        const struct share_server *was = share_find(before, now->name);

        if (was == NULL || was->share <= 0 || now->share <= LOAD_TIMES * was->share + ROUNDING ||
            now->share <= was->fair + ROUNDING)
            continue;
        detect_report(run, AT("pools", pool->name, "servers", now->name),
                      "gets %.1f %% of the requests instead of %.1f %%: %.1f times as many",
                      100 * now->share, 100 * was->share, now->share / was->share);
    }
}

/* A forecast knows the orders in force too: what is kept out by one ought to have nothing. */
static void check_moves(struct detect_run *run, const struct conf_pool *pool,
                        const struct share_pool *before, const struct share_pool *after)
{
    const struct impact *impact = run->subject->impact;
    const struct impact_pool *forecast =
        impact != NULL ? impact_find_pool(impact, pool->name) : NULL;
    double moved = forecast != NULL ? forecast->away : share_moved_away(before, after);

    if (moved > MOVED_AWAY + ROUNDING)
        detect_report(run, AT("pools", pool->name, "servers"),
                      "%.1f %% of the requests move away from the capacities (at most %.0f %%)",
                      100 * moved, 100 * MOVED_AWAY);
}

void moves_from_capacity(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        const struct conf_pool *base = detect_pool(run->base, pool->name);
        struct share_pool before;
        struct share_pool after;

        if (base == NULL)
            continue;
        share_pool_init(&before, base);
        share_pool_init(&after, pool);
        if (run->subject->impact != NULL)
            impact_take_shares(run->subject->impact, pool->name, &before, &after);
        check_moves(run, pool, &before, &after);
        check_loads(run, pool, &before, &after);
        share_pool_fini(&before);
        share_pool_fini(&after);
    }
}

/* ---- X005 ---- */

static uint64_t hits_of(const struct detect_hits *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return list[i].hits;
    return 0;
}

void removes_what_is_used(struct detect_run *run)
{
    const struct detect_traffic *traffic = run->subject->traffic;

    for (size_t i = 0; i < run->base->route_count; i++) {
        const char *name = run->base->routes[i].name;
        uint64_t hits;

        if (detect_route(run->conf, name) != NULL)
            continue;
        if (traffic == NULL) {
            detect_report_unknown(run, AT("routes", name),
                                  "is removed; unknown: whether it had requests");
            continue;
        }
        hits = hits_of(traffic->routes, traffic->route_count, name);
        if (hits > 0)
            detect_report(run, AT("routes", name), "is removed, and had %llu requests in 7 days",
                          (unsigned long long)hits);
    }
}

/* ---- X014 and X015 ---- */

static void check_override(struct detect_run *run, const struct detect_override *order,
                           const struct conf_pool *before, const struct conf_pool *after)
{
    const struct conf_server *old = before != NULL ? detect_server(before, order->server) : NULL;
    const struct conf_server *new = after != NULL ? detect_server(after, order->server) : NULL;

    if (old == NULL)
        return;
    if (new == NULL)
        detect_report(run, AT("pools", order->pool, "servers", order->server),
                      "is removed, and an order is in force for it (%s)",
                      order->state != NULL ? order->state : "weight");
    else if (old->weight != new->weight && (order->weight >= 0 || order->state != NULL))
        detect_report(run, AT("pools", order->pool, "servers", order->server, "weight"),
                      "becomes %u, and an order is in force for it (%s)", new->weight,
                      order->state != NULL ? order->state : "weight");
    else if (old->state != new->state && order->state != NULL)
        detect_report(run, AT("pools", order->pool, "servers", order->server, "state"),
                      "changes, and an order is in force for it (%s)", order->state);
}

void collides_with_override(struct detect_run *run)
{
    for (size_t i = 0; i < run->subject->override_count; i++) {
        const struct detect_override *order = &run->subject->overrides[i];

        check_override(run, order, detect_pool(run->base, order->pool),
                       detect_pool(run->conf, order->pool));
    }
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static const char *what_reshuffles(const struct conf_pool *before, const struct conf_pool *after)
{
    bool hashes = before->balance == BALANCE_MAGLEV || after->balance == BALANCE_MAGLEV;

    if (hashes && before->balance != after->balance)
        return "balance";
    if (hashes &&
        (before->hash_on != after->hash_on || !same_text(before->hash_name, after->hash_name)))
        return "hash_on";
    if (before->sticky.cookie != NULL && !same_text(before->sticky.cookie, after->sticky.cookie))
        return "sticky";
    return NULL;
}

static bool is_reached(const struct configuration *conf, const char *pool)
{
    for (size_t i = 0; i < conf->route_count; i++)
        if (detect_leads_to(&conf->routes[i], pool))
            return true;
    return false;
}

void reshuffles(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        const struct conf_pool *before = detect_pool(run->base, pool->name);
        const struct detect_pool_traffic *traffic = detect_traffic_of(run, pool->name);
        const char *what = before != NULL ? what_reshuffles(before, pool) : NULL;

        if (what == NULL || pool->server_count < 2 || (traffic != NULL && traffic->peak_rps <= 0) ||
            !is_reached(run->base, pool->name))
            continue;
        detect_report(run, AT("pools", pool->name, what),
                      "changes: most of the requests of %zu servers go to another one than before",
                      pool->server_count);
    }
}
