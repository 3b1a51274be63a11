/*
 * rules_conditions - which routes stand in each other's way (R001, R002, R003).
 *
 * A route can never match when another one matches all that it does and goes first.  Precedence is
 * that of proxy/route: priority, host, path, methods, number of headers, name.  So only three kinds
 * of others can be above all of a route: one of higher priority, one with the same host and path,
 * and one whose regular expression takes every path of the same host.  The last two are found in a
 * list sorted by host and path.
 *
 * Owner    nobody      Threads  any
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "detect/internal.h"
#include "detect/rules.h"

/* In order of precedence. */
enum path_kind { PATH_EXACT, PATH_REGEX, PATH_PREFIX };

/* A route under one of its hosts. */
struct place {
    const struct conf_route *route;
    const char *host; /* "": any */
    enum path_kind kind;
    const char *path;
    size_t path_bytes; /* a prefix without slashes at its end; every path: "" */
};

struct places {
    struct place *items;
    size_t count;
    const struct conf_route **urgent; /* above the lowest priority */
    size_t urgent_count;
};

static struct place place_of(const struct conf_route *route, size_t host)
{
    struct place place = {.route = route, .host = ""};

    if (host < route->hosts.count)
        place.host = route->hosts.items[host];
    place.kind = route->path != NULL         ? PATH_EXACT
                 : route->path_regex != NULL ? PATH_REGEX
                                             : PATH_PREFIX;
    place.path = route->path != NULL          ? route->path
                 : route->path_regex != NULL  ? route->path_regex
                 : route->path_prefix != NULL ? route->path_prefix
                                              : "";
    place.path_bytes = strlen(place.path);
    if (place.kind == PATH_PREFIX)
        while (place.path_bytes > 0 && place.path[place.path_bytes - 1] == '/')
            place.path_bytes--;
    if (place.kind == PATH_REGEX &&
        (strcmp(place.path, ".*") == 0 || strcmp(place.path, "/.*") == 0))
        place.path_bytes = 0;
    return place;
}

/* By host, kind and path: what is equal here differs in methods, headers, listeners, scheme, name.
 */
static int compare_places(const void *a, const void *b)
{
    const struct place *one = a;
    const struct place *two = b;
    int order = strcmp(one->host, two->host);

    if (order != 0)
        return order;
    if (one->kind != two->kind)
        return one->kind < two->kind ? -1 : 1;
    if (one->path_bytes != two->path_bytes)
        return one->path_bytes < two->path_bytes ? -1 : 1;
    return memcmp(one->path, two->path, one->path_bytes);
}

static void places_init(struct places *places, const struct configuration *conf)
{
    int32_t lowest = INT32_MAX;
    size_t room = 0;

    for (size_t i = 0; i < conf->route_count; i++) {
        room += conf->routes[i].hosts.count + 1;
        lowest = conf->routes[i].priority < lowest ? conf->routes[i].priority : lowest;
    }
    *places = (struct places){
        .items = xcalloc(room + 1, sizeof(*places->items)),
        .urgent = xcalloc(conf->route_count + 1, sizeof(struct conf_route *)),
    };
    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_route *route = &conf->routes[i];

        for (size_t host = 0; host == 0 || host < route->hosts.count; host++)
            places->items[places->count++] = place_of(route, host);
        if (route->priority > lowest)
            places->urgent[places->urgent_count++] = route;
    }
    qsort(places->items, places->count, sizeof(*places->items), compare_places);
}

static void places_fini(struct places *places)
{
    xfree(places->items);
    xfree(places->urgent);
}

/* ---- one condition beside another ---- */

static bool has_all(const struct conf_strings *wanted, const struct conf_strings *list)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (!detect_has_text(list, wanted->items[i]))
            return false;
    return true;
}

/* No item means any. */
static bool covers_texts(const struct conf_strings *wide, const struct conf_strings *narrow)
{
    return wide->count == 0 || (narrow->count > 0 && has_all(narrow, wide));
}

static bool same_texts(const struct conf_strings *a, const struct conf_strings *b)
{
    return (a->count > 0) == (b->count > 0) && has_all(a, b) && has_all(b, a);
}

static bool has_header(const struct conf_route *route, const struct conf_header_edit *header)
{
    for (size_t i = 0; i < route->header_count; i++)
        if (strcmp(route->headers[i].name, header->name) == 0 &&
            strcmp(route->headers[i].value, header->value) == 0)
            return true;
    return false;
}

