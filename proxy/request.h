/*
 * request - the life of one request, from its head to its record.
 *
 *   HEAD --head complete--> ROUTING --> CONNECTING --> EXCHANGING --> ENDED
 *                              |            |  ^            |
 *                              |         QUEUED (a place)   +--101--> TUNNEL --> ENDED
 *                              +--our own answer--> ANSWERED --> ENDED
 *
 *   HEAD        its bytes arrive; the client side reads them
 *   QUEUED      every eligible server is at max_connections; it waits in its worker's list
 *   CONNECTING  a server is chosen, its connection not open yet
 *   EXCHANGING  upload and download, each OPEN, ENDED or BROKEN, run independently
 *   ANSWERED    the answer is ours and written; the rest of the upload is read and dropped
 *   TUNNEL      after a 101: bytes both ways
 *
 * Upload and download together decide how it ends (request_end):
 *
 *   upload \ download   OPEN           ENDED                          BROKEN
 *   OPEN                go on          early response: client closes  reset the client
 *   ENDED               go on          done, both connections kept    reset the client
 *   BROKEN              cancel         done, client closes            done
 *
 * request.c is the only conductor: routing, balancing, headers, reuse never call each other.
 *
 * Owner    one worker; between two requests of a connection, the worker's stock.
 * Threads  the worker's
 */
#ifndef PROXY_REQUEST_H
#define PROXY_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/list.h"
#include "proxy/balance/balance.h"
#include "proxy/deadline.h"
#include "proxy/failure.h"
#include "proxy/http/answer.h"
#include "proxy/http/body.h"
#include "proxy/http/message.h"
#include "proxy/http/websocket.h"

enum {
    REQUEST_TAG = 0x52455155,
    REQUEST_READ_AHEAD = 64 * 1024, /* bytes of a client that wait for a server */
    REQUEST_REPLAY = 64 * 1024,     /* a body up to this is kept for a retry */
    REQUEST_ID_BYTES = 64,
};

struct client;
struct client_ops;
struct client_stream;
struct hold;
struct record;
struct server;
struct snapshot_listener;
struct snapshot_pool;
struct snapshot_route;
struct tap_cell;
struct upstream;
struct worker;

enum request_state {
    REQUEST_HEAD,
    REQUEST_ROUTING,
    REQUEST_QUEUED,
    REQUEST_CONNECTING,
    REQUEST_EXCHANGING,
    REQUEST_ANSWERED,
    REQUEST_TUNNEL,
    REQUEST_ENDED,
    REQUEST_STATES,
};

enum request_half { HALF_OPEN, HALF_ENDED, HALF_BROKEN };

struct request {
    uint32_t tag;
    uint8_t state; /* enum request_state; written by request_enter() alone */
    uint8_t upload;
    uint8_t download;
    uint8_t failure;  /* enum failure */
    struct list link; /* worker->spare_requests, or worker_pool.waiting */
    struct worker *worker;
    struct client *client;
    struct client_stream *stream; /* of HTTP/2; NULL: the connection is the request's alone */
    const struct client_ops *ops;

    struct hold *hold; /* pinned from ROUTING on */
    const struct snapshot_listener *listener;
    const struct snapshot_route *route; /* NULL: none yet */
    const struct snapshot_pool *pool;

    /* client's side */
    size_t searched;  /* of what was read, for the end of the head; then its length */
    struct body body; /* of the upload, as the client frames it */
    uint64_t uploaded_bytes;
    uint64_t body_limit;
    enum method method;
    enum answer_form form;
    uint8_t http_minor;
    bool is_https;
    bool claims_https; /* over clear text: an :scheme that only a trusted proxy may say */
    bool wants_close;  /* the client will not send another request */
    bool closes;       /* we said so, or cannot go on */
    bool has_te_trailers;
    bool expects_continue;
    bool passes_upgrade;
    bool must_upgrade; /* a 2xx would tell the client that it is a WebSocket (RFC 8441 §5) */
    bool is_response_started; /* a byte of a final response was given to the client's side */
    bool is_client_half_closed;
    bool is_chunked_to_server;
    bool passes_trailers;
    bool has_sent_trailers; /* they are not kept: it cannot be sent again */
    bool is_fresh_wanted;   /* the next attempt must not use an idle connection */
    bool was_fresh_retried;
    bool was_reused;
    bool holds_place;                /* one of the server's max_connections */
    enum forward_body download_kind; /* as framed to the client */
    char upgrade[64];
    char websocket_key[WEBSOCKET_KEY + 1]; /* of an extended CONNECT, which a 101 must accept */
    char request_id[REQUEST_ID_BYTES];
    uint8_t client_address[16]; /* after X-Forwarded-For of trusted proxies */
    char client_text[48];

