/*
 * rules_hosts - R017: hosts that are served today, and would get no route.
 *
 * Who serves a host: a route that names it, or a wildcard above it; or one without hosts, where its
 * path takes what the route of today takes.  With traffic known, each host that was asked for is
 * looked at; without, each that a route names.
 *
 * Owner    nobody      Threads  any
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "detect/internal.h"
#include "detect/rules.h"

struct entry {
    const char *host;
    const struct conf_route *route;
};

struct host_list {
    struct entry *named; /* sorted by host */
    size_t named_count;
    const struct conf_route *
        *open; /* routes without hosts; those for every request alone, if any */
    size_t open_count;
    size_t budget; /* of comparisons; 0: not all was compared */
};

enum { WILDCARD_BYTES = 260, COMPARISONS_MAX = 3000000 };

static int compare_entries(const void *a, const void *b)
{
    const struct entry *one = a;
    const struct entry *two = b;
    int order = strcmp(one->host, two->host);

    return order != 0 ? order : strcmp(one->route->name, two->route->name);
}

static bool takes_every_request(const struct conf_route *route)
{
    return detect_takes_every_path(route) && route->methods.count == 0 && route->header_count == 0;
}

/* Beside a route for every request, one for "/healthz" says nothing about who serves a host. */
static void add_open(struct host_list *list, const struct conf_route *route)
{
    bool is_wide = takes_every_request(route);
    bool has_wide = list->open_count > 0 && takes_every_request(list->open[0]);

    if (is_wide && !has_wide)
        list->open_count = 0;
    if (is_wide || !has_wide)
        list->open[list->open_count++] = route;
}

static void host_list_init(struct host_list *list, const struct configuration *conf)
{
    size_t room = 0;

    for (size_t i = 0; i < conf->route_count; i++)
        room += conf->routes[i].hosts.count;
    *list = (struct host_list){
        .named = xcalloc(room + 1, sizeof(*list->named)),
        .open = xcalloc(conf->route_count + 1, sizeof(struct conf_route *)),
        .budget = COMPARISONS_MAX,
    };
    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_route *route = &conf->routes[i];

        if (route->hosts.count == 0)
            add_open(list, route);
        for (size_t j = 0; j < route->hosts.count; j++)
            list->named[list->named_count++] = (struct entry){route->hosts.items[j], route};
    }
    qsort(list->named, list->named_count, sizeof(*list->named), compare_entries);
}

static void host_list_fini(struct host_list *list)
{
    xfree(list->named);
    xfree(list->open);
}

/* The first entry of that very host; NULL: none. */
static const struct entry *first_named(const struct host_list *list, const char *host)
{
    size_t low = 0;
    size_t high = list->named_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(list->named[middle].host, host) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->named_count && strcmp(list->named[low].host, host) == 0 ? &list->named[low]
                                                                               : NULL;
}

static const struct entry *end_of(const struct host_list *list)
{
    return list->named + list->named_count;
}

/* The next wider pattern for the host: "*.example.com", "*.com"; NULL: none. */
static const char *widen(const char **dot, char pattern[WILDCARD_BYTES])
{
    size_t len = *dot != NULL ? strlen(*dot) : 0;

    if (len == 0 || len + 2 > WILDCARD_BYTES)
        return NULL;
    pattern[0] = '*';
    memcpy(pattern + 1, *dot, len + 1);
    *dot = strchr(*dot + 1, '.');
    return pattern;
}

static const char *first_dot(const char *host)
{
    return strchr(host + (host[0] == '*' ? 2 : 0), '.');
}

static bool names_host(const struct host_list *list, const char *host)
{
    char pattern[WILDCARD_BYTES];
    const char *dot = first_dot(host);

    if (first_named(list, host) != NULL)
        return true;
    while (widen(&dot, pattern) != NULL)
        if (first_named(list, pattern) != NULL)
            return true;
    return false;
}

