/*
 * h2_frames - HTTP/2 as bytes, either end of a connection: frames, HPACK, stream states and
 * windows (nghttp2, which is known here alone), and a budget for what it does not bound.
 *
 * It knows no sockets.  Bytes that were read are given in, bytes to be written are taken out; what
 * happened is told by the events, from within these two calls.  Heads go in as HTTP/1 text, as
 * forward.h writes them, and come out as fields whose rules (RFC 9113 §8) were checked.  Bodies
 * wait in a stream's outbox until the windows let them go.
 *
 * Owner    the connection that made it.      Threads  one worker; pure
 * Source   RFC 9113, RFC 7541 (HPACK), RFC 8441 (extended CONNECT), RFC 9218 (ignored priorities)
 */
#ifndef PROXY_HTTP_H2_FRAMES_H
#define PROXY_HTTP_H2_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/http/h1_read.h"
#include "proxy/http/h2_budget.h"

struct h2_frames;
struct h2_stream;

enum h2_end { H2_SERVER, H2_CLIENT };

/* Codes of RFC 9113 §7 that we send or tell apart. */
enum h2_code {
    H2_NO_ERROR = 0,
    H2_PROTOCOL_ERROR = 1,
    H2_INTERNAL_ERROR = 2,
    H2_FLOW_CONTROL_ERROR = 3,
    H2_STREAM_CLOSED = 5,
    H2_REFUSED_STREAM = 7,
    H2_CANCEL = 8,
    H2_ENHANCE_YOUR_CALM = 11,
};

struct h2_limits {
    uint32_t streams;           /* that the peer may have open at once (server's end) */
    uint32_t stream_window;     /* bytes that a peer may send ahead of h2_stream_consumed() */
    uint32_t connection_window; /* the same over all streams; given back as bytes come */
    struct head_limits head; /* of decoded heads: bytes as name + value + 32 (RFC 9113 §6.5.2) */
    bool extended_connect;   /* server's end: RFC 8441 is offered */
    size_t crowded_bytes; /* of all outboxes: over it each stream is soon full; 0: no such mark */
};

/* One decoded field; the memory lives until the event returns. */
struct h2_field {
    struct slice name; /* lower case; pseudo-fields come first */
    struct slice value;
};

struct h2_head {
    const struct h2_field *fields;
    size_t count;
};

/* `connection` is what h2_frames_new() was given, `owner` what the stream was given.  Within an
 * event every function below but h2_frames_read(), h2_frames_take() and h2_frames_free() may be
 * called.  Bytes live until the event returns. */
struct h2_events {
    /* Server's end: a request begins.  What it returns is the stream's owner from then on; NULL:
     * it wants no more events of this stream (it has reset or answered it). */
    void *(*on_request)(void *connection, struct h2_stream *stream, const struct h2_head *head,
                        bool is_last);
    /* Server's end: a head over limits.head; the stream is open and can be answered (431), else
     * it is reset.  Its body is dropped.  `owner` as of on_request. */
    void *(*on_request_too_large)(void *connection, struct h2_stream *stream);
    /* Client's end: interim (status 1xx) or final. */
    void (*on_response)(void *connection, void *owner, const struct h2_head *head, bool is_last);
    /* on_end follows. */
    void (*on_trailers)(void *connection, void *owner, const struct h2_head *head);
    /* Its window is given back by h2_stream_consumed() alone.  These bytes are among those given to
     * h2_frames_read(), and live as long. */
    void (*on_data)(void *connection, void *owner, struct slice data);
    /* END_STREAM has come; after is_last of a head, too. */
    void (*on_end)(void *connection, void *owner);
    /* The last event of a stream, however it ended: a code that the peer sent, or that we did. Told
     * in the call that it happened in, at its end or (server's end) before the next request begins;
     * then `stream` is gone. */
    void (*on_closed)(void *connection, void *owner, uint32_t code, bool is_by_peer);
    /* h2_stream_unsent() has come well under the mark of h2_stream_is_full() after it was over it.
     */
    void (*on_drained)(void *connection, void *owner);
    /* Client's end: no new streams; those above `last` were not looked at (their on_closed follows,
     * with H2_REFUSED_STREAM: safe to repeat whatever the method, RFC 9113 §8.7). */
    void (*on_goaway)(void *connection, uint32_t last, uint32_t code);
    /* Client's end: how many streams the server takes at once, now that it has said so. */
    void (*on_settings)(void *connection, uint32_t streams);
    /* The peer has answered h2_frames_ping(); may be NULL. */
    void (*on_pong)(void *connection);
    /* A budget is used up, or the peer broke a rule that ends the connection: GOAWAY is written,
     * every stream's on_closed has been or will be told by h2_frames_free().  `why` is a word of
     * h2_budget.def, or "protocol". */
    void (*on_violation)(void *connection, const char *why);
};

