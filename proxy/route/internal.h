/*
 * internal - a route as it is kept, and what the files of this folder share.
 *
 * Owner    the route table.      Threads  read-only once built: any
 */
#ifndef PROXY_ROUTE_INTERNAL_H
#define PROXY_ROUTE_INTERNAL_H

#include "proxy/route/route.h"

struct arena;
struct route_regex;

/* Of the path's condition; in order of precedence. */
enum path_kind { PATH_EXACT, PATH_REGEX, PATH_PREFIX };

struct route {
    const char *name;
    struct slice *hosts; /* "*.x" as written */
    size_t host_count;   /* 0: any */
    enum path_kind kind;
    struct slice path; /* exact, or prefix without slashes at its end: empty matches all */
    struct route_regex *regex;
    struct slice *methods;
    size_t method_count;
    struct route_condition_header *headers;
    size_t header_count;
    uint32_t *listeners;
    size_t listener_count;
    int scheme;
    int32_t priority;
};

/* Everything but host and path; `why_not` (NULL: not asked) gets what fails. */
enum { WHY_BYTES = 400 };
bool route_conditions_hold(const struct route *route, const struct route_query *query,
                           char why_not[WHY_BYTES]);

/* Precedence of two routes whose hosts and paths are equally specific, as qsort() has it. */
int route_compare(const struct route *a, const struct route *b);

const struct route *route_table_routes(const struct route_table *table, size_t *count_out);

/* ---- regex.c ---- */

enum regex_result { REGEX_NO_MATCH, REGEX_MATCH, REGEX_GAVE_UP };

/* NULL and `why`, which names the route and the place. */
struct route_regex *route_regex_new(const char *route, const char *expression, struct error *why);
void route_regex_free(struct route_regex **regex);
enum regex_result route_regex_match(const struct route_regex *regex, struct route_scratch *scratch,
                                    struct slice path);

/* ---- map.c: (owner, text) to a number ---- */

/* Half a cache line; most segments of paths fit in, so that comparing one costs nothing more. */
enum { ROUTE_MAP_INLINE = 12 };
struct route_map_slot {
    uint64_t hash; /* 0: empty */
    uint32_t owner;
    uint32_t value;
    uint32_t len;
    char text[ROUTE_MAP_INLINE]; /* or, of a longer one, where it is: borrowed */
};

struct route_map {
    struct route_map_slot *slots;
    uint32_t mask;
    uint32_t count;
};

uint64_t route_map_hash(struct slice text);
/* The value there is, or `otherwise` put there. */
uint32_t route_map_add(struct route_map *map, uint32_t owner, struct slice text,
                       uint32_t otherwise);
/* `hash` is route_map_hash(text). */
bool route_map_find(const struct route_map *map, uint32_t owner, uint64_t hash, struct slice text,
                    uint32_t *value_out);
void route_map_fini(struct route_map *map);

#endif
