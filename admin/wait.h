/*
 * wait - calls whose handlers ask to be asked again: ?wait=, and streams that say they are alive.
 *
 * Owner    struct admin; the call is linked in until it is due or gone
 * Threads  control only
 */
#ifndef ADMIN_WAIT_H
#define ADMIN_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct admin;
struct call;

enum { WAIT_MAX_MS = 10 * 60 * 1000 };

/* Runs `again` once, after `delay_ms`; it answers the call, or waits again.  A call waits for one
 * thing at a time: a second one takes the place of the first. */
void wait_for(struct call *call, uint64_t delay_ms, void (*again)(struct call *call));
void wait_stop(struct call *call);

/* How long the caller is ready to wait ("?wait=30s", at most ten minutes); 0: not at all.  False:
 * the call was answered, its parameter is not a duration. */
bool wait_parameter(struct call *call, uint64_t *patience_ms_out);

/* Runs those that are due; how long until the next one is (UINT64_MAX: nobody waits). */
uint64_t wait_run_due(struct admin *admin, uint64_t now_ms);

#endif
