/*
 * policy_rules - see policy_rules.def: the table, and the rules about what a change touches.
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
#include "config/model.h"

enum { POOLS_FOR_MOST = 4, NAMED_MAX = 20 };

/* ---- naming what makes a row hold ---- */

void policy_name(struct buffer *which, const char *format, ...)
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

bool policy_touches(const struct policy_subject *subject, const char *section, const char *item)
{
    return differs(member(subject->base_json, section, item),
                   member(subject->target_json, section, item));
}

bool changes_configuration(const struct policy_subject *subject, struct buffer *which)
{
    (void)which;
    return differs(subject->base_json, subject->target_json);
}

bool touches_admin(const struct policy_subject *subject, struct buffer *which)
{
    (void)which;
    return touches(subject, "admin");
}

bool touches_people(const struct policy_subject *subject, struct buffer *which)
{
    (void)which;
    return touches(subject, "people");
}

bool touches_policy(const struct policy_subject *subject, struct buffer *which)
{
    (void)which;
    return touches(subject, "policy");
}

bool touches_observe(const struct policy_subject *subject, struct buffer *which)
{
    (void)which;
    return touches(subject, "observe");
}

bool accepts_error(const struct policy_subject *subject, struct buffer *which)
{
    for (size_t i = 0; i < json_array_size(subject->override); i++)
        policy_name(which, "%s", json_string_value(json_array_get(subject->override, i)));
    return json_array_size(subject->override) > 0;
}

bool brings_overrides(const struct policy_subject *subject, struct buffer *which)
{
    for (size_t i = 0; i < json_array_size(subject->overrides); i++) {
        const json_t *one = json_array_get(subject->overrides, i);

        policy_name(which, "%s/%s", json_string_value(json_object_get(one, "pool")),
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

bool touches_trust(const struct policy_subject *subject, struct buffer *which)
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
            policy_name(which, "/%s/%s", section, item);
            does = true;
        }
    }
    return does;
}

/* ---- how much was touched ---- */

bool touches_most_pools(const struct policy_subject *subject, struct buffer *which)
{
    size_t touched = 0;

    for (size_t i = 0; i < subject->base->pool_count; i++)
        touched += policy_touches(subject, "pools", subject->base->pools[i].name);
    if (subject->base->pool_count < POOLS_FOR_MOST || 2 * touched <= subject->base->pool_count)
        return false;
    policy_name(which, "%zu of %zu", touched, subject->base->pool_count);
    return true;
}

bool touches_all_listeners(const struct policy_subject *subject, struct buffer *which)
{
    for (size_t i = 0; i < subject->base->listener_count; i++) {
        if (!policy_touches(subject, "listeners", subject->base->listeners[i].name))
            return false;
        policy_name(which, "%s", subject->base->listeners[i].name);
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

bool deletes_route(const struct policy_subject *subject, struct buffer *which)
{
    bool does = false;

    for (size_t i = 0; i < subject->base->route_count; i++) {
        const char *route = subject->base->routes[i].name;

        if (member(subject->target_json, "routes", route) != NULL || is_route_idle(subject, route))
            continue;
        policy_name(which, "%s", route);
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

bool deletes_host(const struct policy_subject *subject, struct buffer *which)
{
    const struct configuration *base = subject->base;
    bool does = has_any_host(base) && !has_any_host(subject->target);
    size_t count;
    const char **hosts = hosts_of(subject->target, &count);

    if (does)
        policy_name(which, "any");
    for (size_t i = 0; i < base->route_count; i++) {
        for (size_t n = 0; n < base->routes[i].hosts.count; n++) {
            const char *host = base->routes[i].hosts.items[n];

            if (bsearch(&host, hosts, count, sizeof(*hosts), by_text) != NULL ||
                is_host_idle(subject, host))
                continue;
            policy_name(which, "%s", host);
            does = true;
        }
    }
    xfree(hosts);
    return does;
}

/* ---- the table ---- */

#define RULE(id_, class_, function_, words_)                                                       \
    {.id = (id_), .class = (class_), .holds = function_, .words = (words_)},
const struct policy_rule policy_rules[] = {
#include "change/policy_rules.def"
};
#undef RULE
const size_t policy_rule_count = sizeof(policy_rules) / sizeof(policy_rules[0]);
