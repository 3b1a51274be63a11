/*
 * peak - the most requests a second that each pool had, hour by hour, over the last seven days.
 *
 * What capacity is judged by.  Kept in the store (peak/<pool>/<hour>), written once a minute and at
 * a stop: what a crash may cost is the last minute's.
 *
 * Owner    the ledger.      Threads  control
 */
#ifndef CHANGE_PEAK_H
#define CHANGE_PEAK_H

#include <jansson.h>
#include <stdint.h>

struct ledger;
struct peaks;

/* So many were answered a second of late. */
void peak_note(struct ledger *ledger, const char *pool, double rps);
/* The most so far; since_ms_out: since when it was watched (now, where it never was). */
double peak_of(struct ledger *ledger, const char *pool, int64_t *since_ms_out);
/* {"pool": requests a second}, of the pools that were watched. */
json_t *peak_all(struct ledger *ledger);
void peak_tick(struct ledger *ledger);
/* At an orderly stop: all of it is in the store. */
void peak_save(struct ledger *ledger);
void peak_forget(struct ledger *ledger);

#endif
