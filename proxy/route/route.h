/*
 * route - which route serves this request: host and path to an index, pure.
 *
 * Precedence, as in the Kubernetes Gateway API: higher `priority`; exact host, longest wildcard,
 * any host; exact path, regular expression, longest prefix by whole segments; methods; more
 * headers; the name.  Look-up is a hash step per host label and per path segment, whatever the
 * number of routes.
 *
 * Owner    whoever called route_table_build().  Threads  read-only afterwards: any, each with
 *          its own scratch.
 */
#ifndef PROXY_ROUTE_ROUTE_H
#define PROXY_ROUTE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct error;
struct route_scratch;
struct route_table;

enum { ROUTE_NONE = -1 };

struct route_condition_header {
    struct slice name; /* lower case */
    struct slice value;
};

/* What must hold for one route; borrowed during route_table_build() only. */
struct route_spec {
    const char *name;
    const char *const *hosts; /* lower case; "*.x" matches one or more labels before x */
    size_t host_count;        /* 0: any */
    const char *path;         /* at most one of these three */
    const char *path_prefix;
    const char *path_regex; /* PCRE2; must match the whole path, as if between ^ and $ */
    const char *const *methods;
    size_t method_count;
    const struct route_condition_header *headers;
    size_t header_count;
    const uint32_t *listeners; /* indexes; 0 of them: any */
    size_t listener_count;
    int scheme; /* 0 any, 1 http, 2 https */
    int32_t priority;
};

/* Gives the value of the request's header, false when it has none. */
typedef bool route_header_fn(void *context, struct slice name, struct slice *value_out);

struct route_query {
    struct slice host; /* lower case, without port and trailing dot; may be empty */
    struct slice path; /* in normal form, without query */
    struct slice method;
    uint32_t listener;
    bool is_https;
    route_header_fn *header;
    void *header_context;
};

/* NULL and `why` when a regular expression does not compile (names the route, the place in the
 * expression, and what is wrong) or a prefix does not begin with a slash.  Spec i is route i. */
struct route_table *route_table_build(const struct route_spec *specs, size_t count,
                                      struct error *why);
void route_table_free(struct route_table **table);

/* Memory that matching regular expressions needs; one a thread, serves any table. */
struct route_scratch *route_scratch_new(void);
void route_scratch_free(struct route_scratch **scratch);

/* The index of the route, or ROUTE_NONE: nothing matches, or a regular expression that could have
 * decided gave up (its steps are bounded), since a laxer route must not be got by a hard path. */
int route_match(const struct route_table *table, struct route_scratch *scratch,
                const struct route_query *query);

struct route_hit {
    int route; /* or ROUTE_NONE */
    /* How much of the path the route's path_prefix covers: what is left is empty or begins with
     * a slash.  0 for the prefix "/" and for routes without one. */
    size_t prefix_bytes;
};

/* As route_match(). */
int route_match_hit(const struct route_table *table, struct route_scratch *scratch,
                    const struct route_query *query, struct route_hit *hit_out);

/* For people: calls `tell` for every route, best first (those that fit, that some condition keeps
 * out, of another path, of another host), with why it was not chosen (NULL for the one that was).
 * The text lives until `tell` returns.  Slow. */
typedef void route_explain_fn(void *context, int route, const char *why_not);
int route_explain(const struct route_table *table, struct route_scratch *scratch,
                  const struct route_query *query, route_explain_fn *tell, void *context);

#endif
