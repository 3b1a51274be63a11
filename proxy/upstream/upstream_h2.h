/*
 * upstream_h2 - one request's stream of an HTTP/2 connection to a server.
 *
 * Owner    its request; when that has ended, the connection, until the stream is closed.
 * Threads  the worker's
 */
#ifndef PROXY_UPSTREAM_UPSTREAM_H2_H
#define PROXY_UPSTREAM_UPSTREAM_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "proxy/deadline.h"
#include "proxy/http/h2_frames.h"
#include "proxy/upstream/upstream.h"

enum { UPSTREAM_H2_TAG = 0x55505332 };

struct h2_connection;

struct upstream_h2 {
    struct upstream base;
    uint32_t tag;
    bool is_waiting;   /* for its connection to open */
    bool is_lone;      /* begun on a connection that was kept, and had nothing else to do */
    bool has_response; /* its final head has come */
    bool is_paused;
    struct h2_connection *connection;
    struct h2_stream *stream; /* NULL: not begun, or gone */
    struct list link;         /* connection->waiting or active */
    struct deadline deadline;
    uint64_t response_timeout_ms;
    uint64_t sent_ns;
    uint64_t left;     /* of a response with a length */
    size_t unconsumed; /* bytes whose window the server has not got back */
};

struct upstream *upstream_h2_reuse(struct request *req);
enum failure upstream_h2_open(struct request *req);

/* Its connection is open: the request may go. */
void upstream_h2_begin(struct upstream_h2 *up);
void upstream_h2_fail(struct upstream_h2 *up, enum failure failure);
/* The connection has ended under it. */
void upstream_h2_lost(struct upstream_h2 *up);
/* What it got goes to the client now; the server may send more, or has to wait. */
void upstream_h2_settle(struct upstream_h2 *up);

/* What is told of a stream; the owner is the upstream_h2. */
void upstream_h2_on_response(void *connection, void *owner, const struct h2_head *head,
                             bool is_last);
void upstream_h2_on_trailers(void *connection, void *owner, const struct h2_head *head);
void upstream_h2_on_data(void *connection, void *owner, struct slice data);
void upstream_h2_on_end(void *connection, void *owner);
void upstream_h2_on_closed(void *connection, void *owner, uint32_t code, bool is_by_peer);
void upstream_h2_on_drained(void *connection, void *owner);

#endif
