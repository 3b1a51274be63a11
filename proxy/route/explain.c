/*
 * explain - why this route and not the others, for people; route by route, without the table.
 *
 * Says the same as route_match() by another way: every route is held against the request, and
 * the best of those that fit is chosen by comparing.  The tests hold one against the other.
 *
 * Owner    the caller.      Threads  any, with a scratch of its own
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "proxy/route/internal.h"

/* How near a route came; in the order in which routes are told. */
enum nearness { FITS, CONDITION_FAILS, OTHER_PATH, OTHER_HOST };
enum host_rank { RANK_EXACT, RANK_WILDCARD, RANK_ANY, RANK_OTHER };

struct verdict {
    const struct route *route;
    enum nearness nearness;
    enum host_rank host;
    size_t host_bytes; /* of the wildcard's suffix */
    bool gave_up;
};

static enum host_rank rank_host(struct slice wanted, struct slice host, size_t *bytes_out)
{
    *bytes_out = 0;
    if (slice_equal(wanted, host))
        return RANK_EXACT;
    if (wanted.len <= 2 || wanted.at[0] != '*' || wanted.at[1] != '.')
        return RANK_OTHER;
    struct slice suffix = slice_after(wanted, 1); /* with its dot */
    if (host.len <= suffix.len || !slice_equal(slice_after(host, host.len - suffix.len), suffix))
        return RANK_OTHER;
    *bytes_out = suffix.len;
    return RANK_WILDCARD;
}

static void judge_host(struct verdict *verdict, struct slice host)
{
    const struct route *route = verdict->route;

    verdict->host = route->host_count == 0 ? RANK_ANY : RANK_OTHER;
    verdict->host_bytes = 0;
    for (size_t i = 0; i < route->host_count && host.len > 0; i++) {
        size_t bytes;
        enum host_rank rank = rank_host(route->hosts[i], host, &bytes);

        if (rank > verdict->host || (rank == verdict->host && bytes <= verdict->host_bytes))
            continue;
        verdict->host = rank;
        verdict->host_bytes = bytes;
    }
}

static bool fits_path(struct verdict *verdict, struct route_scratch *scratch, struct slice path)
{
    const struct route *route = verdict->route;

    if (route->kind == PATH_EXACT)
        return slice_equal(route->path, path);
    if (route->kind == PATH_PREFIX)
        return slice_starts_with(path, route->path) &&
               (path.len == route->path.len || route->path.len == 0 ||
                path.at[route->path.len] == '/');
    enum regex_result result = route_regex_match(route->regex, scratch, path);
    verdict->gave_up = result == REGEX_GAVE_UP;
    return result != REGEX_NO_MATCH;
}

static void judge(struct verdict *verdict, struct route_scratch *scratch,
                  const struct route_query *query)
{
    judge_host(verdict, query->host);
    if (verdict->host == RANK_OTHER)
        verdict->nearness = OTHER_HOST;
    else if (!fits_path(verdict, scratch, query->path))
        verdict->nearness = OTHER_PATH;
    else if (!route_conditions_hold(verdict->route, query, NULL))
        verdict->nearness = CONDITION_FAILS;
    else
        verdict->nearness = FITS;
}

/* Of `b`, which comes after `a` in precedence: the first thing in which it is behind. */
static const char *behind(const struct verdict *a, const struct verdict *b)
{
    if (a->route->priority != b->route->priority)
        return "lower priority";
    if (a->host != b->host || a->host_bytes != b->host_bytes)
        return b->host == RANK_ANY ? "any host, the other names it" : "less specific host";
    if (a->route->kind != b->route->kind && b->route->kind == PATH_REGEX)
        return "regular expression, the other is an exact path";
    if (a->route->kind != b->route->kind)
        return a->route->kind == PATH_EXACT ? "prefix, the other is an exact path"
                                            : "prefix, the other is a regular expression";
    if (a->route->kind == PATH_PREFIX && a->route->path.len != b->route->path.len)
        return "shorter prefix";
    if ((a->route->method_count > 0) != (b->route->method_count > 0))
        return "any method, the other names it";
    if (a->route->header_count != b->route->header_count)
        return "fewer headers";
    return "later name";
}

static int compare_fitting(const struct verdict *a, const struct verdict *b)
{
    const struct route *x = a->route, *y = b->route;

    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (a->host != b->host)
        return a->host < b->host ? -1 : 1;
    if (a->host_bytes != b->host_bytes)
        return a->host_bytes > b->host_bytes ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->kind == PATH_PREFIX && x->path.len != y->path.len)
        return x->path.len > y->path.len ? -1 : 1;
    return route_compare(x, y);
}

static int compare_verdicts(const void *a, const void *b)
{
    const struct verdict *x = a, *y = b;

    if (x->nearness != y->nearness)
        return x->nearness < y->nearness ? -1 : 1;
    return compare_fitting(x, y);
}

static const char *why_not(const struct verdict *best, const struct verdict *verdict,
                           const struct route_query *query, char text[WHY_BYTES])
{
    if (verdict->nearness == OTHER_HOST)
        return "other host";
    if (verdict->nearness == OTHER_PATH)
        return "other path";
    if (verdict->nearness == CONDITION_FAILS) {
        route_conditions_hold(verdict->route, query, text);
        return text;
    }
    if (verdict->gave_up)
        return "its regular expression gave up on this path: no route is given";
    return verdict == best ? NULL : behind(best, verdict);
}

int route_explain(const struct route_table *table, struct route_scratch *scratch,
                  const struct route_query *query, route_explain_fn *tell, void *context)
{
    size_t count;
    const struct route *routes = route_table_routes(table, &count);
    struct verdict *verdicts = xcalloc(count + 1, sizeof(*verdicts));
    char text[WHY_BYTES];
    int chosen = ROUTE_NONE;

    for (size_t i = 0; i < count; i++) {
        verdicts[i].route = &routes[i];
        judge(&verdicts[i], scratch, query);
    }
    qsort(verdicts, count, sizeof(*verdicts), compare_verdicts);
    if (count > 0 && verdicts[0].nearness == FITS && !verdicts[0].gave_up)
        chosen = (int)(verdicts[0].route - routes);
    for (size_t i = 0; i < count; i++)
        tell(context, (int)(verdicts[i].route - routes),
             why_not(&verdicts[0], &verdicts[i], query, text));
    xfree(verdicts);
    return chosen;
}
