/*
 * expressions - the regular expressions of routes, checked one by one.
 *
 * Threads  any
 */
#include "cli/expressions.h"

#include <stdio.h>

#include "base/error.h"
#include "config/finding.h"
#include "config/model.h"
#include "proxy/route/route.h"

void expressions_check(const struct configuration *conf, struct findings *findings)
{
    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_route *route = &conf->routes[i];
        struct route_spec spec = {.name = route->name, .path_regex = route->path_regex};
        struct route_table *table;
        struct error why;
        char pointer[128];

        if (route->path_regex == NULL)
            continue;
        table = route_table_build(&spec, 1, &why);
        (void)snprintf(pointer, sizeof(pointer), "/routes/%s/path_regex", route->name);
        if (table == NULL)
            finding_add(findings, FINDING_BLOCK, "R010", route->file, pointer, "%s", why.text);
        route_table_free(&table);
    }
}
