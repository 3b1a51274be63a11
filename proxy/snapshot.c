/*
 * snapshot - the configuration as the workers run it, frozen.
 *
 * Threads  build and free: control
 */
#include "proxy/snapshot.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config/load.h"
#include "observe/counters.h"
#include "observe/tap.h"
#include "proxy/compile.h"
#include "proxy/limits.h"
#include "proxy/route/route.h"
#include "proxy/secure.h"
#include "proxy/tapping.h"
#include "proxy/upstream/registry.h"

enum { ARENA_BLOCK = 256 * 1024, MAX_ADDRESSES = 16 };

/* ---- pools ---- */

static void add_server(struct snapshot_pool *pool, size_t index, struct server **addresses,
                       size_t count, struct balance_server *rows)
{
    const struct conf_server *conf = &pool->conf->servers[index];

    for (size_t i = 0; i < count; i++) {
        size_t at = pool->server_count++;

        pool->servers[at] = addresses[i];
        pool->server_conf[at] = (uint16_t)index;
        rows[at] = compile_server(conf, &addresses[i]->live, i, count);
    }
}

static void add_servers(struct snapshot *snapshot, struct snapshot_pool *pool)
{
    const struct conf_pool *conf = pool->conf;
    size_t room = conf->server_count;
    struct balance_server *rows;

    for (size_t i = 0; i < conf->server_count; i++)
        if (conf->servers[i].address.kind == ADDRESS_NAME)
            room += MAX_ADDRESSES - 1;
    pool->servers = arena_array(snapshot->arena, room, sizeof(*pool->servers));
    pool->server_conf = arena_array(snapshot->arena, room, sizeof(*pool->server_conf));
    pool->server_trust_keys = arena_array(snapshot->arena, room, sizeof(*pool->server_trust_keys));
    rows = arena_array(snapshot->arena, room, sizeof(*rows));
    for (size_t i = 0; i < conf->server_count; i++) {
        struct server *addresses[MAX_ADDRESSES];
        size_t count = registry_take_servers(snapshot->registry, pool->live, conf->servers[i].name,
                                             &conf->servers[i].address, addresses, MAX_ADDRESSES);

        add_server(pool, i, addresses, count, rows);
    }
    pool->balance.servers = rows;
    pool->balance.count = (uint32_t)pool->server_count;
}

static void add_pool(struct snapshot *snapshot, struct counters *counters, size_t index)
{
    struct snapshot_pool *pool = &snapshot->pools[index];
    const struct conf_pool *conf = &snapshot->conf->pools[index];

    pool->conf = conf;
    pool->index = (uint32_t)index;
    pool->counter_slot = counters_slot(counters, SCOPE_POOL, NULL, conf->name);
    pool->live = registry_take_pool(snapshot->registry, conf->name);
    add_servers(snapshot, pool);
    compile_pool(conf, &pool->balance);
    pool->balance.epoch = &pool->live->epoch;
    balance_pool_build(&pool->balance, snapshot->arena);
    atomic_fetch_add_explicit(&pool->live->epoch, 1, memory_order_release);
}

/* ---- routes ---- */

static void compile_edits(struct arena *arena, const struct conf_header_edits *from,
                          struct forward_edits *to)
{
    struct forward_edit *set = arena_array(arena, from->set_count, sizeof(*set));
    struct slice *removed = arena_array(arena, from->remove_count, sizeof(*removed));

    for (size_t i = 0; i < from->set_count; i++) {
        set[i] =
            (struct forward_edit){slice_from(from->set[i].name), slice_from(from->set[i].value)};
        to->set_bytes += (uint32_t)(set[i].name.len + set[i].value.len + 4);
    }
    for (size_t i = 0; i < from->remove_count; i++)
        removed[i] = slice_from(from->remove[i]);
    to->set = set;
    to->set_count = (uint32_t)from->set_count;
    to->remove = removed;
    to->remove_count = (uint32_t)from->remove_count;
}

