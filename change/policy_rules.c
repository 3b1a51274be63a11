/*
 * policy_rules - see policy_rules.def.
 *
 * Owner    nobody: pure      Threads  any
 */
#include "change/policy_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/slice.h"
#include "change/policy.h"
#include "config/load.h"
#include "config/model.h"
#include "detect/impact.h"
#include "detect/share.h"

enum { POOLS_FOR_MOST = 4, NAMED_MAX = 20 };

/* Distances are sums of fractions: a hair above the limit is the limit. */
static const double hair = 1e-9;

/* ---- naming what makes a row hold ---- */

/* "a, b, c"; the first twenty. */
static void name(struct buffer *which, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void name(struct buffer *which, const char *format, ...)
{
    char text[256];
    va_list arguments;
    size_t named = 0;
    struct slice so_far = buffer_slice(which);

    for (size_t i = 0; i < so_far.len; i++)
        named += so_far.at[i] == ',';
    if (named >= NAMED_MAX)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    buffer_printf(which, "%s%s", so_far.len > 0 ? ", " : "", named + 1 == NAMED_MAX ? "…" : text);
}

/* ---- what was touched ---- */

static const json_t *member(const json_t *document, const char *section, const char *item)
{
    return json_object_get(json_object_get(document, section), item);
}

static bool differs(const json_t *a, const json_t *b)
{
    return a != b && (a == NULL || b == NULL || json_equal(a, b) != 1);
}

static bool touches(const struct policy_subject *subject, const char *section)
{
    return differs(json_object_get(subject->base_json, section),
                   json_object_get(subject->target_json, section));
}

static bool touches_item(const struct policy_subject *subject, const char *section,
                         const char *item)
{
    return differs(member(subject->base_json, section, item),
                   member(subject->target_json, section, item));
}

static bool changes_configuration(const struct policy_subject *subject, struct buffer *which)
{
    (void)which;
    return differs(subject->base_json, subject->target_json);
}

static bool touches_admin(const struct policy_subject *subject, struct buffer *which)
{
    (void)which;
    return touches(subject, "admin");
}

static bool touches_people(const struct policy_subject *subject, struct buffer *which)
{
    (void)which;
    return touches(subject, "people");
}

static bool touches_policy(const struct policy_subject *subject, struct buffer *which)
{
    (void)which;
    return touches(subject, "policy");
}

static bool touches_observe(const struct policy_subject *subject, struct buffer *which)
{
    (void)which;
    return touches(subject, "observe");
}

static bool accepts_error(const struct policy_subject *subject, struct buffer *which)
{
    for (size_t i = 0; i < json_array_size(subject->override); i++)
        name(which, "%s", json_string_value(json_array_get(subject->override, i)));
    return json_array_size(subject->override) > 0;
}

static bool brings_overrides(const struct policy_subject *subject, struct buffer *which)
{
    for (size_t i = 0; i < json_array_size(subject->overrides); i++) {
        const json_t *one = json_array_get(subject->overrides, i);

        name(which, "%s/%s", json_string_value(json_object_get(one, "pool")),
             json_string_value(json_object_get(one, "server")));
    }
    return json_array_size(subject->overrides) > 0;
}

/* client_auth of a listener; ca_file and verify of a pool. */
static bool trust_differs(const json_t *before, const json_t *after)
{
    static const char *const keys[] = {"client_auth", "ca_file", "verify"};
    const json_t *tls[2] = {json_object_get(before, "tls"), json_object_get(after, "tls")};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (differs(json_object_get(tls[0], keys[i]), json_object_get(tls[1], keys[i])))
            return true;
    return false;
}

static bool touches_trust(const struct policy_subject *subject, struct buffer *which)
{
    static const char *const sections[] = {"listeners", "pools"};
    const json_t *documents[] = {subject->base_json, subject->target_json};
    bool does = false;

    for (size_t i = 0; i < 4; i++) {
        const char *section = sections[i / 2];
        const char *item;
        json_t *value;

        json_object_foreach(json_object_get(documents[i % 2], section), item, value)
        {
            const json_t *before = member(subject->base_json, section, item);

            if (i % 2 == 1 && before != NULL)
                continue; /* seen from the other side */
            if (!trust_differs(before, member(subject->target_json, section, item)))
                continue;
            name(which, "/%s/%s", section, item);
            does = true;
        }
    }
    return does;
}

/* ---- how much was touched ---- */

static bool touches_most_pools(const struct policy_subject *subject, struct buffer *which)
{
    size_t touched = 0;

    for (size_t i = 0; i < subject->base->pool_count; i++)
        touched += touches_item(subject, "pools", subject->base->pools[i].name);
    if (subject->base->pool_count < POOLS_FOR_MOST || 2 * touched <= subject->base->pool_count)
        return false;
    name(which, "%zu of %zu", touched, subject->base->pool_count);
    return true;
}

static bool touches_all_listeners(const struct policy_subject *subject, struct buffer *which)
{
    for (size_t i = 0; i < subject->base->listener_count; i++) {
        if (!touches_item(subject, "listeners", subject->base->listeners[i].name))
            return false;
        name(which, "%s", subject->base->listeners[i].name);
    }
    return subject->base->listener_count > 0;
}

/* ---- routes and hosts ---- */

/* Nobody asked for it in seven days, as is known for sure. */
static bool is_route_idle(const struct policy_subject *subject, const char *route)
{
    return subject->used_routes != NULL && json_object_get(subject->used_routes, route) == NULL;
}

static bool is_below(const char *host, const char *suffix)
{
    size_t len = strlen(host), tail = strlen(suffix);

    return len > tail && strcasecmp(host + len - tail, suffix) == 0;
}

/* `host` as routes name it: "*.example.com" is all that ends so. */
static bool is_host_idle(const struct policy_subject *subject, const char *host)
{
    const char *used;
    const json_t *requests;

    if (subject->used_hosts == NULL)
        return false;
    json_object_foreach((json_t *)(uintptr_t)subject->used_hosts, used, requests)
    {
        if (strcasecmp(used, host) == 0 || (host[0] == '*' && is_below(used, host + 1)))
            return false;
    }
    return true;
}

static bool deletes_route(const struct policy_subject *subject, struct buffer *which)
{
    bool does = false;

    for (size_t i = 0; i < subject->base->route_count; i++) {
        const char *route = subject->base->routes[i].name;

        if (member(subject->target_json, "routes", route) != NULL || is_route_idle(subject, route))
            continue;
        name(which, "%s", route);
        does = true;
    }
    return does;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The hosts that routes name, sorted: xfree() it. */
static const char **hosts_of(const struct configuration *conf, size_t *count_out)
{
    size_t count = 0;
    const char **hosts;

    for (size_t i = 0; i < conf->route_count; i++)
        count += conf->routes[i].hosts.count;
    hosts = xcalloc(count + 1, sizeof(*hosts));
    *count_out = 0;
    for (size_t i = 0; i < conf->route_count; i++)
        for (size_t n = 0; n < conf->routes[i].hosts.count; n++)
            hosts[(*count_out)++] = conf->routes[i].hosts.items[n];
    qsort(hosts, count, sizeof(*hosts), by_text);
    return hosts;
}

/* A route for any host that becomes one for some lets the others go: "*" stands for them. */
static bool has_any_host(const struct configuration *conf)
{
    for (size_t i = 0; i < conf->route_count; i++)
        if (conf->routes[i].hosts.count == 0)
            return true;
    return false;
}

static bool deletes_host(const struct policy_subject *subject, struct buffer *which)
{
    const struct configuration *base = subject->base;
    bool does = has_any_host(base) && !has_any_host(subject->target);
    size_t count;
    const char **hosts = hosts_of(subject->target, &count);

    if (does)
        name(which, "any");
    for (size_t i = 0; i < base->route_count; i++) {
        for (size_t n = 0; n < base->routes[i].hosts.count; n++) {
            const char *host = base->routes[i].hosts.items[n];

            if (bsearch(&host, hosts, count, sizeof(*hosts), by_text) != NULL ||
                is_host_idle(subject, host))
                continue;
            name(which, "%s", host);
            does = true;
        }
    }
    xfree(hosts);
    return does;
}

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
    if (touches_item(subject, "pools", pool))
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
        name(which, "%zu to %s", change->added, change->name);
    return change->added > 0;
}

static bool adds_server(const struct policy_subject *subject, struct buffer *which)
{
    return any_pool(subject, pool_adds, which);
}

static bool pool_removes(const struct policy_subject *subject, const struct pool_change *change,
                         struct buffer *which)
{
    (void)subject;
    if (change->removed > 0)
        name(which, "%zu of %zu of %s", change->removed, change->was_in_service, change->name);
    return change->removed > 0;
}

static bool removes_server(const struct policy_subject *subject, struct buffer *which)
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
    name(which, "%zu of %zu of %s", gone, change->was_in_service, change->name);
    if (change->replaced > 0)
        name(which, "%zu of them moved to another address", change->replaced);
    return true;
}

