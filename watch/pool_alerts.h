/*
 * pool_alerts - what is wrong with the servers and pools that run: down, ejected, in panic.
 *
 * Owner    answers are the caller's.      Threads  control
 */
#ifndef WATCH_POOL_ALERTS_H
#define WATCH_POOL_ALERTS_H

#include <jansson.h>

struct live_pool;
struct live_source;
struct snapshot;

/* Of the pools that routes lead to: [{name, summary, description, pool}], and of all their servers
 * behind them. */
json_t *pool_alerts(const struct live_source *source, const struct snapshot *snapshot);

/* The two parts of one pool, each appended to its list. */
void pool_alerts_of_pool(const struct live_pool *live, json_t *list);
void pool_alerts_of_servers(const struct live_pool *live, json_t *list);

#endif
