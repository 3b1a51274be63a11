/*
 * internal - what the rules share: where they report, and how they look things up.
 *
 * Owner    detect_run(), on its stack      Threads  any
 */
#ifndef DETECT_INTERNAL_H
#define DETECT_INTERNAL_H

#include "config/model.h"
#include "config/pointer.h"
#include "detect/detect.h"

struct touched;

struct detect_run {
    const struct detect_subject *subject;
    const struct configuration *conf; /* the target */
    const struct configuration *base; /* or NULL */
    const struct detect_rule *rule;   /* the one that is asked */
    struct findings *findings;
    struct pointer pointer;
    struct touched *touched; /* NULL: nobody has asked yet */
    size_t reported;         /* by this rule */
    size_t traffic_next;     /* the pool's traffic that is likely asked for next */
    bool is_unknown;
};

enum { DETECT_PER_RULE = 50, DETECT_PATH = 8 };

/* The way to a value, for the functions below. */
#define AT(...) ((const char *const[DETECT_PATH]){__VA_ARGS__})

/* A finding of the rule's own severity, with its remedy. */
void detect_report(struct detect_run *run, const char *const path[DETECT_PATH], const char *format,
                   ...) __attribute__((format(printf, 3, 4)));
void detect_report_as(struct detect_run *run, enum finding_severity severity,
                      const char *const path[DETECT_PATH], const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* What the rule needs is not known: info, and detect_passes() is told. */
void detect_report_unknown(struct detect_run *run, const char *const path[DETECT_PATH],
                           const char *format, ...) __attribute__((format(printf, 3, 4)));

/* NULL: traffic is not known.  A pool without requests gives zeros. */
const struct detect_pool_traffic *detect_traffic_of(struct detect_run *run, const char *pool);

/* What the change touches; there is a base. */
const struct touched *detect_touched(struct detect_run *run);

/* NULL when there is none so named. */
const struct conf_pool *detect_pool(const struct configuration *conf, const char *name);
const struct conf_server *detect_server(const struct conf_pool *pool, const char *name);
const struct conf_route *detect_route(const struct configuration *conf, const char *name);
const struct conf_listener *detect_listener(const struct configuration *conf, const char *name);
bool detect_has_text(const struct conf_strings *list, const char *text);
/* A route of the target leads to the pool. */
bool detect_leads_to(const struct conf_route *route, const char *pool);
/* Its path is no condition. */
bool detect_takes_every_path(const struct conf_route *route);

/* Makes info of what the target's suppressions name among the findings from `first` on, and tells
 * of those that name nothing; suppress.c. */
void detect_suppress(struct detect_run *run, size_t first);

/* No arithmetic on the null pointer that an empty list has. */
#define FOR_EACH(type, item, items, count)                                                         \
    for (const struct type *item = (items), *item##_end = (count) > 0 ? item + (count) : item;     \
         item != item##_end; item++)
#define FOR_POOLS(run, pool) FOR_EACH(conf_pool, pool, (run)->conf->pools, (run)->conf->pool_count)
#define FOR_SERVERS(pool, server)                                                                  \
    FOR_EACH(conf_server, server, (pool)->servers, (pool)->server_count)
#define FOR_ROUTES(run, route)                                                                     \
    FOR_EACH(conf_route, route, (run)->conf->routes, (run)->conf->route_count)
#define FOR_LISTENERS(run, listener)                                                               \
    FOR_EACH(conf_listener, listener, (run)->conf->listeners, (run)->conf->listener_count)

#endif
