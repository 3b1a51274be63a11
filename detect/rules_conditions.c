/*
 * rules_conditions - which routes stand in each other's way (R001, R002, R003).
 *
 * A route can never match when another one matches all that it does and goes first.  Precedence is
 * that of proxy/route: priority, host, path, methods, number of headers, name.  So only three kinds
 * of others can be above all of a route: one of higher priority, one with the same host and path,
 * and one whose regular expression takes every path of the same host.  The last two are found in a
 * list sorted by host and path.  Thousands of routes at one host and path would be compared each
 * with each: that ends at a limit, and is told.
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

enum { COMPARISONS_MAX = 3000000 };

/* A route under one of its hosts. */
struct place {
    const struct conf_route *route;
    const char *host; /* "": any */
    enum path_kind kind;
    const char *path;
    size_t path_bytes; /* a prefix without slashes at its end; every path: "" */
    size_t start;      /* of the places that are equal to it, and how many they are */
    size_t equals;
};

struct places {
    const struct configuration *conf;
    struct place *items;
    size_t count;
    struct place *first; /* by the route's place in the configuration: under its first host */
    size_t budget;       /* of comparisons; 0: not all was compared */
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

static void mark_equals(struct places *places)
{
    for (size_t start = 0, end; start < places->count; start = end) {
        for (end = start + 1; end < places->count; end++)
            if (compare_places(&places->items[start], &places->items[end]) != 0)
                break;
        for (size_t i = start; i < end; i++) {
            places->items[i].start = start;
            places->items[i].equals = end - start;
        }
    }
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
        .conf = conf,
        .budget = COMPARISONS_MAX,
        .first = xcalloc(conf->route_count + 1, sizeof(*places->first)),
        .items = xcalloc(room + 1, sizeof(*places->items)),
        .urgent = xcalloc(conf->route_count + 1, sizeof(struct conf_route *)),
    };
    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_route *route = &conf->routes[i];

        places->first[i] = place_of(route, 0);
        for (size_t host = 0; host == 0 || host < route->hosts.count; host++)
            places->items[places->count++] = place_of(route, host);
        if (route->priority > lowest)
            places->urgent[places->urgent_count++] = route;
    }
    qsort(places->items, places->count, sizeof(*places->items), compare_places);
    mark_equals(places);
}

static void places_fini(struct detect_run *run, struct places *places)
{
    if (places->budget == 0)
        detect_report_unknown(
            run, AT("routes"),
            "%zu routes are too many at one host and path, or of one priority, to "
            "compare each with each",
            run->conf->route_count);
    xfree(places->first);
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

static const struct place *first_of(const struct places *places, const struct conf_route *route)
{
    return &places->first[route - places->conf->routes];
}

static bool is_identical(const struct places *places, const struct conf_route *a,
                         const struct conf_route *b)
{
    const struct place *one = first_of(places, a);
    const struct place *two = first_of(places, b);

    return one->kind == two->kind && one->path_bytes == two->path_bytes &&
           memcmp(one->path, two->path, one->path_bytes) == 0 && same_rest(a, b) &&
           same_texts(&a->hosts, &b->hosts);
}

/* Where both match, `a` goes first; they have priority and hosts in common, and `a` covers `b`. */
static bool goes_first(const struct places *places, const struct conf_route *a,
                       const struct conf_route *b)
{
    const struct place *one = first_of(places, a);
    const struct place *two = first_of(places, b);

    if (one->kind != two->kind)
        return one->kind < two->kind;
    if (one->path_bytes != two->path_bytes)
        return false; /* the wider one is the shorter prefix */
    if ((a->methods.count > 0) != (b->methods.count > 0))
        return a->methods.count > 0;
    if (a->header_count != b->header_count)
        return a->header_count > b->header_count;
    return strcmp(a->name, b->name) < 0;
}

static bool shadows(const struct places *places, const struct conf_route *a,
                    const struct conf_route *b)
{
    if (a == b || a->priority < b->priority || a->header_count > b->header_count ||
        !covers_path(first_of(places, a), first_of(places, b)) || !covers_rest(a, b))
        return false;
    if (a->priority > b->priority)
        return covers_hosts(a, b);
    return (a->hosts.count > 0) == (b->hosts.count > 0) && has_all(&b->hosts, &a->hosts) &&
           goes_first(places, a, b);
}

/* The places equal to `wanted`. */
static const struct place *range(const struct places *places, const struct place *wanted,
                                 size_t *count_out)
{
    const struct place *found = places->count > 0 ? bsearch(wanted, places->items, places->count,
                                                            sizeof(*wanted), compare_places)
                                                  : NULL;

    *count_out = found != NULL ? found->equals : 0;
    return found != NULL ? places->items + found->start : NULL;
}

typedef bool relation_fn(const struct places *places, const struct conf_route *a,
                         const struct conf_route *b);

/* One comparison more; false: enough. */
static bool spend(struct places *places)
{
    if (places->budget > 0)
        places->budget--;
    return places->budget > 0;
}

static const struct conf_route *find_among(struct places *places, const struct place *wanted,
                                           const struct conf_route *route, relation_fn *holds)
{
    size_t count;
    const struct place *at = range(places, wanted, &count);

    for (size_t i = 0; i < count && spend(places); i++)
        if (at[i].route != route && holds(places, at[i].route, route))
            return at[i].route;
    return NULL;
}

static const struct conf_route *shadow_of(struct places *places, const struct conf_route *route)
{
    struct place own = *first_of(places, route);
    struct place every = {.host = own.host, .kind = PATH_REGEX, .path = ""};
    const struct conf_route *found = find_among(places, &own, route, shadows);

    if (found == NULL)
        found = find_among(places, &every, route, shadows);
    for (size_t i = 0; i < places->urgent_count && found == NULL && spend(places); i++)
        if (places->urgent[i]->priority > route->priority &&
            shadows(places, places->urgent[i], route))
            found = places->urgent[i];
    return found;
}

static bool is_twin(const struct places *places, const struct conf_route *a,
                    const struct conf_route *b)
{
    return a->priority == b->priority && strcmp(a->name, b->name) < 0 && is_identical(places, a, b);
}

void route_cannot_match(struct detect_run *run)
{
    struct places places;

    places_init(&places, run->conf);
    FOR_ROUTES(run, route)
    {
        const struct conf_route *other = shadow_of(&places, route);

        if (other == NULL || is_twin(&places, other, route)) /* R003 says so */
            continue;
        if (other->priority > route->priority)
            detect_report(run, AT("routes", route->name),
                          "route %s (priority %d) matches all that it does and goes first",
                          other->name, other->priority);
        else
            detect_report(run, AT("routes", route->name),
                          "route %s matches all that it does and goes first", other->name);
    }
    places_fini(run, &places);
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
    places_fini(run, &places);
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
static bool overlaps(const struct places *places, const struct conf_route *a,
                     const struct conf_route *b)
{
    return a->priority == b->priority && strcmp(a->name, b->name) < 0 && same_rest(a, b) &&
           !same_texts(&a->hosts, &b->hosts) && !shadows(places, a, b);
}

static void check_shared_hosts(struct detect_run *run, struct places *places,
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
    places_fini(run, &places);
}
