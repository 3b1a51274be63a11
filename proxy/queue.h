/*
 * queue - requests that wait for a place at a server of their pool, oldest first.
 *
 * Each worker keeps its own line; the pool's length is bounded over all of them.  Who frees a
 * place serves its own line first, and wakes the other workers when theirs is not empty.
 *
 * Owner    the worker.      Threads  the worker's, but for the message that wakes others
 */
#ifndef PROXY_QUEUE_H
#define PROXY_QUEUE_H

#include <stdbool.h>

struct request;
struct snapshot_pool;
struct worker;
struct worker_pool;

/* False when the pool's queue is full. */
bool queue_enter(struct request *req);
void queue_leave(struct request *req);
/* A request gave its place back. */
void queue_place_is_free(struct worker *worker, const struct snapshot_pool *pool);

/* This worker's state of a pool (request_end.c). */
struct worker_pool *worker_pool_of(struct worker *worker, const struct snapshot_pool *pool);

#endif
