/*
 * forward - what is passed on, and what we add: heads are written anew, never copied.
 *
 * Hop-by-hop fields go, our own are added after that (Via, Forwarded, X-Forwarded-*,
 * X-Request-Id), and the route's edits come last.
 *
 * Source   RFC 9110 §7.6, RFC 7239.      Threads  any; pure
 */
#ifndef PROXY_HTTP_FORWARD_H
#define PROXY_HTTP_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/http/message.h"
#include "proxy/http/writer.h"

#define FORWARD_PSEUDONYM "twokey"

struct forward_edit {
    struct slice name; /* lower case */
    struct slice value;
};

/* Fields that a route sets or removes. */
struct forward_edits {
    const struct forward_edit *set;
    uint32_t set_count;
    const struct slice *remove;
    uint32_t remove_count;
    uint32_t set_bytes; /* what `set` adds to a head */
    bool is_identity;   /* nobody else may say these, with underscores neither */
};
/* True for a field that is set or removed: it is not written otherwise.  `edits` may be NULL. */
bool forward_is_edited(struct slice name, const struct forward_edits *edits);
/* The fields that are set. */
void forward_write_edits(struct writer *w, const struct forward_edits *edits);

enum forward_body { FORWARD_NO_BODY, FORWARD_LENGTH, FORWARD_CHUNKED, FORWARD_UNTIL_CLOSE };

struct forward_request {
    struct slice path;
    struct slice query;
    struct slice host;           /* what Host says, port included */
    struct slice peer;           /* the peer's address in text; empty for a Unix socket */
    struct slice forwarded_host; /* what the client asked for */
    struct slice request_id;
    bool is_https;
    bool is_peer_trusted; /* its X-Forwarded-* and Forwarded are kept and added to */
    bool passes_upgrade;
    bool passes_expect;
    bool is_h2; /* the head will be fields of HTTP/2: nothing hop-by-hop in it */
    enum forward_body body;
    uint64_t length;
    const struct forward_edits *identity; /* who the client is, verified; or NULL */
    const struct forward_edits *edits;    /* or NULL */
};

void forward_write_request(struct writer *w, const struct message *message,
                           const struct forward_request *request);

struct forward_response {
    bool to_http_10;   /* the client speaks 1.0 */
    bool closes;       /* the connection ends with this response */
    bool keeps_length; /* HEAD, 304: Content-Length without a body */
    bool is_upgrade;   /* 101 */
    enum forward_body body;
    uint64_t length;
    struct slice date;       /* used when the server sent none */
    struct slice request_id; /* empty: none is added */
    struct slice set_cookie; /* our own, or empty */
    const struct forward_edits *edits;
};

void forward_write_response(struct writer *w, const struct message *message,
                            const struct forward_response *response);

/* 103, 102 and the like: fields pass, framing does not. */
void forward_write_interim(struct writer *w, const struct message *message);

/* Marks the fields that are set or removed as dropped: what may not come in a head may not come in
 * trailers, which some take for the same, nor ahead of it. */
void forward_drop_edited(struct message *message, const struct forward_edits *edits);
/* Trailers that may pass, each a line; the empty line behind them is the caller's. */
void forward_write_trailers(struct writer *w, const struct message *trailers);

/* How often our own pseudonym stands in Via: twice is a loop. */
unsigned forward_via_count(const struct message *message);

/* The client's address: the rightmost of X-Forwarded-For that `is_trusted` does not know, if the
 * peer itself is trusted; else the peer's.  An empty slice stands for the peer.  `is_trusted` is
 * asked about addresses only: ports and brackets are gone, and what is no address ends the search.
 */
typedef bool forward_trust_fn(void *context, struct slice address);
struct slice forward_client_address(const struct message *message, forward_trust_fn *is_trusted,
                                    void *context);

#endif