static void compile_split(struct snapshot *snapshot, struct snapshot_route *route)
{
    const struct conf_route *conf = route->conf;
    uint32_t sum = 0;

    route->split = arena_array(snapshot->arena, conf->split_count, sizeof(*route->split));
    route->split_count = conf->split_count;
    for (size_t i = 0; i < conf->split_count; i++) {
        sum += conf->split[i].weight;
        route->split[i] = (struct snapshot_split){&snapshot->pools[conf->split[i].pool], sum};
    }
    route->split_total = sum > 0 ? sum : 1;
}

static void add_route(struct snapshot *snapshot, struct counters *counters,
                      struct rate_store *rates, size_t index)
{
    struct snapshot_route *route = &snapshot->routes[index];
    const struct conf_route *conf = &snapshot->conf->routes[index];

    route->conf = conf;
    route->counter_slot = counters_slot(counters, SCOPE_ROUTE, NULL, conf->name);
    if (conf->action == ACTION_POOL)
        route->pool = &snapshot->pools[conf->pool];
    else if (conf->action == ACTION_SPLIT)
        compile_split(snapshot, route);
    if (conf->rate_limit.requests_per_second > 0)
        route->rate = rate_store_table(rates, conf->name);
    compile_edits(snapshot->arena, &conf->request_headers, &route->request_edits);
    compile_edits(snapshot->arena, &conf->response_headers, &route->response_edits);
}

/* A name that is too long for a sample is not asked for. */
static void add_asked_header(struct snapshot *snapshot, struct slice name)
{
    if (snapshot->asked_header_count == TAP_HEADERS || name.len > TAP_HEADER_BYTES)
        return;
    for (size_t i = 0; i < snapshot->asked_header_count; i++)
        if (slice_equal_nocase(snapshot->asked_headers[i].name, name))
            return;
    snapshot->asked_headers[snapshot->asked_header_count++] =
        (struct snapshot_asked_header){.name = name, .is_secret = tapping_is_secret(name)};
}

static void add_asked_headers(struct snapshot *snapshot)
{
    snapshot->asked_headers =
        arena_array(snapshot->arena, TAP_HEADERS, sizeof(*snapshot->asked_headers));
    for (size_t r = 0; r < snapshot->conf->route_count; r++)
        for (size_t i = 0; i < snapshot->conf->routes[r].header_count; i++)
            add_asked_header(snapshot, slice_from(snapshot->conf->routes[r].headers[i].name));
}

/* ---- listeners ---- */

/* Beside those of routes, whose names have no blank. */
static struct rate_table *handshake_table(struct rate_store *rates,
                                          const struct conf_listener *conf)
{
    char name[96];

    if (!conf->has_tls ||
        (conf->tls.handshakes_per_second == 0 && conf->tls.handshakes_per_client == 0))
        return NULL;
    (void)snprintf(name, sizeof(name), "handshakes of %s", conf->name);
    return rate_store_table(rates, name);
}

static void add_listener(struct snapshot *snapshot, struct counters *counters,
                         struct rate_store *rates, size_t index)
{
    const struct conf_listener *conf = &snapshot->conf->listeners[index];

    snapshot->listeners[index] = (struct snapshot_listener){
        .conf = conf,
        .index = (uint32_t)index,
        .counter_slot = counters_slot(counters, SCOPE_LISTENER, NULL, conf->name),
        .handshakes = handshake_table(rates, conf),
    };
}

static void add_identity_header(struct snapshot *snapshot, const char *name)
{
    if (name != NULL)
        snapshot->identity_headers[snapshot->identity_header_count++] = slice_from(name);
}

static void add_identity_headers(struct snapshot *snapshot)
{
    snapshot->identity_headers =
        arena_array(snapshot->arena, 3 * snapshot->listener_count, sizeof(struct slice));
    for (size_t i = 0; i < snapshot->listener_count; i++) {
        const struct conf_identity_headers *headers =
            &snapshot->listeners[i].conf->tls.client_auth.headers;

        add_identity_header(snapshot, headers->subject);
        add_identity_header(snapshot, headers->fingerprint);
        add_identity_header(snapshot, headers->serial);
    }
}

/* ---- the whole ---- */

