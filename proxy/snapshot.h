/*
 * snapshot - the configuration as the workers run it, frozen.
 *
 * The control thread builds a snapshot from a checked configuration and publishes it.  From then
 * on nobody writes to it.  A worker reads it without locks and lets go once no request that
 * began under it is left.
 *
 * Owner      control, from snapshot_build() to snapshot_free()
 * Threads    build and free: control.  Everything else: any thread that holds it.
 * Invariant  What is reachable from a snapshot never changes, save the live state of servers,
 *            pools and rate tables, which snapshots point to but do not contain.
 */
#ifndef PROXY_SNAPSHOT_H
#define PROXY_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "config/model.h"
#include "proxy/balance/balance.h"
#include "proxy/http/forward.h"

struct configuration;
struct counters;
struct error;
struct pool_live;
struct rate_store;
struct rate_table;
struct registry;
struct route_table;
struct server;
struct tls_server;
struct tls_tickets;
struct tls_trust;

struct snapshot_listener {
    const struct conf_listener *conf;
    uint32_t index; /* in snapshot->listeners; route conditions name it */
    uint32_t counter_slot;
    struct tls_server *tls;        /* NULL: clear text; a reference of the snapshot's */
    struct rate_table *handshakes; /* NULL: as many as come */
};

struct snapshot_pool {
    const struct conf_pool *conf;
    struct pool_live *live;
    struct balance_pool balance; /* balance.servers[i] is servers[i] */
    struct server **servers;     /* one an address, in order of the configured servers */
    uint16_t *server_conf;       /* servers[i] is an address of conf->servers[server_conf[i]] */
    size_t server_count;
    /* TLS to the servers; NULL: clear text.  A reference of the snapshot's. */
    struct tls_trust *trust;
    /* What the trust is made of, in a number; 0: clear text. */
    uint64_t trust_key;
    /* The same of each server, with the name that it is believed by: connections and sessions of
     * another one are not used again. */
    uint64_t *server_trust_keys;
    uint32_t index; /* in snapshot->pools */
    uint32_t counter_slot;
};

struct snapshot_split {
    const struct snapshot_pool *pool;
    uint32_t up_to; /* this pool when the draw is below */
};

struct snapshot_route {
    const struct conf_route *conf;
    const struct snapshot_pool *pool; /* ACTION_POOL */
    struct snapshot_split *split;     /* ACTION_SPLIT */
    size_t split_count;
    uint32_t split_total;
    struct rate_table *rate; /* NULL: no rate limit */
    struct forward_edits request_edits;
    struct forward_edits response_edits;
    uint32_t counter_slot;
};

/* A header that conditions of routes name: what a sample of the traffic tells of it. */
struct snapshot_asked_header {
    struct slice name; /* lower case */
    bool is_secret;    /* its value is never told */
};

struct snapshot {
    uint64_t generation;
    struct configuration *conf;
    uint32_t *conf_references; /* snapshots that share `conf`; control */
    struct arena *arena;
    struct registry *registry;
    struct snapshot_listener *listeners;
    size_t listener_count;
    struct snapshot_pool *pools;
    size_t pool_count;
    struct snapshot_route *routes;
    size_t route_count;
    struct route_table *route_table;
    /* Fields in which some listener tells who its client is: clients may send them at none. */
    struct slice *identity_headers;
    uint32_t identity_header_count;
    struct snapshot_asked_header *asked_headers; /* the first TAP_HEADERS of them */
    size_t asked_header_count;
    struct tls_server *admin_tls; /* of the admin listener; NULL: clear text */
};

/* Compiles `conf`, which then belongs to the snapshot.  Servers already known to `registry` keep
 * their live state.  NULL and `why` if, say, a regular expression does not compile: `conf` is
 * then still the caller's and the registry as it was. */
struct snapshot *snapshot_build(struct configuration *conf, uint64_t generation,
                                struct registry *registry, struct rate_store *rates,
                                struct counters *counters, struct error *why);

/* The same configuration again, with the addresses that names have by now. */
struct snapshot *snapshot_rebuild(const struct snapshot *snapshot, uint64_t generation,
                                  struct rate_store *rates, struct counters *counters,
                                  struct error *why);

/* What snapshot_build() would refuse, without building: regular expressions. */
bool snapshot_check(const struct configuration *conf, struct error *why);

/* The states that its configuration gives to servers (ready, drain, maint) are in force from now
 * on; publish() does this: what is only built changes nothing. */
void snapshot_configure_servers(const struct snapshot *snapshot);

/* Frees a snapshot that no worker holds, and clears the pointer. */
void snapshot_free(struct snapshot **snapshot);

/* NULL when there is none of that name. */
const struct snapshot_pool *snapshot_find_pool(const struct snapshot *snapshot, const char *name);
const struct snapshot_route *snapshot_find_route(const struct snapshot *snapshot, const char *name);

#endif
