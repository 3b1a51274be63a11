/*
 * route - the table: hosts by hash, exact paths by hash, prefixes as a tree of segments.
 *
 *   site     what belongs to one host, one wildcard, or any host
 *   node     one prefix of a site; a child is found by (node, next segment)
 *   bucket   routes equally specific in host and path, in order of precedence
 *
 * A request meets at most one site a label and one node a segment.  They are met from the most
 * to the least specific, so the first route that fits wins, unless one further on has a higher
 * priority: what cannot, is skipped.  Where a regular expression gives up, no route is given at
 * all: a request that is hard on an expression must not get past it to a laxer route.
 *
 * Owner    whoever called route_table_build().      Threads  read-only once built: any
 */
#include "proxy/route/route.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "proxy/route/internal.h"

enum { TABLE_TAG = 0x52544142, NOTHING = UINT32_MAX };
enum host_kind { HOST_EXACT, HOST_WILDCARD };

/* Repeats of its route what look-ups need first, to spare them a cache line. */
struct entry {
    uint32_t route;
    uint32_t next;
    int32_t priority;
    bool is_plain; /* no condition but host and exact path or prefix */
};

struct bucket {
    uint32_t first; /* entry, or NOTHING */
    uint32_t last;
};

struct node {
    struct bucket bucket;
    uint32_t parent; /* NOTHING: a site's root */
    uint32_t prefix_bytes;
    bool has_children;
};

struct site {
    struct bucket regexes;
    uint32_t root;
    bool has_exact;
    int32_t top_priority;
};

struct route_table {
    uint32_t tag;
    struct arena *arena;
    struct route *routes;
    size_t count;
    struct entry *entries;
    uint32_t entry_count, entry_room;
    struct node *nodes;
    uint32_t node_count, node_room;
    struct site *sites;
    uint32_t site_count, site_room;
    struct bucket *exact; /* by value of `paths` */
    uint32_t exact_count, exact_room;
    struct route_map hosts;    /* (host_kind, host or suffix) to site */
    struct route_map paths;    /* (site, path) to exact bucket */
    struct route_map children; /* (node, segment) to node */
    uint32_t any_site;         /* or NOTHING */
    size_t longest_suffix;     /* of the wildcards; 0: none */
    int32_t top_priority;
};

/* ---- building ---- */

static void *with_room(void *items, uint32_t count, uint32_t *room, size_t item_bytes)
{
    if (count < *room)
        return items;
    *room = *room == 0 ? 16 : *room * 2;
    return xrealloc(items, *room * item_bytes);
}

static struct slice copy(struct arena *arena, const char *text)
{
    return arena_slice(arena, slice_from(text));
}

static struct slice *copy_all(struct arena *arena, const char *const *texts, size_t count)
{
    struct slice *copies = arena_array(arena, count, sizeof(*copies));

    for (size_t i = 0; i < count; i++)
        copies[i] = copy(arena, texts[i]);
    return copies;
}

static struct slice without_end_slashes(struct slice path)
{
    while (path.len > 0 && path.at[path.len - 1] == '/')
        path.len--;
    return path;
}

static bool path_is_well_formed(const struct route_spec *spec, struct error *why)
{
    if (spec->path_prefix == NULL || spec->path_prefix[0] == '/' || spec->path_prefix[0] == '\0')
        return true;
    error_set(why, ERROR_INVALID, "route %s: path_prefix \"%s\" does not begin with a slash",
              spec->name, spec->path_prefix);
    return false;
}

static void copy_path(struct arena *arena, struct route *route, const struct route_spec *spec)
{
    if (spec->path != NULL) {
        route->kind = PATH_EXACT;
        route->path = copy(arena, spec->path);
    } else if (spec->path_regex != NULL) {
        route->kind = PATH_REGEX;
        route->path = copy(arena, spec->path_regex);
    } else {
        route->kind = PATH_PREFIX;
        route->path =
            without_end_slashes(copy(arena, spec->path_prefix == NULL ? "" : spec->path_prefix));
    }
}

