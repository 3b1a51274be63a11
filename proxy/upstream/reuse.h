/*
 * reuse - one worker's connections to servers that the next request may use.
 *
 * Owner    the worker.      Threads  the worker's
 */
#ifndef PROXY_UPSTREAM_REUSE_H
#define PROXY_UPSTREAM_REUSE_H

#include <stdbool.h>
#include <stdint.h>

struct list;
struct server;
struct snapshot_pool;
struct tls_engine;
struct tls_session;
struct upstream_h1;
struct worker;

/* Whether a connection to `server` on which nothing is under way may wait for another request: not
 * in a worker that stops, nor where no snapshot that requests begin under has the server. */
bool reuse_may_keep(const struct worker *worker, const struct server *server,
                    const struct snapshot_pool *pool);
/* How long it waits: 90 to 110 % of the timeout. */
uint64_t reuse_idle_ms(struct worker *worker, uint64_t timeout_ms);

/* HTTP/1: the newest idle one of that trust, or NULL; and back. */
struct upstream_h1 *reuse_take(struct worker *worker, const struct server *server,
                               uint64_t trust_key);
void reuse_keep(struct worker *worker, struct upstream_h1 *up, const struct snapshot_pool *pool);
/* The same of those that are being opened and whose request was cancelled.  False: there are as
 * many as may be idle, and this one is to end. */
struct upstream_h1 *reuse_take_opening(struct worker *worker, const struct server *server,
                                       uint64_t trust_key);
bool reuse_keep_opening(struct worker *worker, struct upstream_h1 *up);
/* It is kept no longer, as either. */
void reuse_forget(struct worker *worker, struct upstream_h1 *up);

/* HTTP/2: those of the server that take streams. */
struct list *reuse_shared(struct worker *worker, const struct server *server);

/* An earlier session with that server, under the same trust; NULL: none.  And the newest one, of a
 * connection with TLS (NULL: without). */
const struct tls_session *reuse_session(struct worker *worker, const struct server *server,
                                        uint64_t trust_key);
void reuse_keep_session(struct worker *worker, const struct server *server, uint64_t trust_key,
                        struct tls_engine *tls);

void reuse_close_server(struct worker *worker, struct server *server);
void reuse_close_all(struct worker *worker);
/* No connection is left. */
void reuse_fini(struct worker *worker);

#endif
