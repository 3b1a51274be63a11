/*
 * affinity - which server a request asks for by what it carries: hash_on, and the sticky cookie.
 *
 * Owner    nobody: functions over the snapshot.      Threads  any; pure
 */
#ifndef PROXY_AFFINITY_H
#define PROXY_AFFINITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/route/route.h"

struct conf_pool;
struct snapshot_pool;
struct sticky_key;

/* What of a request counts. */
struct affinity {
    struct slice path;             /* in normal form */
    struct slice query;            /* with its "?", or empty */
    struct slice cookies;          /* the Cookie field, or empty */
    const uint8_t *client_address; /* 16 bytes */
    route_header_fn *header;
    void *header_context;
};

/* The hash that the pool's hash_on asks for; false when the request lacks what it is taken of. */
bool affinity_hash(const struct conf_pool *pool, const struct affinity *request,
                   uint64_t *hash_out);

/* The index of the server that the sticky cookie names (the first address, when it has several),
 * or BALANCE_NO_SERVER. */
int affinity_sticky(const struct snapshot_pool *pool, const struct affinity *request,
                    const struct sticky_key *key);

#endif