static void copy_route(struct arena *arena, struct route *route, const struct route_spec *spec)
{
    route->name = arena_strdup(arena, spec->name);
    route->hosts = copy_all(arena, spec->hosts, spec->host_count);
    route->host_count = spec->host_count;
    route->methods = copy_all(arena, spec->methods, spec->method_count);
    route->method_count = spec->method_count;
    route->headers = arena_array(arena, spec->header_count, sizeof(*route->headers));
    route->header_count = spec->header_count;
    for (size_t i = 0; i < spec->header_count; i++) {
        route->headers[i].name = arena_slice(arena, spec->headers[i].name);
        route->headers[i].value = arena_slice(arena, spec->headers[i].value);
    }
    route->listeners = arena_array(arena, spec->listener_count, sizeof(*route->listeners));
    route->listener_count = spec->listener_count;
    for (size_t i = 0; i < spec->listener_count; i++)
        route->listeners[i] = spec->listeners[i];
    route->scheme = spec->scheme;
    route->priority = spec->priority;
    copy_path(arena, route, spec);
}

static const struct bucket no_bucket = {NOTHING, NOTHING};

static uint32_t node_new(struct route_table *table, uint32_t parent, size_t prefix_bytes)
{
    table->nodes =
        with_room(table->nodes, table->node_count, &table->node_room, sizeof(*table->nodes));
    table->nodes[table->node_count] =
        (struct node){no_bucket, parent, (uint32_t)prefix_bytes, false};
    return table->node_count++;
}

static uint32_t site_new(struct route_table *table)
{
    table->sites =
        with_room(table->sites, table->site_count, &table->site_room, sizeof(*table->sites));
    uint32_t root = node_new(table, NOTHING, 0);
    table->sites[table->site_count] = (struct site){no_bucket, root, false, INT32_MIN};
    return table->site_count++;
}

static uint32_t site_of(struct route_table *table, struct slice host)
{
    bool is_wildcard = host.len > 2 && host.at[0] == '*' && host.at[1] == '.';
    struct slice text = is_wildcard ? slice_after(host, 2) : host;
    uint32_t next = table->site_count;
    uint32_t site =
        route_map_add(&table->hosts, is_wildcard ? HOST_WILDCARD : HOST_EXACT, text, next);

    if (is_wildcard && text.len > table->longest_suffix)
        table->longest_suffix = text.len;
    return site == next ? site_new(table) : site;
}

/* Takes the next segment of `path` from `*at` (a slash) on; `*at` moves to its end. */
static struct slice next_segment(struct slice path, size_t *at)
{
    size_t begin = *at + 1, end = begin;

    while (end < path.len && path.at[end] != '/')
        end++;
    *at = end;
    return slice_of(path.at + begin, end - begin);
}

static uint32_t node_of(struct route_table *table, uint32_t site, struct slice prefix)
{
    uint32_t node = table->sites[site].root;

    for (size_t at = 0; at < prefix.len;) {
        struct slice segment = next_segment(prefix, &at);
        uint32_t next = table->node_count;
        uint32_t child = route_map_add(&table->children, node, segment, next);

        table->nodes[node].has_children = true;
        node = child == next ? node_new(table, node, at) : child;
    }
    return node;
}

static struct bucket *exact_of(struct route_table *table, uint32_t site, struct slice path)
{
    uint32_t next = table->exact_count;
    uint32_t at = route_map_add(&table->paths, site, path, next);

    table->sites[site].has_exact = true;
    if (at < next)
        return &table->exact[at];
    table->exact =
        with_room(table->exact, table->exact_count, &table->exact_room, sizeof(*table->exact));
    table->exact[table->exact_count++] = no_bucket;
    return &table->exact[at];
}

static bool is_plain(const struct route *route)
{
    return route->kind != PATH_REGEX && route->method_count == 0 && route->header_count == 0 &&
           route->listener_count == 0 && route->scheme == 0;
}

static void append(struct route_table *table, struct bucket *bucket, uint32_t route)
{
    uint32_t at = table->entry_count;

    table->entries =
        with_room(table->entries, table->entry_count, &table->entry_room, sizeof(*table->entries));
    table->entries[table->entry_count++] = (struct entry){
        route, NOTHING, table->routes[route].priority, is_plain(&table->routes[route])};
    if (bucket->first == NOTHING)
        bucket->first = at;
    else
        table->entries[bucket->last].next = at;
    bucket->last = at;
}