static bool has_headers_of(const struct conf_route *narrow, const struct conf_route *wide)
{
    for (size_t i = 0; i < wide->header_count; i++)
        if (!has_header(narrow, &wide->headers[i]))
            return false;
    return true;
}

/* Host and path aside. */
static bool covers_rest(const struct conf_route *wide, const struct conf_route *narrow)
{
    return covers_texts(&wide->methods, &narrow->methods) && has_headers_of(narrow, wide) &&
           covers_texts(&wide->listeners, &narrow->listeners) &&
           (wide->scheme == SCHEME_ANY || wide->scheme == narrow->scheme);
}

static bool same_rest(const struct conf_route *a, const struct conf_route *b)
{
    return same_texts(&a->methods, &b->methods) && a->header_count == b->header_count &&
           has_headers_of(a, b) && same_texts(&a->listeners, &b->listeners) &&
           a->scheme == b->scheme;
}

static bool is_below(const char *host, const char *wildcard)
{
    size_t tail = strlen(wildcard) - 1; /* with its dot */
    size_t len = strlen(host);

    return wildcard[0] == '*' && len > tail && strcmp(host + len - tail, wildcard + 1) == 0;
}

static bool covers_hosts(const struct conf_route *wide, const struct conf_route *narrow)
{
    if (wide->hosts.count == 0)
        return true;
    for (size_t i = 0; i < narrow->hosts.count; i++) {
        const char *host = narrow->hosts.items[i];
        bool is_covered = detect_has_text(&wide->hosts, host);

        for (size_t j = 0; j < wide->hosts.count && !is_covered; j++)
            is_covered = is_below(host, wide->hosts.items[j]);
        if (!is_covered)
            return false;
    }
    return narrow->hosts.count > 0;
}

static bool covers_path(const struct place *wide, const struct place *narrow)
{
    if (wide->kind != PATH_EXACT && wide->path_bytes == 0)
        return true;
    if (wide->kind == PATH_PREFIX && narrow->kind != PATH_REGEX)
        return narrow->path_bytes >= wide->path_bytes &&
               memcmp(narrow->path, wide->path, wide->path_bytes) == 0 &&
               (narrow->path_bytes == wide->path_bytes || narrow->path[wide->path_bytes] == '/');
    return wide->kind == narrow->kind && wide->path_bytes == narrow->path_bytes &&
           memcmp(wide->path, narrow->path, wide->path_bytes) == 0;
}

/* ---- R001 and R003 ---- */

static bool is_identical(const struct conf_route *a, const struct conf_route *b)
{
    struct place one = place_of(a, 0);
    struct place two = place_of(b, 0);

    return same_texts(&a->hosts, &b->hosts) && one.kind == two.kind &&
           one.path_bytes == two.path_bytes && memcmp(one.path, two.path, one.path_bytes) == 0 &&
           same_rest(a, b);
}

/* Where both match, `a` goes first; they have priority and hosts in common, and `a` covers `b`. */
static bool goes_first(const struct conf_route *a, const struct conf_route *b)
{
    enum path_kind one = place_of(a, 0).kind;
    enum path_kind two = place_of(b, 0).kind;

    if (one != two)
        return one < two;
    if (place_of(a, 0).path_bytes != place_of(b, 0).path_bytes)
        return false; /* the wider one is the shorter prefix */
    if ((a->methods.count > 0) != (b->methods.count > 0))
        return a->methods.count > 0;
    if (a->header_count != b->header_count)
        return a->header_count > b->header_count;
    return strcmp(a->name, b->name) < 0;
}

static bool shadows(const struct conf_route *a, const struct conf_route *b)
{
    struct place one = place_of(a, 0);
    struct place two = place_of(b, 0);

    if (a == b || a->priority < b->priority || !covers_path(&one, &two) || !covers_rest(a, b))
        return false;
    if (a->priority > b->priority)
        return covers_hosts(a, b);
    return (a->hosts.count > 0) == (b->hosts.count > 0) && has_all(&b->hosts, &a->hosts) &&
           goes_first(a, b);
}

