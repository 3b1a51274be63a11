/*
 * upstream_h1 - one connection to a server, and the HTTP/1 spoken on it.
 *
 * Owner    while it works: its request.  While idle, or while it is being opened and its request
 *          was cancelled: the worker's reuse list.
 * Threads  the worker's
 */
#ifndef PROXY_UPSTREAM_UPSTREAM_H1_H
#define PROXY_UPSTREAM_UPSTREAM_H1_H

#include "base/buffer.h"
#include "base/list.h"
#include "observe/counters.h"
#include "proxy/deadline.h"
#include "proxy/http/body.h"
#include "proxy/transport.h"
#include "proxy/upstream/opening.h"
#include "proxy/upstream/upstream.h"

enum { UPSTREAM_TAG = 0x55505354 };

enum upstream_state {
    UPSTREAM_CONNECTING,
    UPSTREAM_HEAD, /* a response head is awaited */
    UPSTREAM_BODY,
    UPSTREAM_TUNNEL,
    UPSTREAM_IDLE,
    UPSTREAM_CLOSED, /* waits for its close callback */
};

struct upstream_h1 {
    struct transport transport; /* first */
    struct upstream base;
    uint32_t tag;
    uint8_t state;
    bool is_reused;        /* it was idle before this request */
    bool has_read;         /* a byte of this response has come */
    bool is_deaf;          /* it takes no more bytes; what it said is still read */
    bool is_suspect;       /* it announced a body where there is none, which may still come */
    bool is_shaking_hands; /* TCP is there, TLS not yet */
    bool may_be_kept;      /* the response's framing and Connection allow it */
    struct list link;      /* reuse list */
    struct deadline deadline;
    struct opening opening;
    struct buffer inbox; /* bytes of a head or trailers not whole yet */
    size_t searched;
    struct body body;
    uint32_t requests;
    uint32_t counter_slot;
    uint64_t trust_key; /* opening_trust_key() of who it was opened for */
    uint64_t response_timeout_ms;
};

struct upstream *upstream_h1_reuse(struct request *req);
enum failure upstream_h1_open(struct request *req);
/* Ends it, and clears the pointer. */
void upstream_h1_drop(struct upstream_h1 **up);

/* ---- upstream_h1_write.c: its part of struct upstream_ops ---- */

void upstream_h1_send_head(struct upstream *base, struct slice head, bool is_last);
void upstream_h1_send_body(struct upstream *base, struct slice data, bool is_chunked);
void upstream_h1_send_end(struct upstream *base, bool is_chunked, const struct message *trailers);
void upstream_h1_send_tunnel(struct upstream *base, struct slice bytes);
void upstream_h1_send_fin(struct upstream *base);
bool upstream_h1_is_full(const struct upstream *base);

struct upstream_h1 *upstream_h1_of(struct upstream *base);
struct server_row *upstream_h1_row(const struct upstream_h1 *up);

#endif