static struct snapshot *build(struct configuration *conf, uint32_t *references, uint64_t generation,
                              struct registry *registry, struct rate_store *rates,
                              struct counters *counters, struct error *why)
{
    struct route_table *routes = compile_routes(conf, why);
    struct arena *arena;
    struct snapshot *snapshot;

    ON_CONTROL();
    if (routes == NULL)
        return NULL;
    arena = arena_new(ARENA_BLOCK);
    snapshot = arena_alloc(arena, sizeof(*snapshot));
    *snapshot = (struct snapshot){
        .generation = generation,
        .conf = conf,
        .conf_references = references,
        .arena = arena,
        .registry = registry,
        .listeners = arena_array(arena, conf->listener_count, sizeof(struct snapshot_listener)),
        .listener_count = conf->listener_count,
        .pools = arena_array(arena, conf->pool_count, sizeof(struct snapshot_pool)),
        .pool_count = conf->pool_count,
        .routes = arena_array(arena, conf->route_count, sizeof(struct snapshot_route)),
        .route_count = conf->route_count,
        .route_table = routes,
    };
    ++*references;
    for (size_t i = 0; i < conf->listener_count; i++)
        add_listener(snapshot, counters, rates, i);
    add_identity_headers(snapshot);
    for (size_t i = 0; i < conf->pool_count; i++)
        add_pool(snapshot, counters, i);
    for (size_t i = 0; i < conf->route_count; i++)
        add_route(snapshot, counters, rates, i);
    add_asked_headers(snapshot);
    return snapshot;
}

struct snapshot *snapshot_build(struct configuration *conf, uint64_t generation,
                                struct registry *registry, struct rate_store *rates,
                                struct counters *counters, struct error *why)
{
    uint32_t *references = xcalloc(1, sizeof(*references));
    struct snapshot *snapshot = build(conf, references, generation, registry, rates, counters, why);

    if (snapshot == NULL)
        xfree(references);
    return snapshot;
}

struct snapshot *snapshot_rebuild(const struct snapshot *snapshot, uint64_t generation,
                                  struct rate_store *rates, struct counters *counters,
                                  struct error *why)
{
    struct snapshot *again = build(snapshot->conf, snapshot->conf_references, generation,
                                   snapshot->registry, rates, counters, why);

    if (again != NULL)
        secure_snapshot_like(again, snapshot);
    return again;
}

bool snapshot_check(const struct configuration *conf, struct error *why)
{
    struct route_table *routes = compile_routes(conf, why);
    bool ok = routes != NULL;

    if (ok)
        route_table_free(&routes);
    return ok;
}

void snapshot_configure_servers(const struct snapshot *snapshot)
{
    for (size_t p = 0; p < snapshot->pool_count; p++) {
        const struct conf_pool *pool = snapshot->pools[p].conf;

        for (size_t i = 0; i < pool->server_count; i++)
            registry_configure_server(snapshot->registry, pool->name, pool->servers[i].name,
                                      compile_admin(pool->servers[i].state));
    }
}

void snapshot_free(struct snapshot **holder)
{
    struct snapshot *snapshot = TAKE_POINTER(holder);
    struct arena *arena;

    ON_CONTROL();
    if (snapshot == NULL)
        return;
    for (size_t p = 0; p < snapshot->pool_count; p++) {
        struct snapshot_pool *pool = &snapshot->pools[p];

        for (size_t i = 0; i < pool->server_count; i++)
            registry_give_server(snapshot->registry, &pool->servers[i]);
        registry_give_pool(snapshot->registry, &pool->live);
    }
    secure_free(snapshot);
    route_table_free(&snapshot->route_table);
    if (--*snapshot->conf_references == 0) {
        xfree(snapshot->conf_references);
        config_free(&snapshot->conf);
    }
    arena = snapshot->arena;
    arena_free(&arena);
}

const struct snapshot_pool *snapshot_find_pool(const struct snapshot *snapshot, const char *name)
{
    int index = config_find_pool(snapshot->conf, name);

    return index < 0 ? NULL : &snapshot->pools[index];
}

const struct snapshot_route *snapshot_find_route(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->route_count; i++)
        if (strcmp(snapshot->routes[i].conf->name, name) == 0)
            return &snapshot->routes[i];
    return NULL;
}
