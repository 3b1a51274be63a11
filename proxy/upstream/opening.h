/*
 * opening - a connection to a server that is not open yet, whatever will be spoken on it.
 *
 * Threads  the worker's
 */
#ifndef PROXY_UPSTREAM_OPENING_H
#define PROXY_UPSTREAM_OPENING_H

#include <stdint.h>

#include "observe/counters.h"
#include "proxy/failure.h"
#include "tls/trouble.h"

struct request;
struct server;
struct transport;

/* Why a connection did not come to be; `error` is libuv's. */
enum failure opening_failure(int error);

/* TLS with the request's server, as its pool trusts it (pool->trust is not NULL). */
void opening_shake_hands(struct transport *transport, const struct request *req);
/* The handshake came to nothing; `why` is static, and for whoever asked for the connection. */
void opening_note_trouble(struct server_row *row, struct server *server, enum tls_trouble trouble,
                          const char *why);

#endif
