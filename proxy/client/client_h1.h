/*
 * client_h1 - one connection from a client that speaks HTTP/1.
 *
 *   PROXY_HEADER --> HANDSHAKE --> IDLE --first byte--> BUSY (a request) --> IDLE …
 *                      |                   |
 *                      +-------> ENDING (what is queued goes out) --> LINGERING --> closed
 *
 * An idle one holds no buffer and no request: what it costs is this struct.
 *
 * Owner    the worker that accepted it.      Threads  the worker's
 */
#ifndef PROXY_CLIENT_CLIENT_H1_H
#define PROXY_CLIENT_CLIENT_H1_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/list.h"
#include "proxy/deadline.h"
#include "proxy/transport.h"

struct listener;
struct request;
struct tls_identity;
struct worker;

enum { CLIENT_TAG = 0x434c4e54, CLIENT_LOTS = 10000 };

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
    uint16_t lot; /* below CLIENT_LOTS, drawn once: whether it begins under a candidate */
    uint8_t peer[16];
    uint8_t socket_peer[16]; /* the connection's own, where a PROXY header said another */
    uint32_t served;         /* requests begun */
    uint32_t born_s;         /* clock_ms() / 1000 */
    struct list link;        /* worker->clients */
    struct deadline deadline;
    struct listener *listener;
    size_t unsent;                 /* bytes that waited for the client at the last look */
    struct request *request;       /* NULL: idle */
    struct buffer inbox;           /* read and not used yet */
    struct tls_identity *identity; /* by a certificate that was verified, or NULL */
};

/* Accepts the connection that waits at `listener`. */
void client_h1_accept(struct listener *listener);
/* Its next response is the last. */
bool client_h1_must_close(const struct client *client);
/* The worker stops, or the listener is gone: ends at once while it has no request whose head is
 * complete, else after its request. */
void client_h1_retire(struct client *client);
/* Ends now, whatever is under way. */
void client_h1_abort(struct client *client);

#endif
