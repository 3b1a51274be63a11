/*
 * hits - how many requests each route and each host had, hour by hour, over the last seven days.
 *
 * What it takes to say that something is used.  Kept in the store (hits/<scope>/<hour>: one row an
 * hour), written once a minute in one transaction and at a stop: what a crash may cost is the last
 * minute's.
 *
 * Of hosts, which clients may make up, HITS_HOSTS are kept: where there are more, a quarter of
 * them, those with the fewest requests, is forgotten.  Likewise of routes.
 *
 * That something had no request is known once all were counted for seven days (hits-since in the
 * store): nothing was forgotten, and a day at most without a tick, whether nobody ran or the clock
 * was set.
 *
 * Owner    the ledger.      Threads  control
 */
#ifndef CHANGE_HITS_H
#define CHANGE_HITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hits;
struct ledger;

enum hits_scope { HITS_OF_ROUTES, HITS_OF_HOSTS, HITS_SCOPES };
enum { HITS_ROUTES = 16384, HITS_HOSTS = 4096, HITS_HOURS = 7 * 24, HITS_GAP_HOURS = 24 };

/* So many more. */
void hits_note(struct ledger *ledger, enum hits_scope scope, const char *name, uint64_t requests);
/* Of the last seven days; 0 for what is not known. */
uint64_t hits_of(struct ledger *ledger, enum hits_scope scope, const char *name);
/* All that had any, by name: `each` is called with texts that live until the next note. */
typedef void hits_each_fn(void *context, const char *name, uint64_t requests);
size_t hits_each(struct ledger *ledger, enum hits_scope scope, hits_each_fn *each, void *context);

/* What was not in the list for seven days had no request then. */
bool hits_are_complete(struct ledger *ledger, enum hits_scope scope);
/* Requests came that were not counted by name. */
void hits_missed_some(struct ledger *ledger, enum hits_scope scope);

void hits_tick(struct ledger *ledger);
/* At an orderly stop: all of it is in the store. */
void hits_save(struct ledger *ledger);
void hits_forget(struct ledger *ledger);

#endif
