/*
 * server - one address we forward to, and its live state.
 *
 * Created by the registry, shared by successive snapshots: a reload forgets nothing.
 * Key: pool, server name and resolved address.
 *
 * Owner    the registry (control).  Each word of `live` has the writer that balance.h names.
 * Threads  the fixed part: any.  references: control.
 */
#ifndef PROXY_UPSTREAM_SERVER_H
#define PROXY_UPSTREAM_SERVER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proxy/balance/balance.h"

enum { SERVER_TAG = 0x53455256 };

union server_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

struct pool_live;

struct server {
    uint32_t tag;
    /* Fixed from creation on. */
    struct pool_live *pool;
    const char *name;
    char address_text[128]; /* "10.0.0.1:8080", "[::1]:80", "unix:/run/app.sock" */
    union server_address address;
    socklen_t address_bytes;
    uint32_t slot;         /* of the in-flight rows; reused after the server is gone */
    uint32_t counter_slot; /* by pool and server name, over all its addresses; never reused */

    struct balance_live live;

    /* Written by the prober, read for status. */
    _Atomic uint64_t health_since_ms; /* wall clock */
    _Atomic uint32_t ejections_in_a_row;
    /* A worker asked for ejection and the prober has not answered yet: set by that worker, cleared
     * by the prober. */
    _Atomic uint32_t is_suspected;
    char *_Atomic last_check; /* why the last check failed: one of a fixed set of texts, or NULL */
    /* Why the last TLS handshake of a request failed, likewise; written by workers. */
    char *_Atomic last_handshake;

    /* control */
    uint32_t references;
};

/* Live state of a pool that outlives snapshots; by name. */
struct pool_live {
    const char *name;
    _Atomic uint64_t epoch;    /* fetch-add by whoever changed a live word (control, prober) */
    _Atomic uint32_t is_panic; /* prober */
    _Atomic uint32_t waiting;  /* queued requests, all workers: fetch-add, undone on overshoot */
    /* Since when (clock_ns) the oldest request that waits at each worker has, 0: none does; written
     * by that worker. */
    _Atomic uint64_t waiting_from_ns[BALANCE_MAX_WORKERS];
    uint32_t counter_slot;
    uint32_t references; /* control */
};

/* One request more or less on its way to `server`, seen from `worker`. */
static inline void load_begin(struct server *server, unsigned worker)
{
    _Atomic uint32_t *word = server->live.in_flight[worker];

    atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static inline void load_end(struct server *server, unsigned worker)
{
    _Atomic uint32_t *word = server->live.in_flight[worker];

    atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) - 1,
                          memory_order_relaxed);
}

/* How the last TLS handshake with it went: a static text, or NULL: well. */
void server_note_handshake(struct server *server, const char *why);

/* Takes one of the server's max_connections places (0: unlimited, always true). */
bool server_take_place(struct server *server, uint32_t max_connections);
void server_give_place(struct server *server, uint32_t max_connections);

#endif
