/*
 * upstream - what a request has of a server: for HTTP/1 a connection, for HTTP/2 a stream of one.
 *
 * Owner    its request, from upstream_reuse() or upstream_open() to upstream_release() or
 *          upstream_drop().
 * Threads  the worker's
 */
#ifndef PROXY_UPSTREAM_UPSTREAM_H
#define PROXY_UPSTREAM_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/failure.h"
#include "proxy/http/forward.h"

struct message;
struct request;
struct server;
struct snapshot_pool;
struct upstream;

enum { UPSTREAM_HEAD_BYTES = 64 * 1024 };

struct upstream_ops {
    void (*send_head)(struct upstream *up, struct slice head, bool is_last);
    void (*send_body)(struct upstream *up, struct slice data, bool is_chunked);
    void (*send_end)(struct upstream *up, bool is_chunked, const struct message *trailers);
    bool (*is_full)(const struct upstream *up);
    void (*touch)(struct upstream *up);
    void (*pause)(struct upstream *up);
    void (*resume)(struct upstream *up);
    void (*release)(struct upstream *up, const struct snapshot_pool *pool);
    void (*drop)(struct upstream *up);
    /* Where an upgrade is passed on: HTTP/1 alone. */
    void (*become_tunnel)(struct upstream *up);
    void (*send_tunnel)(struct upstream *up, struct slice bytes);
    void (*send_fin)(struct upstream *up);
};

struct upstream {
    const struct upstream_ops *ops;
    struct request *request; /* NULL: none */
    struct server *server;
    /* Of the final response, from request_response() on. */
    uint64_t response_length; /* FORWARD_LENGTH */
    enum forward_body response_body;
};

/* Something of the request's server that takes a request at once, or NULL.  An idle connection of
 * HTTP/1 gets one look at its socket: an end that waits to be read must not meet a request that
 * cannot be repeated, and bytes that nobody asked for must not become somebody's answer. */
struct upstream *upstream_reuse(struct request *req);
/* Starts to connect; request_connected() or request_upstream_failed() follow, never from within
 * this call.  FAILURE_NONE, or why it could not even begin. */
enum failure upstream_open(struct request *req);
/* How long the server may be silent: the route's own time goes before the pool's. */
uint64_t upstream_response_ms(const struct request *req);

/* Writes the request's head (built before); `is_last`: there is no body. */
static inline void upstream_send_head(struct upstream *up, struct slice head, bool is_last)
{
    up->ops->send_head(up, head, is_last);
}

/* A piece of body, framed as the request's head said. */
static inline void upstream_send_body(struct upstream *up, struct slice data, bool is_chunked)
{
    up->ops->send_body(up, data, is_chunked);
}

/* The body is complete; `trailers` may be NULL. */
static inline void upstream_send_end(struct upstream *up, bool is_chunked,
                                     const struct message *trailers)
{
    up->ops->send_end(up, is_chunked, trailers);
}

/* The server takes body more slowly than it comes; request_upstream_drained() tells when it goes
 * on. */
static inline bool upstream_is_full(const struct upstream *up)
{
    return up->ops->is_full(up);
}

/* Counts the response timeout from now. */
static inline void upstream_touch(struct upstream *up)
{
    up->ops->touch(up);
}

/* The response waits for the client. */
static inline void upstream_pause(struct upstream *up)
{
    up->ops->pause(up);
}

static inline void upstream_resume(struct upstream *up)
{
    up->ops->resume(up);
}

/* After a 101: bytes go as they are; what was read behind the head is given at once. */
static inline void upstream_become_tunnel(struct upstream *up)
{
    up->ops->become_tunnel(up);
}

static inline void upstream_send_tunnel(struct upstream *up, struct slice bytes)
{
    up->ops->send_tunnel(up, bytes);
}

static inline void upstream_send_fin(struct upstream *up)
{
    up->ops->send_fin(up);
}

/* The exchange is over: keeps the connection for reuse when it can be, and clears the pointer. */
static inline void upstream_release(struct upstream **holder, const struct snapshot_pool *pool)
{
    struct upstream *up = *holder;

    *holder = NULL;
    up->ops->release(up, pool);
}

/* Ends it, and clears the pointer. */
static inline void upstream_drop(struct upstream **holder)
{
    struct upstream *up = *holder;

    *holder = NULL;
    up->ops->drop(up);
}

#endif
