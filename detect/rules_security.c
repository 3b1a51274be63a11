/*
 * rules_security - the S rules: what strangers should not see or say.
 *
 * Owner    nobody      Threads  any
 */
#include <string.h>

#include "detect/internal.h"
#include "detect/rules.h"

static const char *const status_pages[] = {
    "/metrics",      "/status",        "/server-status", "/server-info",
    "/nginx_status", "/haproxy-stats", "/haproxy/stats", "/debug/pprof",
    "/actuator",     "/debug/vars",    "/stub_status",
};

static bool is_status_page(const char *path)
{
    size_t len = path != NULL ? strlen(path) : 0;

    while (len > 1 && path[len - 1] == '/')
        len--;
    for (size_t i = 0; i < sizeof(status_pages) / sizeof(status_pages[0]); i++)
        if (strlen(status_pages[i]) == len && memcmp(status_pages[i], path, len) == 0)
            return true;
    return false;
}

void status_page_is_public(struct detect_run *run)
{
    FOR_ROUTES(run, route)
    {
        const char *path = is_status_page(route->path)          ? route->path
                           : is_status_page(route->path_prefix) ? route->path_prefix
                                                                : NULL;

        if (path != NULL && !route->has_allow &&
            (route->action == ACTION_POOL || route->action == ACTION_SPLIT))
            detect_report(run, AT("routes", route->name),
                          "leads everyone to %s, and has no \"allow\" list", path);
    }
}
