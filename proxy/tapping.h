/*
 * tapping - what of a request goes to the tap: what decides where it goes, and where it went.
 *
 * A cell is filled when the request has its route, and given when a server was chosen for it, or
 * when it ends without one.
 *
 * Owner    the request      Threads  the worker's
 */
#ifndef PROXY_TAPPING_H
#define PROXY_TAPPING_H

#include <stdbool.h>

#include "base/slice.h"

struct message;
struct request;
struct target;

/* It is this request's turn (worker->draw); the slices live during the call only. */
void tapping_begin(struct request *req, const struct target *target, const struct message *message);
/* Gives the cell that the request has, with the server of the attempt that begins, if one does. */
void tapping_give(struct request *req);

/* Values of such a header are never told: it may carry what lets somebody in. */
bool tapping_is_secret(struct slice name);

#endif
