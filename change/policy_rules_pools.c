/*
 * policy_rules_pools - the rules of policy_rules.def about pools: which servers go and come, and
 * who gets how much of the traffic afterwards.
 *
 * A pool is looked at as it is configured, with what is overridden now and by the change, and with
 * the shares of the forecast where there is one.
 *
 * Owner    nobody: pure      Threads  any
 */
#include "change/policy_rules.h"

#include <string.h>

#include "base/buffer.h"
#include "change/policy.h"
#include "config/load.h"
#include "config/model.h"
#include "detect/impact.h"
#include "detect/share.h"

/* Distances are sums of fractions: a hair above the limit is the limit. */
static const double hair = 1e-9;

/* ---- one pool, before and after ---- */

struct pool_change {
    const char *name;
    const struct conf_pool *conf_before;
    const struct conf_pool *conf_after;
    struct share_pool before; /* with what is overridden now; shares as forecast, where they are */
    struct share_pool after;  /* the same, and what the change overrides */
    const struct impact_pool *forecast; /* NULL: there is none */
    size_t was_in_service;              /* as configured */
    size_t added;
    size_t removed;  /* were in service as configured, and will not be */
    size_t replaced; /* are in service under the same name at another address */
    size_t stay;     /* will be in service, as configured */
};

static void override_shares(struct share_pool *shares, const json_t *overrides, const char *pool)
{
    for (size_t i = 0; i < json_array_size(overrides); i++) {
        const json_t *one = json_array_get(overrides, i);
        const char *server = json_string_value(json_object_get(one, "server"));
        const char *of = json_string_value(json_object_get(one, "pool"));
        const json_t *weight = json_object_get(one, "weight");

        if (of == NULL || server == NULL || strcmp(of, pool) != 0)
            continue;
        (void)share_override(shares, server, json_string_value(json_object_get(one, "state")),
                             json_is_integer(weight) ? json_integer_value(weight) : -1);
    }
    share_compute(shares);
}

static const char *address_of(const struct conf_pool *pool, const char *server)
{
    for (size_t i = 0; i < pool->server_count; i++)
        if (strcmp(pool->servers[i].name, server) == 0)
            return pool->servers[i].address.text;
    return "";
}

/* What is at another address is another server. */
static bool has_moved(const struct pool_change *change, const char *server)
{
    return strcmp(address_of(change->conf_before, server),
                  address_of(change->conf_after, server)) != 0;
}

static void count_servers(const struct policy_subject *subject, struct pool_change *change)
{
    struct share_pool was, will;

    share_pool_init(&was, change->conf_before);
    share_pool_init(&will, change->conf_after);
    override_shares(&will, subject->overrides, change->name);
    for (size_t i = 0; i < was.count; i++) {
        const struct share_server *server = share_find(&will, was.servers[i].name);
        bool stays = server != NULL && share_is_in_service(server);

        change->removed += share_is_in_service(&was.servers[i]) && !stays;
        change->replaced +=
            share_is_in_service(&was.servers[i]) && stays && has_moved(change, was.servers[i].name);
    }
    for (size_t i = 0; i < will.count; i++)
        change->added += share_find(&was, will.servers[i].name) == NULL;
    change->was_in_service = was.in_service;
    change->stay = will.in_service;
    share_pool_fini(&was);
    share_pool_fini(&will);
}

static const struct conf_pool *pool_named(const struct configuration *conf, const char *pool)
{
    int index = config_find_pool(conf, pool);

    return index >= 0 ? &conf->pools[index] : NULL;
}

static void open_pool(const struct policy_subject *subject, const char *pool,
                      struct pool_change *change)
{
    *change = (struct pool_change){.name = pool,
                                   .conf_before = pool_named(subject->base, pool),
                                   .conf_after = pool_named(subject->target, pool)};
    share_pool_init(&change->before, change->conf_before);
    share_pool_init(&change->after, change->conf_after);
    override_shares(&change->before, subject->in_force, pool);
    override_shares(&change->after, subject->in_force, pool);
    override_shares(&change->after, subject->overrides, pool);
    if (subject->impact != NULL) {
        change->forecast = impact_find_pool(subject->impact, pool);
        impact_take_shares(subject->impact, pool, &change->before, &change->after);
    }
    count_servers(subject, change);
}

static void close_pool(struct pool_change *change)
{
    share_pool_fini(&change->before);
    share_pool_fini(&change->after);
}

