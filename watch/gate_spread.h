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

#include "change/gate.h"

struct distributions_since;
struct gate_due;
struct snapshot;
struct snapshot_pool;

/* Against the shares of the approved prediction.  Servers that are not in service now are left out
 * of both: drains stay allowed, and health is an input of its own.  Inconclusive: too few requests,
 * or one that had some fails now; where the prediction says nothing of the pool, *is_known_out is
 * false.  `dispersion` is at least 1. */
struct gate_reading gate_spread_predicted(const struct snapshot_pool *pool,
                                          const struct gate_due *due, double dispersion,
                                          bool *is_known_out);

/* What the monitor says of the pool since apply: against capacity; where it was not changed,
 * against before.  FAIL or PASS; a pool of which a server is down is left to the health checks. */
struct gate_reading gate_spread_monitored(const struct snapshot_pool *pool,
                                          const struct distributions_since *since, bool is_changed);

/* How a share by capacity is spoken of: whether the pool's servers declare it. */
const char *gate_words_of_capacity(const struct snapshot_pool *pool);

/* The row of the pool in an impact, or NULL. */
const json_t *gate_predicted_pool(const json_t *prediction, const char *pool);
/* Of the row of a pool; negative: it is not known. */
double gate_predicted_share(const json_t *row, const char *server);
/* It is predicted to get no request at all. */
bool gate_predicts_none(const json_t *prediction, const char *pool);
/* Some route leads to it: else it gets nothing, whatever was predicted. */
bool gate_is_led_to(const struct snapshot *snapshot, const struct snapshot_pool *pool);

#endif