static void add_to_site(struct route_table *table, uint32_t site, uint32_t index)
{
    const struct route *route = &table->routes[index];

    if (route->priority > table->sites[site].top_priority)
        table->sites[site].top_priority = route->priority;
    if (route->kind == PATH_EXACT) {
        append(table, exact_of(table, site, route->path), index);
    } else if (route->kind == PATH_REGEX) {
        append(table, &table->sites[site].regexes, index);
    } else {
        uint32_t node = node_of(table, site, route->path);

        append(table, &table->nodes[node].bucket, index);
    }
}

static void add_route(struct route_table *table, uint32_t index)
{
    const struct route *route = &table->routes[index];

    if (route->priority > table->top_priority)
        table->top_priority = route->priority;
    for (size_t i = 0; i < route->host_count; i++)
        add_to_site(table, site_of(table, route->hosts[i]), index);
    if (route->host_count > 0)
        return;
    if (table->any_site == NOTHING)
        table->any_site = site_new(table);
    add_to_site(table, table->any_site, index);
}

static int compare_pointers(const void *a, const void *b)
{
    return route_compare(*(const struct route *const *)a, *(const struct route *const *)b);
}

/* In order of precedence, so that each bucket is. */
static void add_all(struct route_table *table)
{
    const struct route **ordered = xcalloc(table->count + 1, sizeof(struct route *));

    for (size_t i = 0; i < table->count; i++)
        ordered[i] = &table->routes[i];
    qsort(ordered, table->count, sizeof(struct route *), compare_pointers);
    for (size_t i = 0; i < table->count; i++)
        add_route(table, (uint32_t)(ordered[i] - table->routes));
    xfree(ordered);
}

static bool add_regex(struct route *route, struct error *why)
{
    if (route->kind == PATH_REGEX)
        route->regex = route_regex_new(route->name, route->path.at, why);
    return route->kind != PATH_REGEX || route->regex != NULL;
}

struct route_table *route_table_build(const struct route_spec *specs, size_t count,
                                      struct error *why)
{
    struct route_table *table = xcalloc(1, sizeof(*table));

    table->tag = TABLE_TAG;
    table->arena = arena_new(64 * 1024);
    table->routes = arena_array(table->arena, count, sizeof(*table->routes));
    table->count = count;
    table->any_site = NOTHING;
    table->top_priority = INT32_MIN;
    for (size_t i = 0; i < count; i++) {
        copy_route(table->arena, &table->routes[i], &specs[i]);
        if (path_is_well_formed(&specs[i], why) && add_regex(&table->routes[i], why))
            continue;
        route_table_free(&table);
        return NULL;
    }
    add_all(table);
    return table;
}

void route_table_free(struct route_table **table)
{
    struct route_table *gone = TAKE_POINTER(table);

    if (gone == NULL)
        return;
    CHECK_OBJ(gone, TABLE_TAG);
    gone->tag = 0;
    for (size_t i = 0; i < gone->count; i++)
        route_regex_free(&gone->routes[i].regex);
    route_map_fini(&gone->hosts);
    route_map_fini(&gone->paths);
    route_map_fini(&gone->children);
    xfree(gone->entries);
    xfree(gone->nodes);
    xfree(gone->sites);
    xfree(gone->exact);
    arena_free(&gone->arena);
    xfree(gone);
}

const struct route *route_table_routes(const struct route_table *table, size_t *count_out)
{
    CHECK_OBJ(table, TABLE_TAG);
    *count_out = table->count;
    return table->routes;
}

/* ---- look-up ---- */

struct search {
    const struct route_table *table;
    struct route_scratch *scratch;
    const struct route_query *query;
    struct route_hit best;
    int32_t priority; /* of the best */
    bool gave_up;     /* the best's regular expression did */
    bool has_path_hash;
    uint64_t path_hash;
};

static inline bool is_decided(const struct search *search)
{
    return search->gave_up ||
           (search->best.route != ROUTE_NONE && search->priority >= search->table->top_priority);
}