static bool is_same_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Host aside, `wide` takes requests wherever `narrow` does. */
static bool covers(const struct conf_route *wide, const struct conf_route *narrow)
{
    const char *below = narrow->path != NULL ? narrow->path : narrow->path_prefix;
    size_t len = wide->path_prefix != NULL ? strlen(wide->path_prefix) : 0;

    if ((wide->methods.count > 0 && narrow->methods.count == 0) ||
        (wide->header_count > 0 && narrow->header_count == 0))
        return false;
    if (detect_takes_every_path(wide) || is_same_text(wide->path, narrow->path) ||
        is_same_text(wide->path_regex, narrow->path_regex))
        return true;
    while (len > 0 && wide->path_prefix[len - 1] == '/')
        len--;
    return len > 0 && below != NULL && strncmp(wide->path_prefix, below, len) == 0 &&
           (below[len] == '\0' || below[len] == '/');
}

static bool is_covered(struct host_list *after, const struct conf_route *route)
{
    for (size_t i = 0; i < after->open_count && after->budget > 0; i++, after->budget--)
        if (covers(after->open[i], route))
            return true;
    return after->budget == 0;
}

/* ---- who served a host ---- */

/* Routes of today that serve one host, and whether one of them has something in its place. */
struct service {
    const struct conf_route *first;
    bool is_kept;
};

static void add_route(struct service *service, struct host_list *after,
                      const struct conf_route *route)
{
    if (service->first == NULL)
        service->first = route;
    service->is_kept = service->is_kept || is_covered(after, route);
}

static void add_named(struct service *service, const struct host_list *before,
                      struct host_list *after, const char *host)
{
    const struct entry *entry = first_named(before, host);

    for (; entry != NULL && entry != end_of(before) && strcmp(entry->host, host) == 0; entry++)
        add_route(service, after, entry->route);
}

static struct service service_of(const struct host_list *before, struct host_list *after,
                                 const char *host)
{
    struct service service = {NULL, false};
    char pattern[WILDCARD_BYTES];
    const char *dot = first_dot(host);

    add_named(&service, before, after, host);
    while (widen(&dot, pattern) != NULL)
        add_named(&service, before, after, pattern);
    if (service.first != NULL)
        return service;
    for (size_t i = 0; i < before->open_count && !service.is_kept; i++)
        add_route(&service, after, before->open[i]);
    return service;
}

static void check_asked(struct detect_run *run, const struct host_list *before,
                        struct host_list *after)
{
    const struct detect_traffic *traffic = run->subject->traffic;

    for (size_t i = 0; i < traffic->host_count; i++) {
        const char *host = traffic->hosts[i].name;
        struct service service;

        if (traffic->hosts[i].hits == 0 || names_host(after, host))
            continue;
        service = service_of(before, after, host);
        if (service.first != NULL && !service.is_kept)
            detect_report(run, AT("routes", service.first->name, "hosts"),
                          "no route is left for %s, which had %llu requests in 7 days",
                          host[0] != '\0' ? host : "requests without a host",
                          (unsigned long long)traffic->hosts[i].hits);
    }
}

static void check_named(struct detect_run *run, const struct host_list *before,
                        struct host_list *after)
{
    const char *last = NULL;

    FOR_EACH(entry, entry, before->named, before->named_count)
    {
        if (is_same_text(last, entry->host))
            continue;
        last = entry->host;
        if (!names_host(after, entry->host) && !service_of(before, after, entry->host).is_kept)
            detect_report_as(run, FINDING_WARNING, AT("routes", entry->route->name, "hosts"),
                             "no route is left for %s; its traffic is not known", entry->host);
    }
}

void host_is_dropped(struct detect_run *run)
{
    struct host_list before;
    struct host_list after;

    host_list_init(&before, run->base);
    host_list_init(&after, run->conf);
    if (run->subject->traffic != NULL)
        check_asked(run, &before, &after);
    else
        check_named(run, &before, &after);
    if (after.budget == 0)
        detect_report_unknown(run, AT("routes"),
                              "%zu routes without hosts are too many to compare each with each",
                              after.open_count);
    host_list_fini(&before);
    host_list_fini(&after);
}
