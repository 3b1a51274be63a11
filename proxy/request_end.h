/*
 * request_end - what a finished request leaves behind: counters and a record; and the small
 * look-ups that request.c and its helpers share.
 *
 * Owner    the request.      Threads  the worker's
 */
#ifndef PROXY_REQUEST_END_H
#define PROXY_REQUEST_END_H

#include <stdbool.h>

struct balance_view;
struct hold;
struct listener_row;
struct pool_row;
struct request;
struct server_row;
struct snapshot_listener;
struct snapshot_pool;
struct worker;

/* Ends the request: everything it holds is given back, and the client's side takes over. */
void request_end(struct request *req, bool is_clean);
/* Gives the object back to the worker's stock. */
void request_give(struct request *req);
/* Counts it, and puts its record into the ring. */
void request_record(struct request *req);

struct listener_row *listener_row_of(const struct request *req);
struct pool_row *pool_row_of(const struct request *req);
struct server_row *server_row_of(const struct request *req);

/* This worker's view of the pool, made anew when the snapshot is another. */
struct balance_view *pool_view(struct worker *worker, const struct hold *hold,
                               const struct snapshot_pool *pool);

/* Those that were built for the snapshot of `hold`, which is let go. */
void pool_views_drop(struct worker *worker, const struct hold *hold);

/* The listener as the current snapshot has it. */
const struct snapshot_listener *client_listener(const struct request *req);
/* True when the connection must not carry another request. */
bool client_must_close(const struct request *req);

#endif