static bool fits(const struct search *search, const struct entry *entry, bool *gave_up_out)
{
    const struct route *route = &search->table->routes[entry->route];

    *gave_up_out = false;
    if (entry->is_plain)
        return true;
    if (!route_conditions_hold(route, search->query, NULL))
        return false;
    if (route->kind != PATH_REGEX)
        return true;
    enum regex_result result =
        route_regex_match(route->regex, search->scratch, search->query->path);
    *gave_up_out = result == REGEX_GAVE_UP;
    return result != REGEX_NO_MATCH;
}

static void look_into(struct search *search, const struct bucket *bucket, size_t prefix_bytes)
{
    const struct entry *entries = search->table->entries;
    bool gave_up;

    for (uint32_t at = bucket->first; at != NOTHING; at = entries[at].next) {
        if (search->best.route != ROUTE_NONE && entries[at].priority <= search->priority)
            return;
        if (!fits(search, &entries[at], &gave_up))
            continue;
        search->best = (struct route_hit){(int)entries[at].route, prefix_bytes};
        search->priority = entries[at].priority;
        search->gave_up = gave_up;
        return;
    }
}

static void look_for_exact(struct search *search, uint32_t site)
{
    uint32_t at;

    if (!search->has_path_hash) {
        search->path_hash = route_map_hash(search->query->path);
        search->has_path_hash = true;
    }
    if (route_map_find(&search->table->paths, site, search->path_hash, search->query->path, &at))
        look_into(search, &search->table->exact[at], 0);
}

/* Down as far as the path's segments lead, then up again: the longest prefix first. */
static void look_for_prefixes(struct search *search, uint32_t root)
{
    const struct route_table *table = search->table;
    struct slice path = search->query->path;
    uint32_t node = root;

    for (size_t at = 0; at < path.len && path.at[at] == '/' && table->nodes[node].has_children;) {
        struct slice segment = next_segment(path, &at);

        if (!route_map_find(&table->children, node, route_map_hash(segment), segment, &node))
            break;
    }
    for (; node != NOTHING && !is_decided(search); node = table->nodes[node].parent)
        look_into(search, &table->nodes[node].bucket, table->nodes[node].prefix_bytes);
}

static void look_at_site(struct search *search, uint32_t index)
{
    const struct site *site = &search->table->sites[index];

    if (search->best.route != ROUTE_NONE && site->top_priority <= search->priority)
        return;
    if (site->has_exact)
        look_for_exact(search, index);
    if (!is_decided(search))
        look_into(search, &site->regexes, 0);
    if (!is_decided(search))
        look_for_prefixes(search, site->root);
}

static void look_for_wildcards(struct search *search)
{
    const struct route_table *table = search->table;
    struct slice host = search->query->host;
    size_t at = 1;

    if (host.len > table->longest_suffix + 1)
        at = host.len - table->longest_suffix - 1;
    for (; at < host.len && !is_decided(search); at++) {
        struct slice suffix = slice_after(host, at + 1);
        uint32_t site;

        if (host.at[at] == '.' &&
            route_map_find(&table->hosts, HOST_WILDCARD, route_map_hash(suffix), suffix, &site))
            look_at_site(search, site);
    }
}

int route_match_hit(const struct route_table *table, struct route_scratch *scratch,
                    const struct route_query *query, struct route_hit *hit_out)
{
    struct search search = {.table = table, .scratch = scratch, .query = query};
    uint32_t site;

    CHECK_OBJ(table, TABLE_TAG);
    search.best = (struct route_hit){ROUTE_NONE, 0};
    if (query->host.len > 0 && table->hosts.count > 0) {
        if (route_map_find(&table->hosts, HOST_EXACT, route_map_hash(query->host), query->host,
                           &site))
            look_at_site(&search, site);
        if (table->longest_suffix > 0)
            look_for_wildcards(&search);
    }
    if (table->any_site != NOTHING && !is_decided(&search))
        look_at_site(&search, table->any_site);
    if (search.gave_up)
        search.best = (struct route_hit){ROUTE_NONE, 0};
    *hit_out = search.best;
    return search.best.route;
}

int route_match(const struct route_table *table, struct route_scratch *scratch,
                const struct route_query *query)
{
    struct route_hit hit;

    return route_match_hit(table, scratch, query, &hit);
}
