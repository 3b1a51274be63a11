/*
 * spread - which servers of a pool its requests get, before and after.
 *
 * Owner    the caller, until spread_fini()      Threads  any
 */
#ifndef DETECT_SPREAD_H
#define DETECT_SPREAD_H

#include <stdbool.h>
#include <stddef.h>

#include "detect/flow.h"

struct impact_subject;
struct trial;

/* What is gathered over all pools. */
struct spread_totals {
    size_t tables; /* of hashes, made so far */
    double keys;   /* requests that a hash or a cookie directed */
    double keys_moved;
    bool is_key_unknown;
};

struct spread {
    struct trial *trials[FLOW_SIDES]; /* NULL: the pool is not there; both may be one */
    double *shares[FLOW_SIDES];       /* by the server's place in its configuration */
    bool has_eligible[FLOW_SIDES];    /* whatever the health of its servers */
};

void spread_init(struct spread *spread, const struct flows *flows, const struct flow_pool *pool,
                 const struct impact_subject *subject, struct spread_totals *totals);
void spread_fini(struct spread *spread);

#endif
