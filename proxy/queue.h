/*
 * queue - requests that wait for a place at a server of their pool, oldest first.
 *
 * Each worker keeps its own line and tells in the pool's live state how long the first one of it
 * has waited; the pool's length is bounded over all lines.  Whoever frees a place lets the oldest
 * of all try: at once when it is his own, else by a message to the worker where it waits.
 *
 * Owner    the worker.      Threads  the worker's, but for the message that wakes others
 * Invariant  Who enters says so before he looks at the places, who frees a place does that before
 *            he looks who waits: one of them sees the other.
 */
#ifndef PROXY_QUEUE_H
#define PROXY_QUEUE_H

#include <stdbool.h>

struct hold;
struct request;
struct snapshot_pool;
struct worker;
struct worker_pool;

/* Some request waits already: a new one goes behind it. */
bool queue_has_older(const struct snapshot_pool *pool);
/* False when the pool's queue is full. */
bool queue_enter(struct request *req);
void queue_leave(struct request *req);
/* Its deadline fell due: false when it has waited as long as it may.  Else the first in line looks
 * again, since nobody tells of a server that has come back. */
bool queue_goes_on(struct request *req);
/* Lets the oldest try if it looks as if a place were free; after queue_enter(), one may have become
 * free meanwhile.  `hold` is the one that `pool` belongs to: its last request may end here. */
void queue_look_again(struct worker *worker, struct hold *hold, const struct snapshot_pool *pool);
/* A request, which still holds `pool`, gave its place back. */
void queue_place_is_free(struct worker *worker, const struct snapshot_pool *pool);

/* This worker's state of a pool (request_end.c). */
struct worker_pool *worker_pool_of(struct worker *worker, const struct snapshot_pool *pool);

#endif
