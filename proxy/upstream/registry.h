/*
 * registry - live servers and pools across snapshots, and the addresses behind their names.
 *
 * snapshot_build() takes references, snapshot_free() gives them back; a server that nobody
 * references any more dies here.  Names are resolved on libuv's pool, never on a worker: a name
 * that does not resolve keeps its last addresses (none at first), and a changed set is told to
 * `on_change`, which builds a new generation of the same revision.
 *
 * Owner    control.      Threads  control only
 */
#ifndef PROXY_UPSTREAM_REGISTRY_H
#define PROXY_UPSTREAM_REGISTRY_H

#include <uv.h>

#include "proxy/upstream/server.h"

struct conf_address;
struct conf_pool;
struct configuration;
struct counters;
struct registry;

typedef void registry_change_fn(void *context);

struct registry *registry_new(uv_loop_t *loop, unsigned worker_count, struct counters *counters,
                              registry_change_fn *on_change, void *context);
void registry_free(struct registry **registry);

/* The live pool of that name; +1 reference. */
struct pool_live *registry_take_pool(struct registry *registry, const char *name);
void registry_give_pool(struct registry *registry, struct pool_live **pool);

/* The servers behind one configured server, one an address: at most `room`; +1 reference each.
 * A name not resolved yet gives none. */
size_t registry_take_servers(struct registry *registry, struct pool_live *pool, const char *name,
                             const struct conf_address *address, struct server **servers_out,
                             size_t room);
void registry_give_server(struct registry *registry, struct server **server);

/* Watches the names that `configuration` uses, from now on; others are forgotten.  `on_first` is
 * called once, from the loop, when every name has been answered, or after `patience_ms`; a later
 * call replaces one that still waits.  Overrides outlive the servers: one that is removed and
 * comes back is still drained. */
void registry_watch_names(struct registry *registry, const struct configuration *configuration,
                          uint64_t patience_ms, registry_change_fn *on_first, void *context);
/* The same of two that run side by side; what both name is as `configuration` says.  `tried` may be
 * NULL. */
void registry_watch_both(struct registry *registry, const struct configuration *configuration,
                         const struct configuration *tried);

/* The state that the configuration gives a server; the runtime override wins while one is set.
 * registry_watch_names() does this for servers that do not serve yet; for the others it waits
 * until the snapshot is published, so that a configuration that fails changes nothing. */
void registry_configure_server(struct registry *registry, const char *pool, const char *server,
                               enum balance_admin admin);

/* Runtime overrides (drain, maint, weight); `admin` may be NULL: as configured, `weight`
 * BALANCE_NO_OVERRIDE.  Applies to every address of the server, also to ones that come later.
 * False: no such server. */
bool registry_set_admin(struct registry *registry, const char *pool, const char *server,
                        const enum balance_admin *admin, uint32_t weight);
/* The same for a server that no configuration has named yet: in force as soon as one does. */
void registry_preset_admin(struct registry *registry, const char *pool, const char *server,
                           const enum balance_admin *admin, uint32_t weight);

/* Back to what the configuration says.  False: no such server (a preset one is forgotten all the
 * same). */
bool registry_clear_admin(struct registry *registry, const char *pool, const char *server);

struct registry_admin {
    enum balance_admin configured;
    bool has_override;        /* of state or weight */
    enum balance_admin admin; /* in force */
    uint32_t weight;          /* in force: BALANCE_NO_OVERRIDE unless overridden */
};
bool registry_get_admin(const struct registry *registry, const char *pool, const char *server,
                        struct registry_admin *admin_out);

/* Stops timers and look-ups; call before the loop closes. */
void registry_close(struct registry *registry);

/* Each live server (every address), for status pages and metrics. */
typedef void registry_server_fn(void *context, struct server *server);
void registry_each_server(struct registry *registry, registry_server_fn *each, void *context);

#endif