/* Requests a second at the peak; below 0: not known. */
static double known_peak(const struct policy_subject *subject, const char *pool)
{
    const json_t *peak = json_object_get(subject->peaks, pool);

    return json_is_number(peak) ? json_number_value(peak) : -1;
}

/* After the change: with what it sends there from elsewhere, and without what goes elsewhere. */
static double peak_of(const struct policy_subject *subject, const struct pool_change *change)
{
    const struct impact_pool *forecast = change->forecast;

    if (forecast != NULL && forecast->peak.after >= 0)
        return forecast->peak.after;
    return known_peak(subject, change->name);
}

typedef bool pool_rule_fn(const struct policy_subject *subject, const struct pool_change *change,
                          struct buffer *which);

static bool is_touched(const struct policy_subject *subject, const char *pool)
{
    if (policy_touches(subject, "pools", pool))
        return true;
    for (size_t i = 0; i < json_array_size(subject->overrides); i++) {
        const char *of =
            json_string_value(json_object_get(json_array_get(subject->overrides, i), "pool"));

        if (of != NULL && strcmp(of, pool) == 0)
            return true;
    }
    return false;
}

/* Other requests come to it than before, since routes changed. */
static bool is_reached_anew(const struct policy_subject *subject, const char *pool)
{
    const struct impact_pool *forecast =
        subject->impact != NULL ? impact_find_pool(subject->impact, pool) : NULL;

    return forecast != NULL && forecast->is_changed;
}

static bool holds_of(const struct policy_subject *subject, const char *pool, pool_rule_fn *rule,
                     struct buffer *which)
{
    struct pool_change change;
    bool holds;

    if (!is_touched(subject, pool) && !is_reached_anew(subject, pool))
        return false;
    open_pool(subject, pool, &change);
    holds = rule(subject, &change, which);
    close_pool(&change);
    return holds;
}

/* Over the pools of before, and the new ones. */
static bool any_pool(const struct policy_subject *subject, pool_rule_fn *rule, struct buffer *which)
{
    bool any = false;

    for (size_t i = 0; i < subject->base->pool_count; i++)
        any |= holds_of(subject, subject->base->pools[i].name, rule, which);
    for (size_t i = 0; i < subject->target->pool_count; i++) {
        const char *pool = subject->target->pools[i].name;

        if (config_find_pool(subject->base, pool) < 0)
            any |= holds_of(subject, pool, rule, which);
    }
    return any;
}

/* ---- servers added and removed ---- */

static bool pool_adds(const struct policy_subject *subject, const struct pool_change *change,
                      struct buffer *which)
{
    (void)subject;
    if (change->added > 0)
        policy_name(which, "%zu to %s", change->added, change->name);
    return change->added > 0;
}

bool adds_server(const struct policy_subject *subject, struct buffer *which)
{
    return any_pool(subject, pool_adds, which);
}

static bool pool_removes(const struct policy_subject *subject, const struct pool_change *change,
                         struct buffer *which)
{
    (void)subject;
    if (change->removed > 0)
        policy_name(which, "%zu of %zu of %s", change->removed, change->was_in_service,
                    change->name);
    return change->removed > 0;
}

bool removes_server(const struct policy_subject *subject, struct buffer *which)
{
    return any_pool(subject, pool_removes, which);
}

static bool pool_removes_many(const struct policy_subject *subject,
                              const struct pool_change *change, struct buffer *which)
{
    size_t gone = change->removed + change->replaced;

    (void)subject;
    if (gone <= 1 || gone * 5 < change->was_in_service)
        return false;
    policy_name(which, "%zu of %zu of %s", gone, change->was_in_service, change->name);
    if (change->replaced > 0)
        policy_name(which, "%zu of them moved to another address", change->replaced);
    return true;
}

bool removes_many(const struct policy_subject *subject, struct buffer *which)
{
    return any_pool(subject, pool_removes_many, which);
}

static bool pool_removes_last(const struct policy_subject *subject,
                              const struct pool_change *change, struct buffer *which)
{
    return change->removed > 0 && change->stay == 0 && pool_removes(subject, change, which);
}

bool removes_last(const struct policy_subject *subject, struct buffer *which)
{
    return any_pool(subject, pool_removes_last, which);
}

/* What stays bears it: by numbers where all capacities are declared, else by heads. */
static bool pool_bears_it(const struct policy_subject *subject, const struct pool_change *change)
{
    double peak = peak_of(subject, change);
    size_t stay = change->after.in_service;

    if (change->after.is_capacity_known)
        return peak >= 0 && share_survives_one(&change->after, peak);
    return stay >= 2 && 2 * stay >= change->was_in_service;
}

