/*
 * opening - a connection to a server that is not open yet, whatever will be spoken on it.
 *
 * It may outlive the request that it was begun for: who is cancelled leaves it to the next one
 * (reuse.c).  So it keeps the snapshot that says how the server is spoken to.
 *
 * Owner    the connection that it is in, from opening_begin() to opening_end().
 * Threads  the worker's
 */
#ifndef PROXY_UPSTREAM_OPENING_H
#define PROXY_UPSTREAM_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#include "observe/counters.h"
#include "proxy/failure.h"
#include "proxy/transport.h"
#include "tls/trouble.h"

struct hold;
struct request;
struct server;
struct snapshot_pool;

struct opening {
    struct transport_connect connect;
    struct hold *hold; /* pinned; NULL: it is over */
    const struct snapshot_pool *pool;
    int server_index;
};

/* 0 or a negative libuv error; where it is one it is over already. */
int opening_begin(struct opening *opening, struct transport *transport, const struct request *req,
                  const struct transport_ops *ops, transport_connected_fn *on_connected);
/* It is open, or will never be; may be called again. */
void opening_end(struct opening *opening);
static inline bool opening_lasts(const struct opening *opening)
{
    return opening->hold != NULL;
}

/* What the request's server is believed by, in a number: connections of another one are not for it.
 */
uint64_t opening_trust_key(const struct request *req);

/* Why a connection did not come to be; `error` is libuv's. */
enum failure opening_failure(int error);

/* TLS, as the pool trusts its server (pool->trust is not NULL). */
void opening_shake_hands(struct opening *opening, struct transport *transport);
/* The handshake came to nothing; `why` is static, and for whoever asked for the connection. */
void opening_note_trouble(struct server_row *row, struct server *server, enum tls_trouble trouble,
                          const char *why);

#endif
