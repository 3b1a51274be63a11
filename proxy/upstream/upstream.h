/*
 * upstream - one connection to a server, and the HTTP/1 spoken on it.
 *
 * Owner    while it works: its request.  While idle: the worker's reuse list.
 * Threads  the worker's
 */
#ifndef PROXY_UPSTREAM_UPSTREAM_H
#define PROXY_UPSTREAM_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/list.h"
#include "proxy/deadline.h"
#include "proxy/failure.h"
#include "proxy/http/body.h"
#include "proxy/transport.h"

struct message;
struct request;
struct server;
struct snapshot_pool;
struct tls_session;
struct worker;

enum { UPSTREAM_TAG = 0x55505354, UPSTREAM_HEAD_BYTES = 64 * 1024 };

enum upstream_state {
    UPSTREAM_CONNECTING,
    UPSTREAM_HEAD, /* a response head is awaited */
    UPSTREAM_BODY,
    UPSTREAM_TUNNEL,
    UPSTREAM_IDLE,
    UPSTREAM_CLOSED, /* waits for its close callback */
};

struct upstream {
    struct transport transport; /* first */
    uint32_t tag;
    uint8_t state;
    bool is_reused;        /* it has served a request before */
    bool has_read;         /* a byte of this response has come */
    bool is_deaf;          /* it takes no more bytes; what it said is still read */
    bool is_shaking_hands; /* TCP is there, TLS not yet */
    bool may_be_kept;      /* the response's framing and Connection allow it */
    struct server *server;
    struct request *request; /* NULL: none */
    struct list link;        /* reuse list */
    struct deadline deadline;
    struct transport_connect connect;
    struct buffer inbox; /* bytes of a head or trailers not whole yet */
    size_t searched;
    struct body body;
    uint32_t requests;
    uint32_t counter_slot;
    uint64_t trust_key; /* of the pool that it was opened for */
    uint64_t response_timeout_ms;
};

/* An idle connection to the request's server, or NULL.  Each gets one look at its socket: an end
 * that waits to be read must not meet a request that cannot be repeated, and bytes that nobody
 * asked for must not become somebody's answer. */
struct upstream *upstream_reuse(struct request *req);
/* Starts to connect; request_connected() or request_upstream_failed() follow, never from within
 * this call.  FAILURE_NONE, or why it could not even begin. */
enum failure upstream_open(struct request *req);

/* Writes the request's head (built before) and what follows. */
void upstream_send(struct upstream *up, struct slice bytes);
/* A piece of body, framed as the request's head said. */
void upstream_send_body(struct upstream *up, struct slice data, bool is_chunked);
void upstream_send_end(struct upstream *up, bool is_chunked, const struct message *trailers);
void upstream_send_fin(struct upstream *up);
/* Counts the response timeout from now. */
void upstream_touch(struct upstream *up);
void upstream_pause(struct upstream *up);
void upstream_resume(struct upstream *up);
/* After a 101: bytes go as they are; what was read behind the head is given at once. */
void upstream_become_tunnel(struct upstream *up);

/* The exchange is over: keeps the connection for reuse when it can be, and clears the pointer. */
void upstream_release(struct upstream **up, const struct snapshot_pool *pool);
/* Ends it, and clears the pointer. */
void upstream_drop(struct upstream **up);

/* reuse.c */
struct upstream *reuse_take(struct worker *worker, struct server *server);
void reuse_keep(struct worker *worker, struct upstream *up, const struct snapshot_pool *pool);
/* An earlier session with that server, under the same trust; NULL: none.  And the newest one, of a
 * connection with TLS. */
const struct tls_session *reuse_session(struct worker *worker, const struct upstream *up);
void reuse_keep_session(struct worker *worker, struct upstream *up);
void reuse_forget(struct worker *worker, struct upstream *up);
void reuse_close_server(struct worker *worker, struct server *server);
void reuse_close_all(struct worker *worker);
/* No connection is left. */
void reuse_fini(struct worker *worker);

#endif
