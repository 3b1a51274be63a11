/*
 * rules_routes - the R rules that look at one route, or at which pools routes lead to.
 *
 * Owner    nobody      Threads  any
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "detect/internal.h"
#include "detect/rules.h"
#include "proxy/route/route.h"

void defined_and_unused(struct detect_run *run)
{
    bool *is_used = xcalloc(run->conf->pool_count + 1, sizeof(*is_used));

    FOR_ROUTES(run, route)
    {
        if (route->action == ACTION_POOL && route->pool >= 0)
            is_used[route->pool] = true;
        for (size_t i = 0; route->action == ACTION_SPLIT && i < route->split_count; i++)
            if (route->split[i].pool >= 0)
                is_used[route->split[i].pool] = true;
    }
    for (size_t i = 0; i < run->conf->pool_count; i++)
        if (!is_used[i])
            detect_report(run, AT("pools", run->conf->pools[i].name), "no route leads to it");
    xfree(is_used);
}

bool detect_takes_every_path(const struct conf_route *route)
{
    if (route->path != NULL)
        return false;
    if (route->path_regex != NULL)
        return strcmp(route->path_regex, ".*") == 0 || strcmp(route->path_regex, "/.*") == 0;
    return route->path_prefix == NULL || strcmp(route->path_prefix, "/") == 0;
}

static bool takes_everything(const struct conf_route *route)
{
    return detect_takes_every_path(route) && route->hosts.count == 0 && route->methods.count == 0 &&
           route->header_count == 0 && route->listeners.count == 0 && route->scheme == SCHEME_ANY;
}

void no_default_route(struct detect_run *run)
{
    FOR_ROUTES(run, route)
    if (takes_everything(route))
        return;
    if (run->conf->listener_count > 0)
        detect_report(run, AT("routes"), "none of %zu routes is without conditions",
                      run->conf->route_count);
}

/* All of IPv4, which is kept as ::ffff:0:0/96, or all of IPv6. */
static const char *whole_internet(const struct conf_networks *networks)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    for (size_t i = 0; i < networks->count; i++) {
        const struct conf_network *network = &networks->items[i];

        if (network->prefix_bits == 0)
            return "::/0";
        if (network->prefix_bits == 96 && memcmp(network->address, mapped, sizeof(mapped)) == 0)
            return "0.0.0.0/0";
    }
    return NULL;
}

void rule_that_hits_everything(struct detect_run *run)
{
    FOR_ROUTES(run, route)
    {
        const char *network = whole_internet(&route->deny);
        bool forwards = route->action == ACTION_POOL || route->action == ACTION_SPLIT;

        if (network != NULL)
            detect_report(run, AT("routes", route->name, "deny"), "%s is every client: all get 403",
                          network);
        if (forwards && route->rewrite.path != NULL && detect_takes_every_path(route))
            detect_report(run, AT("routes", route->name, "rewrite", "path"),
                          "every path becomes %s, for the route has no path of its own",
                          route->rewrite.path);
    }
}

void everyone_is_trusted(struct detect_run *run)
{
    FOR_LISTENERS(run, listener)
    {
        const char *network = whole_internet(&listener->trusted_proxies);

        if (network != NULL)
            detect_report(run, AT("listeners", listener->name, "trusted_proxies"),
                          "%s is everyone: any client may say who it is", network);
    }
}

/* ---- R010 ---- */

/* A group that is open while an expression is read. */
struct group {
    bool has_repetition; /* without end, in this alternative */
    bool has_anchor;     /* something that must stand there once, in this alternative */
    bool is_dangerous;   /* some alternative repeats, and nothing in it must be there */
};

enum { GROUPS_MAX = 64 };

/* Past "[…]". */
static const char *after_class(const char *at)
{
    at++;
    at += *at == '^';
    at += *at == ']';
    while (*at != '\0' && *at != ']')
        at += at[0] == '\\' && at[1] != '\0' ? 2 : 1;
    return *at == ']' ? at + 1 : at;
}

/* What follows an atom: *has_end_out false for *, + and {n,}; true past "?" and {n,m}. */
static const char *after_quantifier(const char *at, bool *is_there_out, bool *has_end_out)
{
    *is_there_out = true;
    *has_end_out = true;
    if (*at == '*' || *at == '+') {
        *has_end_out = at[1] == '+'; /* possessive: never tried again */
        at++;
    } else if (*at == '?') {
        at++;
    } else if (*at == '{' && at[1] >= '0' && at[1] <= '9') {
        const char *close = strchr(at, '}');

        if (close == NULL) {
            *is_there_out = false;
            return at;
        }
        *has_end_out = close[-1] != ',';
        at = close + 1;
    } else {
        *is_there_out = false;
        return at;
    }
    return at + (*at == '?' || *at == '+');
}

static void end_alternative(struct group *group)
{
    group->is_dangerous = group->is_dangerous || (group->has_repetition && !group->has_anchor);
    group->has_repetition = false;
    group->has_anchor = false;
}

/* A group repeated without end, of which an alternative repeats without end too and holds nothing
 * that must be there: the same text can be cut into turns in exponentially many ways. */
static bool repeats_repetition(const char *at)
{
    struct group groups[GROUPS_MAX] = {{0}};
    size_t depth = 0;

    while (*at != '\0') {
        bool is_group_end = *at == ')' && depth > 0;
        bool was_dangerous = false;
        bool is_quantified;
        bool has_end;

        if (*at == '(' && depth + 1 < GROUPS_MAX) {
            groups[++depth] = (struct group){0};
            at += at[1] == '?' ? 2 + (at[2] == ':' || at[2] == '>') : 1;
            continue;
        }
        if (*at == '|') {
            end_alternative(&groups[depth]);
            at++;
            continue;
        }
        if (is_group_end) {
            end_alternative(&groups[depth]);
            was_dangerous = groups[depth--].is_dangerous;
        }
        at = *at == '[' ? after_class(at) : at + (at[0] == '\\' && at[1] != '\0' ? 2 : 1);
        at = after_quantifier(at, &is_quantified, &has_end);
        if (was_dangerous && is_quantified && !has_end)
            return true;
        groups[depth].has_repetition = groups[depth].has_repetition || (is_quantified && !has_end);
        groups[depth].has_anchor = groups[depth].has_anchor || !is_quantified;
    }
    return false;
}

void expression_is_dangerous(struct detect_run *run)
{
    FOR_ROUTES(run, route)
    {
        struct route_spec spec = {.name = route->name, .path_regex = route->path_regex};
        struct route_table *table;
        struct error why;

        if (route->path_regex == NULL)
            continue;
        table = route_table_build(&spec, 1, &why);
        if (table == NULL)
            detect_report_as(run, FINDING_BLOCK, AT("routes", route->name, "path_regex"), "%s",
                             why.text);
        else if (repeats_repetition(route->path_regex))
            detect_report(run, AT("routes", route->name, "path_regex"),
                          "%s repeats a repetition: some paths take exponentially many steps",
                          route->path_regex);
        route_table_free(&table);
    }
}