/* The server's end speaks SETTINGS at once; the client's its preface. */
struct h2_frames *h2_frames_new(enum h2_end end, const struct h2_limits *limits,
                                const struct h2_events *events, void *connection);
/* Streams that are still there get on_closed(H2_INTERNAL_ERROR) first. */
void h2_frames_free(struct h2_frames **frames);

/* False: the connection is over; what h2_frames_take() still has is to be written (GOAWAY).
 * `now_ms` (any clock that does not go back) is what the budgets count by. */
bool h2_frames_read(struct h2_frames *frames, struct slice bytes, uint64_t now_ms);
/* Copies what is to be written next, at most `room` bytes (which are at least 2048); 0: nothing, or
 * nothing that the windows let go. */
size_t h2_frames_take(struct h2_frames *frames, char *at, size_t room);
/* The same, but tells nothing: what has happened is told by the next h2_frames_take(), which must
 * come soon.  0 within an event of h2_frames_read(). */
size_t h2_frames_take_untold(struct h2_frames *frames, char *at, size_t room);
bool h2_frames_wants_write(const struct h2_frames *frames);
/* Nothing more will be read or written: GOAWAY went either way and no stream is left. */
bool h2_frames_is_over(const struct h2_frames *frames);
/* Over limits.crowded_bytes wait: what fills its streams is to be read in small pieces. */
bool h2_frames_is_crowded(const struct h2_frames *frames);
uint32_t h2_frames_streams(const struct h2_frames *frames); /* open now, ours or theirs */
/* A head, or a frame that could be one, has begun and is not whole: its sender may be waited for no
 * longer than for any other. */
bool h2_frames_is_in_head(const struct h2_frames *frames);

/* Counts what its owner has seen against a budget.  False: it is used up, as on_violation has told.
 */
bool h2_frames_spend(struct h2_frames *frames, enum h2_budget_kind kind);

/* Server's end: asks for no new streams, then (h2_frames_goaway_final, a round trip later at best)
 * says which was the last.  Streams that are open go on. */
void h2_frames_goaway(struct h2_frames *frames);
void h2_frames_goaway_final(struct h2_frames *frames, enum h2_code code);
void h2_frames_ping(struct h2_frames *frames);

/* ---- streams ---- */

/* Client's end: opens one with the request in `head` (HTTP/1 text; Host becomes :authority; what
 * is hop-by-hop in HTTP/1 must not be there).  NULL: the server takes no more now. */
struct h2_stream *h2_frames_request(struct h2_frames *frames, struct slice head, bool is_https,
                                    bool is_last, void *owner);
/* Server's end: the final head (HTTP/1 text, status line first), or an interim one.  Connection,
 * Keep-Alive, Transfer-Encoding and Upgrade in it are left out; names become lower case. */
void h2_stream_respond(struct h2_stream *stream, struct slice head, bool is_last);
void h2_stream_interim(struct h2_stream *stream, struct slice head);
/* Body bytes are copied to the outbox. */
void h2_stream_send(struct h2_stream *stream, struct slice data);
/* The same in two steps: from the first to the second `data` lives, and frames that are taken have
 * it from there; what is left by then is copied. */
void h2_stream_lend(struct h2_stream *stream, struct slice data);
void h2_stream_keep(struct h2_stream *stream);
/* END_STREAM behind what waits; `trailers` are lines of HTTP/1 text, or empty. */
void h2_stream_end(struct h2_stream *stream, struct slice trailers);
/* on_closed follows later, not from within. */
void h2_stream_reset(struct h2_stream *stream, enum h2_code code);
/* So much of what on_data gave is used: the peer may send as much again. */
void h2_stream_consumed(struct h2_stream *stream, size_t bytes);
size_t h2_stream_unsent(const struct h2_stream *stream);
/* More than a window's worth waits, or more than a little while the connection is crowded: whoever
 * fills it should pause until on_drained, which is told after this was true. */
bool h2_stream_is_full(struct h2_stream *stream);
uint32_t h2_stream_id(const struct h2_stream *stream);

#endif
