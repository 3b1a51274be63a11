/*
 * forecast - what the ledger knows for detect/impact.h: recent traffic, peaks, orders in force, and
 * who is not in service.
 *
 * Owner    the caller, until forecast_fini()      Threads  control
 */
#ifndef CHANGE_FORECAST_H
#define CHANGE_FORECAST_H

#include <jansson.h>

struct configuration;
struct error;
struct impact;
struct ledger;

struct forecast_question {
    struct ledger *ledger;
    const struct configuration *base;
    const struct configuration *target;
    const json_t *overrides; /* that come with the change */
};

/* NULL and `why`: a regular expression does not compile.  impact_free() it; names in it are those
 * of both configurations. */
struct impact *forecast_of(const struct forecast_question *question, struct error *why);
/* traffic, pools, moves, routes_losing_traffic, hosts_dropped and keys_moved_percent, as in the
 * shape Impact; NULL: nothing is known. */
json_t *forecast_json(const struct impact *impact);

#endif
