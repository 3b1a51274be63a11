/*
 * retry - the budget of a pool: retries are a share of recent requests, with a floor.
 *
 * Counted when a retry is scheduled, per worker over the last 10 s, so that a pool that fails as a
 * whole is not hit twice as hard for it.
 *
 * Source   Google SRE book, ch. 21; Linkerd's retry budget.      Threads  the worker's
 */
#ifndef PROXY_RETRY_H
#define PROXY_RETRY_H

#include <stdbool.h>

struct request;

void retry_note_request(struct request *req);
/* True, and counted, when the budget has room. */
bool retry_allowed(struct request *req);

#endif
