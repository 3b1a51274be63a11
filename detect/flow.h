/*
 * flow - how recent requests come to pools in two configurations.
 *
 * A link is what of one trace a pool gets: all of it, or by a split's weights a part.  The same
 * trace may lead to several pools, and to others before than after; what both give a pool stays
 * there.
 *
 * Owner    the arena that it was given      Threads  any
 */
#ifndef DETECT_FLOW_H
#define DETECT_FLOW_H

#include <stdint.h>

#include "detect/trace.h"

struct conf_pool;
struct impact;
struct impact_subject;

enum flow_side { FLOW_BEFORE, FLOW_AFTER, FLOW_SIDES };

struct flow_link {
    uint32_t trace;
    uint32_t pool;
    double requests;
};

struct flow_pool {
    const char *name;
    const struct conf_pool *conf[FLOW_SIDES]; /* NULL: not there */
    double requests[FLOW_SIDES];
    double at_peak[FLOW_SIDES];  /* requests, if all came as often as when its pool was at its peak;
                                    negative: not known */
    bool is_unknown;             /* after */
    bool is_shifted;             /* it gets other requests than before */
    uint32_t *links[FLOW_SIDES]; /* into flows.links, by trace */
    size_t link_count[FLOW_SIDES];
};

struct flows {
    struct arena *arena;
    struct traces traces;
    struct flow_pool *pools; /* of both sides, by name */
    size_t pool_count;
    struct flow_link *links[FLOW_SIDES]; /* by trace */
    size_t link_count[FLOW_SIDES];
};

bool flow_requests(const struct impact_subject *subject, struct arena *arena,
                   struct flows *flows_out, struct error *why);
/* The largest first, into impact->moves. */
void flow_moves(const struct flows *flows, const struct impact_subject *subject,
                struct impact *impact);

#endif