    /* server's side */
    struct buffer head;   /* the request as servers get it */
    struct buffer replay; /* the body sent so far, while it may be sent again */
    bool keeps_replay;
    uint64_t sent_to_server; /* bytes of body, in this attempt */
    struct balance_choice choice;
    struct upstream *upstream;
    struct server *server;
    int server_index;
    uint8_t attempts;
    uint8_t retries_left;
    uint8_t interims;
    uint16_t status; /* sent to the client */
    uint16_t server_status;
    const char *server_tls_why; /* static: why a handshake with a server failed; NULL: none did */
    const char *set_cookie_server; /* a sticky cookie is due for this server */

    struct deadline queue_deadline;
    uint64_t started_ns, head_ns, queued_from_ns, connect_from_ns, attempt_ns, first_byte_ns;
    uint32_t queued_us, connect_us;
    uint64_t progress_ms; /* when the client last read or wrote something */
    uint64_t received_bytes, sent_bytes;
    struct record *record; /* NULL: not logged */
    struct tap_cell *tap;  /* NULL: not drawn for the sample of the traffic, or told already */
};

/* ---- stock ---- */

struct request *request_take(struct worker *worker);
void request_stock_fini(struct worker *worker);

/* ---- shared by request.c and attempt.c ---- */

/* The only writer of `state`; an illegal move is our bug. */
void request_enter(struct request *req, enum request_state state);
/* An answer where one can still be given, else the client's connection ends so that what it got
 * cannot pass for a whole response. */
void request_fail(struct request *req, enum failure failure, const char *why);

/* ---- events of the client's side; each is the last thing its caller does with the request,
 * unless it says otherwise ---- */

/* The head stands in worker->message. */
void request_begin(struct request *req);
/* The head cannot be parsed or did not come; answers, and the client closes. */
void request_refuse(struct request *req, enum failure failure, const char *why);
/* True when upload bytes may be given now. */
bool request_takes_upload(const struct request *req);
/* True when nothing can happen before the client sends more of its body. */
bool request_waits_for_client(const struct request *req);
/* Decoded body bytes; the caller goes on with the request, so this never ends it. */
void request_upload(struct request *req, struct slice data);
/* The upload is complete; `trailers` is in worker->trailers or NULL. */
void request_upload_ended(struct request *req, struct message *trailers);
/* The body is malformed, too large, or stalled. */
void request_upload_failed(struct request *req, enum failure failure, const char *why);
/* The client wrote FIN into a tunnel; it may still read. */
void request_client_half_closed(struct request *req);
void request_client_gone(struct request *req, enum failure failure);
void request_client_drained(struct request *req);
/* Tunnel bytes from the client. */
void request_tunnel_from_client(struct request *req, struct slice data);

/* ---- events of the server's side ---- */

void request_connected(struct request *req);
/* The head of an interim or final response stands in worker->message; false: it was refused and
 * the upstream has been let go. */
bool request_response(struct request *req);
/* `is_last`: request_response_ended() or request_response_settle() follows before the bytes end. */
void request_response_body(struct request *req, struct slice data, bool is_last);
/* What was given goes to the client now; the server's side is paused when it takes no more. */
void request_response_settle(struct request *req);
/* The client's connection keeps much already: its response is to be read in small pieces. */
bool request_is_crowded(const struct request *req);
void request_response_ended(struct request *req, struct message *trailers);
void request_upstream_failed(struct request *req, enum failure failure);
void request_upstream_drained(struct request *req);
void request_tunnel_from_server(struct request *req, struct slice data);
void request_server_half_closed(struct request *req);

/* A place of a server of this pool may be free (queue.c): false when there is none, and it waits
 * on. */
bool request_try_queued(struct request *req);

/* decide.c: from the parsed head to a route and what it asks for.  Fills the request; FAILURE_NONE
 * with req->pool set means: forward, the head is built; without a pool `answer_out` is the answer.
 */
enum failure request_decide(struct request *req, struct answer *answer_out, const char **why_out);

/* decide.c: begins the record of a request whose head was refused before it was understood. */
void request_note_unread(struct request *req);

static inline bool request_is_head(const struct request *req)
{
    return req->method == METHOD_HEAD;
}

#endif