/* The places equal to `wanted`. */
static const struct place *range(const struct places *places, const struct place *wanted,
                                 size_t *count_out)
{
    const struct place *end = places->items + places->count;
    const struct place *found = places->count > 0 ? bsearch(wanted, places->items, places->count,
                                                            sizeof(*wanted), compare_places)
                                                  : NULL;
    const struct place *first = found;

    *count_out = 0;
    if (found == NULL)
        return NULL;
    while (first > places->items && compare_places(first - 1, wanted) == 0)
        first--;
    while (first + *count_out < end && compare_places(first + *count_out, wanted) == 0)
        ++*count_out;
    return first;
}

typedef bool relation_fn(const struct conf_route *a, const struct conf_route *b);

static const struct conf_route *find_among(const struct places *places, const struct place *wanted,
                                           const struct conf_route *route, relation_fn *holds)
{
    size_t count;
    const struct place *at = range(places, wanted, &count);

    for (size_t i = 0; i < count; i++)
        if (at[i].route != route && holds(at[i].route, route))
            return at[i].route;
    return NULL;
}

static const struct conf_route *shadow_of(const struct places *places,
                                          const struct conf_route *route)
{
    struct place own = place_of(route, 0);
    struct place every = {.host = own.host, .kind = PATH_REGEX, .path = ""};
    const struct conf_route *found = find_among(places, &own, route, shadows);

    if (found == NULL)
        found = find_among(places, &every, route, shadows);
    for (size_t i = 0; i < places->urgent_count && found == NULL; i++)
        if (places->urgent[i]->priority > route->priority && shadows(places->urgent[i], route))
            found = places->urgent[i];
    return found;
}

static bool is_twin(const struct conf_route *a, const struct conf_route *b)
{
    return a->priority == b->priority && strcmp(a->name, b->name) < 0 && is_identical(a, b);
}

void route_cannot_match(struct detect_run *run)
{
    struct places places;

    places_init(&places, run->conf);
    FOR_ROUTES(run, route)
    {
        const struct conf_route *other = shadow_of(&places, route);

        if (other == NULL || is_twin(other, route)) /* R003 says so */
            continue;
        if (other->priority > route->priority)
            detect_report(run, AT("routes", route->name),
                          "route %s (priority %d) matches all that it does and goes first",
                          other->name, other->priority);
        else
            detect_report(run, AT("routes", route->name),
                          "route %s matches all that it does and goes first", other->name);
    }
    places_fini(&places);
}

void same_conditions(struct detect_run *run)
{
    struct places places;

    places_init(&places, run->conf);
    FOR_ROUTES(run, route)
    {
        struct place own = place_of(route, 0);
        const struct conf_route *other = find_among(&places, &own, route, is_twin);

        if (other != NULL)
            detect_report(run, AT("routes", route->name),
                          "has the same conditions as route %s, which goes first by its name",
                          other->name);
    }
    places_fini(&places);
}

/* ---- R002 ---- */

static const char *repeated(const struct conf_strings *list)
{
    for (size_t i = 1; i < list->count && list->count <= 200; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(list->items[i], list->items[j]) == 0)
                return list->items[i];
    return NULL;
}

/* They share the host that they were found under, and neither is above all of the other. */
static bool overlaps(const struct conf_route *a, const struct conf_route *b)
{
    return a->priority == b->priority && strcmp(a->name, b->name) < 0 && same_rest(a, b) &&
           !same_texts(&a->hosts, &b->hosts) && !shadows(a, b);
}

static void check_shared_hosts(struct detect_run *run, const struct places *places,
                               const struct conf_route *route)
{
    for (size_t host = 0; host < route->hosts.count; host++) {
        struct place own = place_of(route, host);
        const struct conf_route *other = find_among(places, &own, route, overlaps);

        if (other == NULL)
            continue;
        detect_report(run, AT("routes", route->name, "hosts"),
                      "requests for %s match route %s too, which goes first by its name", own.host,
                      other->name);
        return;
    }
}

void match_stands_twice(struct detect_run *run)
{
    struct places places;

    places_init(&places, run->conf);
    FOR_ROUTES(run, route)
    {
        const char *host = repeated(&route->hosts);
        const char *method = repeated(&route->methods);

        if (host != NULL)
            detect_report(run, AT("routes", route->name, "hosts"), "\"%s\" stands twice", host);
        if (method != NULL)
            detect_report(run, AT("routes", route->name, "methods"), "\"%s\" stands twice", method);
        check_shared_hosts(run, &places, route);
    }
    places_fini(&places);
}