static bool pool_removes_scarce(const struct policy_subject *subject,
                                const struct pool_change *change, struct buffer *which)
{
    if (change->removed == 0 || change->stay == 0 || pool_bears_it(subject, change))
        return false;
    if (change->after.is_capacity_known && peak_of(subject, change) < 0)
        policy_name(which, "%s (the peak is not known)", change->name);
    else
        policy_name(which, "%s", change->name);
    return true;
}

bool removes_scarce(const struct policy_subject *subject, struct buffer *which)
{
    return any_pool(subject, pool_removes_scarce, which);
}

/* ---- shares ---- */

static int percent(double share)
{
    return (int)(share * 100 + 0.5);
}

/* A share that was above the limit before, and did not grow, is not this change's doing. */
static bool share_grew(const struct pool_change *change, const struct share_server *server)
{
    const struct share_server *before = share_find(&change->before, server->name);
    uint32_t limit = change->conf_before != NULL ? change->conf_before->max_share_percent : 0;

    return before == NULL || server->share > before->share + hair || limit == 0 ||
           limit > change->conf_after->max_share_percent;
}

static bool names_exceeding(const struct pool_change *change, struct buffer *which)
{
    bool does = false;

    for (size_t i = 0; i < change->after.count; i++) {
        const struct share_server *server = &change->after.servers[i];

        if (server->share * 100 <= change->conf_after->max_share_percent + hair ||
            !share_grew(change, server))
            continue;
        policy_name(which, "%s/%s %d %%", change->name, server->name, percent(server->share));
        does = true;
    }
    return does;
}

/* By weights: a forecast knows that balancing holds each server to the limit, and would never be
 * above it. */
static bool pool_exceeds_share(const struct policy_subject *subject,
                               const struct pool_change *change, struct buffer *which)
{
    struct policy_subject without_forecast = *subject;
    struct pool_change wanted;
    bool does;

    if (change->conf_after == NULL || change->conf_after->max_share_percent == 0)
        return false;
    without_forecast.impact = NULL;
    open_pool(&without_forecast, change->name, &wanted);
    does = names_exceeding(&wanted, which);
    close_pool(&wanted);
    return does;
}

bool exceeds_max_share(const struct policy_subject *subject, struct buffer *which)
{
    return any_pool(subject, pool_exceeds_share, which);
}

/* What the pool had before, as far as it is known. */
static double load_before(const struct pool_change *change, const char *server)
{
    const struct share_server *before = share_find(&change->before, server);
    const struct impact_pool *forecast = change->forecast;

    if (before == NULL || forecast == NULL || forecast->peak.before < 0)
        return 0;
    return before->share * forecast->peak.before;
}

/* Only where the peak is known: a limit in requests a second says nothing about shares alone. */
static bool pool_exceeds_capacity(const struct policy_subject *subject,
                                  const struct pool_change *change, struct buffer *which)
{
    double peak = peak_of(subject, change);
    bool is_own = is_touched(subject, change->name);
    bool does = false;

    for (size_t i = 0; peak > 0 && i < change->after.count; i++) {
        const struct share_server *server = &change->after.servers[i];
        double load = server->share * peak;

        if (server->capacity_rps == 0 || load <= server->capacity_rps + hair ||
            (!is_own && load <= load_before(change, server->name) + hair))
            continue;
        policy_name(which, "%s/%s %.0f of %u a second", change->name, server->name, load,
                    server->capacity_rps);
        does = true;
    }
    return does;
}

bool exceeds_capacity(const struct policy_subject *subject, struct buffer *which)
{
    return any_pool(subject, pool_exceeds_capacity, which);
}

static bool pool_leaves_capacity(const struct policy_subject *subject,
                                 const struct pool_change *change, struct buffer *which)
{
    double after = share_distance_to_capacity(&change->after, &change->after);
    double moved = share_moved_away(&change->before, &change->after);

    (void)subject;
    if (change->after.in_service == 0 || moved <= 0.2 + hair)
        return false;
    policy_name(which, "%s: %d %% away before, %d %% after", change->name, percent(after - moved),
                percent(after));
    return true;
}

bool leaves_capacity(const struct policy_subject *subject, struct buffer *which)
{
    return any_pool(subject, pool_leaves_capacity, which);
}