static bool removes_many(const struct policy_subject *subject, struct buffer *which)
{
    return any_pool(subject, pool_removes_many, which);
}

static bool pool_removes_last(const struct policy_subject *subject,
                              const struct pool_change *change, struct buffer *which)
{
    return change->removed > 0 && change->stay == 0 && pool_removes(subject, change, which);
}

static bool removes_last(const struct policy_subject *subject, struct buffer *which)
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
        name(which, "%s (the peak is not known)", change->name);
    else
        name(which, "%s", change->name);
    return true;
}

static bool removes_scarce(const struct policy_subject *subject, struct buffer *which)
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
        name(which, "%s/%s %d %%", change->name, server->name, percent(server->share));
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

static bool exceeds_max_share(const struct policy_subject *subject, struct buffer *which)
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
        name(which, "%s/%s %.0f of %u a second", change->name, server->name, load,
             server->capacity_rps);
        does = true;
    }
    return does;
}

static bool exceeds_capacity(const struct policy_subject *subject, struct buffer *which)
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
    name(which, "%s: %d %% away before, %d %% after", change->name, percent(after - moved),
         percent(after));
    return true;
}

static bool leaves_capacity(const struct policy_subject *subject, struct buffer *which)
{
    return any_pool(subject, pool_leaves_capacity, which);
}

/* ---- the table ---- */

#define RULE(id_, class_, function_, words_)                                                       \
    {.id = (id_), .class = (class_), .holds = function_, .words = (words_)},
const struct policy_rule policy_rules[] = {
#include "change/policy_rules.def"
};
#undef RULE
const size_t policy_rule_count = sizeof(policy_rules) / sizeof(policy_rules[0]);
