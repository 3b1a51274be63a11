/*
 * h2_connection - one HTTP/2 connection to a server, which many requests share.
 *
 *   CONNECTING --the server's SETTINGS--> OPEN --lost, or its last request has ended--> CLOSED
 *
 * Nothing is asked before the server has said SETTINGS: what fails until then may be tried again
 * whatever the method, and a server that speaks something else is told from one that failed.  A
 * connection that is leaving (GOAWAY, reload, stop, keepalive.max_requests) takes no new streams.
 * One whose requests were all cancelled is opened for the next.
 *
 * Owner    the worker: its list of all, and, while it takes streams, its server's.
 * Threads  the worker's
 * Invariant  `server` is looked at only while it stands in its server's list, or has a request.
 */
#ifndef PROXY_UPSTREAM_H2_CONNECTION_H
#define PROXY_UPSTREAM_H2_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "observe/counters.h"
#include "proxy/deadline.h"
#include "proxy/failure.h"
#include "proxy/http/h2_frames.h"
#include "proxy/late.h"
#include "proxy/transport.h"
#include "proxy/upstream/opening.h"

enum {
    H2_CONNECTION_TAG = 0x48324353,
    H2_CONNECTION_STREAMS = 100, /* at once, where the server takes more */
};

struct request;
struct upstream_h2;

enum h2_connection_state { H2_CONNECTING, H2_OPEN, H2_CLOSED };

struct h2_connection {
    struct transport transport; /* first */
    uint32_t tag;
    uint8_t state; /* enum h2_connection_state */
    bool is_shaking_hands;
    bool is_leaving;
    bool is_idle;     /* counted as such */
    bool is_violated; /* the server broke the rules */
    struct server *server;
    struct list link;    /* of its server's, while it takes streams */
    struct list all;     /* worker->h2_connections */
    struct list waiting; /* requests that wait for it to open */
    struct list active;  /* requests under way */
    uint32_t waiting_count;
    uint32_t stream_count; /* that the frames know, those that are ending included */
    uint32_t most_streams;
    uint32_t requests;
    uint32_t most_requests; /* 0: unlimited */
    uint32_t counter_slot;
    uint64_t trust_key; /* opening_trust_key() of who it was opened for */
    uint64_t idle_ms;
    uint64_t read_ns; /* when the server last said something */
    struct h2_frames *frames;
    struct upstream_h2 *unsettled; /* got bytes that were not given to its client's socket yet */
    struct late late;
    struct deadline deadline; /* while it connects, and while it is idle */
    struct opening opening;
};

/* One that is open and has room, or NULL. */
struct h2_connection *h2_connection_find(struct request *req);
/* Lets `up` wait for one that is being opened, or opens it. */
enum failure h2_connection_await(struct upstream_h2 *up);

/* `up` becomes one of its requests; and is no longer one (waiting or active). */
void h2_connection_join(struct h2_connection *conn, struct upstream_h2 *up);
void h2_connection_part(struct upstream_h2 *up);
/* A stream is gone from its frames. */
void h2_connection_lost_stream(struct h2_connection *conn);
/* There may be something to write. */
void h2_connection_mark(struct h2_connection *conn);
/* Takes no new streams from now on, and ends with its last one. */
void h2_connection_retire(struct h2_connection *conn);

struct server_row *h2_connection_row(const struct h2_connection *conn);

/* All of them: without requests at once, the others when those have ended; and, when nobody is
 * left, whatever they do. */
void h2_connection_retire_all(struct worker *worker);
void h2_connection_close_all(struct worker *worker);

#endif
