/*
 * rules_routes - the R rules that look at one route, or at which pools routes lead to.
 *
 * Owner    nobody      Threads  any
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "detect/expression.h"
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
        else if (expression_is_ambiguous(route->path_regex))
            detect_report(run, AT("routes", route->name, "path_regex"),
                          "%s repeats a repetition: some paths take exponentially many steps",
                          route->path_regex);
        route_table_free(&table);
    }
}
