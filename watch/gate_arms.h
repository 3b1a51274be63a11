/*
 * gate_arms - the pools that a change changed, before and after, and what the gate's tests say of
 * them all together.
 *
 * A pool with fewer than 200 requests on both sides is quiet: it can fail by itself, but only where
 * all are quiet does it keep the gate from passing.
 *
 * Owner    watch/gate_watch.c.      Threads  control only; no clock, no counters of its own
 */
#ifndef WATCH_GATE_ARMS_H
#define WATCH_GATE_ARMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "watch/history.h"

struct gate_arm {
    char *pool;
    bool is_quiet_by_plan;            /* the approved prediction gives it no request */
    struct pool_counts before;        /* of its own */
    struct pool_counts instead;       /* of those that its routes led to before */
    struct pool_counts since;         /* apply */
    struct pool_counts recent;        /* of the last minute, or since apply */
    struct gate_counts newest;        /* of the last ten seconds */
    struct gate_health health_before; /* the worst of the minute before; no servers: a new pool */
    struct gate_health healthy_at_least; /* now; servers not checked yet taken as down */
    struct gate_health healthy_at_most;  /* and as up */
};

struct gate_arms {
    struct gate_arm *arms;
    size_t count;
    uint64_t before_seconds; /* that `before` covers */
    bool is_minute_over;     /* `recent` is a whole minute */
};

struct gate_reading gate_arms_errors(const struct gate_arms *arms);
struct gate_reading gate_arms_latency(const struct gate_arms *arms);
struct gate_reading gate_arms_health(const struct gate_arms *arms);
/* Connections. */
struct gate_reading gate_arms_refusals(struct gate_counts before, struct gate_counts since,
                                       struct gate_counts newest);
/* "pool shop: " before it. */
void gate_reading_of_pool(struct gate_reading *reading, const char *pool);

#endif
