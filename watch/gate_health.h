/*
 * gate_health - how many servers of a pool are healthy: of those that should serve, people's drains
 * left out.
 *
 * Owner    nobody: reads live words.      Threads  control
 */
#ifndef WATCH_GATE_HEALTH_H
#define WATCH_GATE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

#include "change/gate_tests.h"

struct snapshot_pool;

/* Servers that were not checked yet, while others of the pool are checked, count as down at least
 * and as up at most. */
void gate_health_of(const struct snapshot_pool *pool, struct gate_health *at_least_out,
                    struct gate_health *at_most_out);
/* The configured server may get requests now. */
bool gate_is_serving(const struct snapshot_pool *pool, size_t server);
/* It may not, and nobody ordered that: its checks fail, or it is ejected. */
bool gate_is_failing(const struct snapshot_pool *pool, size_t server);
/* The worse of two: of fewer healthy ones, in parts. */
struct gate_health gate_health_worse(struct gate_health a, struct gate_health b);

#endif
