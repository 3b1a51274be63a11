/*
 * traffic - what was seen of the traffic in the last seven days, as the detectors ask for it.
 *
 *   peaks of pools        the most requests a second of an hour (peak.h)
 *   hits                  requests of routes, by their counters, and of hosts (hits.h)
 *   distinct keys         of what a pool is hashed on, in the sample of recent requests
 *
 * On the first days it is what was seen so far.
 *
 * Owner    the caller, until traffic_free()      Threads  control
 */
#ifndef CHANGE_TRAFFIC_H
#define CHANGE_TRAFFIC_H

#include <jansson.h>

struct detect_traffic;
struct ledger;

/* NULL: no request was seen yet. */
struct detect_traffic *traffic_known(struct ledger *ledger);
/* {"name": requests}, all that had any in seven days; NULL: not all were counted for so long.  The
 * caller's. */
json_t *traffic_used_routes(struct ledger *ledger);
json_t *traffic_used_hosts(struct ledger *ledger);
void traffic_free(struct detect_traffic **traffic);

#endif
