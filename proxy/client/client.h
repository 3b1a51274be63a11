/*
 * client - one connection from a client, and what its protocol offers a request.
 *
 *   PROXY_HEADER --> HANDSHAKE --> IDLE --first byte--> BUSY (requests) --> IDLE …
 *                      |                   |
 *                      +-------> ENDING (what is queued goes out) --> LINGERING --> closed
 *
 * What is spoken on it is in client_h1 and client_h2.  An idle one of HTTP/1 holds no buffer and no
 * request: what it costs is this struct.
 *
 * Owner    the worker that accepted it.      Threads  the worker's
 */
#ifndef PROXY_CLIENT_CLIENT_H
#define PROXY_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/list.h"
#include "base/slice.h"
#include "proxy/deadline.h"
#include "proxy/transport.h"

struct answer;
struct client_h2;
struct forward_response;
struct listener;
struct message;
struct request;
struct tls_identity;
struct worker;

/* The stride is prime to the number of lots: each of them comes once a round. */
enum { CLIENT_TAG = 0x434c4e54, CLIENT_LOTS = 10000, LOT_STRIDE = 6181 };

enum client_state {
    CLIENT_PROXY_HEADER,
    CLIENT_HANDSHAKE, /* of TLS */
    CLIENT_IDLE,
    CLIENT_BUSY,
    CLIENT_ENDING,
    CLIENT_LINGERING,
};

struct client {
    struct transport transport; /* first */
    uint32_t tag;
    uint8_t state;
    bool is_eof;           /* the client wrote FIN */
    bool is_consuming;     /* consume() is on the stack: it goes on by itself */
    bool lingers;          /* when all is written: FIN first, and read on for a while */
    bool needs_more;       /* trailers have begun, and the rest of them must be read */
    uint8_t skipped;       /* bytes of empty lines before a request line */
    bool is_counted_place; /* it holds a place of connections_per_client */
    bool has_peer;
    uint16_t peer_port;
    uint16_t lot; /* below CLIENT_LOTS, for good: whether it begins under a candidate */
    uint8_t peer[16];
    uint8_t socket_peer[16]; /* the connection's own, where a PROXY header said another */
    uint32_t served;         /* requests begun */
    uint32_t born_s;         /* clock_ms() / 1000 */
    uint32_t tried;          /* the candidate's generation that it is counted under; 0: none */
    struct list link;        /* worker->clients */
    struct deadline deadline;
    struct listener *listener;
    size_t unsent;                 /* bytes that waited for the client at the last look */
    struct request *request;       /* of HTTP/1; NULL: idle */
    struct client_h2 *h2;          /* NULL: HTTP/1 */
    struct buffer inbox;           /* read and not used yet */
    struct tls_identity *identity; /* by a certificate that was verified, or NULL */
};

struct client_ops {
    /* Head of the final response; the body follows in send_body().  False: it does not fit. */
    bool (*send_response)(struct request *req, struct message *message,
                          const struct forward_response *response);
    bool (*send_interim)(struct request *req, const struct message *message);
    /* The bytes must live until the end of the callback; `is_last`: in which more of the body, or
     * its end, follows. */
    void (*send_body)(struct request *req, struct slice data, bool is_last);
    void (*send_end)(struct request *req, const struct message *trailers);
    /* A whole response of our own. */
    void (*send_answer)(struct request *req, const struct answer *answer);
    /* True while the client reads slower than it is written to. */
    bool (*is_full)(const struct request *req);
    /* Of HTTP/2: the client's other streams leave little room.  NULL where a client has one request
     * at a time. */
    bool (*is_crowded)(const struct request *req);
    /* Upload bytes can be taken again. */
    void (*want_upload)(struct request *req);
    /* From now on bytes go both ways as they are. */
    void (*become_tunnel)(struct request *req);
    /* Nothing more will be written in this direction of a tunnel. */
    void (*send_fin)(struct request *req);
    /* The request is over and belongs to the client side again, which gives it back to the stock.
     * `is_clean`: what was sent is a whole response; else the client must see that it is not. */
    void (*finish)(struct request *req, bool is_clean);
    /* The peer's own address, IPv4-mapped, and port; false for a Unix socket. */
    bool (*peer)(const struct request *req, uint8_t address_out[16], uint16_t *port_out);
};

/* Accepts the connection that waits at `listener`. */
void client_accept(struct listener *listener);
/* It is old enough, or nobody serves it any more: what it has begun is the last of it. */
bool client_is_spent(const struct client *client);
/* The worker stops, or the listener is gone: ends at once while it has no request whose head is
 * complete, else after its request. */
void client_retire(struct client *client);
/* Ends now, whatever is under way. */
void client_abort(struct client *client);

#endif
