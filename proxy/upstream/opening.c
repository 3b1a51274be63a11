/*
 * opening - see opening.h.
 *
 * Threads  the worker's
 */
#include "proxy/upstream/opening.h"

#include "proxy/hold.h"
#include "proxy/request.h"
#include "proxy/secure.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/reuse.h"
#include "proxy/upstream/server.h"

int opening_begin(struct opening *opening, struct transport *transport, const struct request *req,
                  const struct transport_ops *ops, transport_connected_fn *on_connected)
{
    int error;

    opening->connect.on_connected = on_connected;
    error = transport_connect(transport, req->worker, ops, &opening->connect,
                              &req->server->address.any);
    opening->hold = error == 0 ? hold_pin(req->hold) : NULL;
    opening->pool = req->pool;
    opening->server_index = req->server_index;
    return error;
}

void opening_end(struct opening *opening)
{
    if (opening->hold == NULL)
        return;
    hold_unpin(&opening->hold);
    opening->pool = NULL;
}

uint64_t opening_trust_key(const struct request *req)
{
    return req->pool->server_trust_keys[req->server_index];
}

enum failure opening_failure(int error)
{
    switch (error) {
    case UV_ECONNREFUSED:
    case UV_ENOENT: /* of a Unix socket */ return FAILURE_CONNECT_REFUSED;
    case UV_ETIMEDOUT: return FAILURE_CONNECT_TIMEOUT;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOBUFS:
    case UV_ENOMEM:
    case UV_EADDRNOTAVAIL: return FAILURE_OUT_OF_DESCRIPTORS;
    default: return FAILURE_CONNECT_FAILED;
    }
}

void opening_shake_hands(struct opening *opening, struct transport *transport)
{
    const struct snapshot_pool *pool = opening->pool;
    const struct conf_server *server =
        &pool->conf->servers[pool->server_conf[opening->server_index]];

    transport_secure_to(transport, pool->trust, secure_server_name(&pool->conf->tls, server),
                        reuse_session(transport->worker, pool->servers[opening->server_index],
                                      pool->server_trust_keys[opening->server_index]));
}

void opening_note_trouble(struct server_row *row, struct server *server, enum tls_trouble trouble,
                          const char *why)
{
    count_one(&row->tls_failures[trouble]);
    server_note_handshake(server, why);
}
