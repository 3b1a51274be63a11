/*
 * internal - what the files of watch/ share.
 *
 * Owner    cli/serve.c, through watch.h.      Threads  control only
 */
#ifndef WATCH_INTERNAL_H
#define WATCH_INTERNAL_H

#include "watch/watch.h"

enum { WATCH_TAG = 0x57415443 };

struct alerts;
struct canary_watch;
struct certificates;
struct distributions;
struct gate_watch;

struct watch {
    uint32_t tag;
    struct watch_options options;
    struct alerts *alerts;
    struct distributions *distributions; /* NULL: there is no publisher */
    /* notify.c */
    char receivers_of[72]; /* the configuration that they were told of */
    bool has_receivers;
    uint64_t notified_seq;
    uint64_t notified_ms;
    json_t *undeliverable;       /* the alert about them, or NULL */
    struct alert_report *report; /* the newest, or NULL */
    uint64_t reported_ms;
    /* look.c */
    struct gate_watch *gate;
    struct canary_watch *canary;
    struct certificates *certificates;
    json_t *pool_alerts; /* as of the last second; NULL before */
    uint64_t observer_seen_ms;
    bool is_log_failing;
    uint64_t log_lines_dropped; /* in the last second */
    uint64_t log_lines_before;  /* since the start */
    uint64_t *route_requests;   /* by slot of the route, as of the last second */
    uint32_t route_room;
};

/* ---- notify.c ---- */

/* Each second, after look(). */
void notify(struct watch *watch);

/* ---- look.c ---- */

/* All that is wrong now is told, and what it moved is logged. */
void look(struct watch *watch);
void look_at_summary(struct watch *watch, const struct summary *summary);
void look_at_pools(struct watch *watch, const struct summary *summary);
/* What stands before the name of a page; the running configuration's. */
const char *look_runbooks(const struct watch *watch);

/* ---- route_hits.c ---- */

void look_at_routes(struct watch *watch);

#endif
