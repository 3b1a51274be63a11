/*
 * gate_spread - how requests are spread over servers, as an input of the gate: pools that a change
 * changed against what was approved, all pools against their capacity, the others against before.
 *
 * Owner    watch/gate_watch.c.      Threads  control only
 */
#ifndef WATCH_GATE_SPREAD_H
#define WATCH_GATE_SPREAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "change/gate.h"

struct distributions_since;
struct snapshot;
struct snapshot_pool;

/* What the servers of a pool were chosen for since apply, in the order of the configuration. */
struct gate_picks {
    const uint64_t *picks;
    double dispersion; /* at least 1 */
};

/* Against the shares of the approved prediction.  Servers that are not in service now are left out
 * of both: drains stay allowed, and health is an input of its own.  Inconclusive: too few requests;
 * where the prediction says nothing of the pool, *is_known_out is false. */
struct gate_reading gate_spread_predicted(const struct snapshot_pool *pool,
                                          const struct gate_picks *picks, const json_t *prediction,
                                          bool *is_known_out);

/* What the monitor says of the pool since apply: against capacity; where it was not changed,
 * against before.  FAIL or PASS; a pool of which a server is down is left to the health checks. */
struct gate_reading gate_spread_monitored(const struct snapshot_pool *pool,
                                          const struct distributions_since *since, bool is_changed);

/* The row of the pool in an impact, or NULL. */
const json_t *gate_predicted_pool(const json_t *prediction, const char *pool);
/* It is predicted to get no request at all. */
bool gate_predicts_none(const json_t *prediction, const char *pool);
/* Some route leads to it: else it gets nothing, whatever was predicted. */
bool gate_is_led_to(const struct snapshot *snapshot, const struct snapshot_pool *pool);

#endif
