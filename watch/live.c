/*
 * live - see live.h.
 *
 * Owner    the arena.      Threads  control only
 */
#include "watch/live.h"

#include <math.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "change/override.h"
#include "config/model.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/server.h"

const char *live_health_word(enum balance_health health)
{
    static const char *const words[] = {
        [HEALTH_UNKNOWN] = "unknown", [HEALTH_UP] = "up", [HEALTH_DOWN] = "down"};

    return words[health];
}

const char *live_admin_word(enum balance_admin admin)
{
    static const char *const words[] = {
        [ADMIN_READY] = "ready", [ADMIN_DRAIN] = "drain", [ADMIN_MAINT] = "maint"};

    return words[admin];
}

const char *live_balance_word(const struct snapshot_pool *pool)
{
    static const char *const words[] = {
        [BALANCE_ROUND_ROBIN] = "round_robin", [BALANCE_LEAST_REQUESTS] = "least_requests",
        [BALANCE_RANDOM] = "random",           [BALANCE_PEAK_EWMA] = "peak_ewma",
        [BALANCE_MAGLEV] = "maglev",
    };

    return words[pool->conf->balance];
}

static uint32_t word(const _Atomic uint32_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

static const char *why_of(const struct live_address *address)
{
    if (address->standing != STANDING_ELIGIBLE && address->is_eligible)
        return "used because the pool panics";
    if (address->standing != STANDING_ELIGIBLE)
        return balance_standing_words[address->standing];
    if (address->slow_start_percent < 100)
        return "slow start";
    return address->health == HEALTH_UP ? "healthy" : "in service, not checked";
}

/* In a panic the balancer gives weight to servers that health checks or ejection took out. */
static bool may_serve(const struct live_address *address)
{
    switch (address->standing) {
    case STANDING_ELIGIBLE: return true;
    case STANDING_DOWN:
    case STANDING_UNKNOWN:
    case STANDING_EJECTED: return address->weight > 0;
    default: return false;
    }
}

/* What requests met last; checks have their own words. */
static const char *with_handshake(const struct live_address *address, struct arena *arena)
{
    const char *why = why_of(address);

    return address->last_handshake != NULL
               ? arena_printf(arena, "%s; the last TLS handshake failed: %s", why,
                              address->last_handshake)
               : why;
}

static void read_address(const struct snapshot_pool *pool, struct balance_view *view,
                         uint32_t index, uint64_t now_ms, struct arena *arena,
                         struct live_address *out)
{
    struct server *server = pool->servers[index];

    out->server = server;
    out->health = (enum balance_health)word(&server->live.health);
    out->standing = balance_standing(view, index, now_ms);
    out->is_ejected = word(&server->live.ejected) != 0;
    out->since_ms = atomic_load_explicit(&server->health_since_ms, memory_order_relaxed);
    out->last_check = atomic_load_explicit(&server->last_check, memory_order_relaxed);
    out->slow_start_percent =
        balance_ramp_percent(&server->live, pool->balance.slow_start_ms, now_ms);
    out->in_flight = balance_in_flight(&server->live);
    out->weight = balance_effective_weight(view, index, now_ms);
    out->is_eligible = may_serve(out);
    out->last_handshake = atomic_load_explicit(&server->last_handshake, memory_order_relaxed);
    out->why = with_handshake(out, arena);
}

/* panic_mode fail: while the pool panics nothing of it is used, the healthy ones neither. */
static void leave_out_all(struct live_pool *live)
{
    for (size_t i = 0; i < live->server_count; i++) {
        struct live_server *server = &live->servers[i];

        for (size_t j = 0; j < server->address_count; j++) {
            struct live_address *address = &server->addresses[j];
            if (address->standing == STANDING_ELIGIBLE)
                address->why = "the pool panics, and panic_mode is fail";
            address->is_eligible = false;
        }
        if (server->is_eligible)
            server->why = "the pool panics, and panic_mode is fail";
        server->is_eligible = false;
    }
}

/* What people ordered: at run time or, where they did not, in the configuration. */
static void read_orders(struct live_server *server)
{
    server->admin = (enum balance_admin)server->conf->state;
    server->weight_override = BALANCE_NO_OVERRIDE;
    for (size_t i = 0; i < server->address_count; i++) {
        const struct balance_live *live = &server->addresses[i].server->live;
        server->admin = (enum balance_admin)word(&live->admin); /* the same of all its addresses */
        if (word(&live->weight_override) != BALANCE_NO_OVERRIDE)
            server->weight_override = word(&live->weight_override);
    }
}

/* Who ordered what keeps a server out. */
static void name_who_ordered(struct ledger *ledger, struct live_pool *live, struct arena *arena)
{
    for (size_t i = 0; ledger != NULL && i < live->server_count; i++) {
        struct live_server *server = &live->servers[i];
        const struct override *one =
            override_get(ledger, live->pool->conf->name, server->conf->name);
        bool is_theirs =
            one != NULL && (one->state != NULL ? server->admin != ADMIN_READY : one->weight == 0);

        if (is_theirs && !server->is_eligible && server->address_count > 0)
            server->why = arena_printf(arena, "%s by %s", server->why, one->by);
    }
}

/* The address that speaks for the server: the one that serves best, then the first. */
static const struct live_address *best_address(const struct live_server *server)
{
    const struct live_address *best = &server->addresses[0];

    for (size_t i = 1; i < server->address_count; i++) {
        const struct live_address *address = &server->addresses[i];
        if (!best->is_eligible && address->is_eligible)
            best = address;
        else if (!best->is_eligible && best->health != HEALTH_UP && address->health == HEALTH_UP)
            best = address;
    }
    return best;
}

static void sum_addresses(struct live_server *server)
{
    if (server->address_count == 0) {
        server->why = "its name has not been resolved";
        server->slow_start_percent = 100;
        return;
    }
    const struct live_address *best = best_address(server);
    server->health = best->health;
    server->since_ms = best->since_ms;
    server->is_ejected = best->is_ejected;
    server->is_eligible = best->is_eligible;
    server->slow_start_percent = best->slow_start_percent;
    server->why = best->why;
    for (size_t i = 0; i < server->address_count; i++) {
        server->in_flight += server->addresses[i].in_flight;
        server->weight += server->addresses[i].weight;
    }
}

static void read_servers(struct live_pool *live, struct balance_view *view, struct arena *arena)
{
    const struct snapshot_pool *pool = live->pool;
    struct live_address *addresses = arena_array(arena, pool->server_count + 1, sizeof(*addresses));
    uint64_t now_ms = clock_ms();

    for (size_t i = 0; i < pool->server_count; i++) {
        struct live_server *server = &live->servers[pool->server_conf[i]];
        if (server->address_count++ == 0)
            server->addresses = &addresses[i];
        read_address(pool, view, (uint32_t)i, now_ms, arena, &addresses[i]);
    }
    for (size_t i = 0; i < live->server_count; i++) {
        live->servers[i].conf = &pool->conf->servers[i];
        read_orders(&live->servers[i]);
        sum_addresses(&live->servers[i]);
    }
}

struct summary_rates live_server_rates(const struct summary *summary, uint32_t counter_slot)
{
    if (summary == NULL || counter_slot >= summary->server_count)
        return (struct summary_rates){0};
    return summary->servers[counter_slot];
}

struct summary_rates live_pool_rates(const struct summary *summary, uint32_t counter_slot)
{
    if (summary == NULL || counter_slot >= summary->pool_count)
        return (struct summary_rates){0};
    return summary->pools[counter_slot];
}

static void read_shares(const struct summary *summary, struct live_pool *live)
{
    uint64_t requests = 0, weight = 0;

    for (size_t i = 0; i < live->server_count; i++) {
        struct live_server *server = &live->servers[i];
        if (server->address_count > 0)
            server->rates = live_server_rates(summary, server->addresses[0].server->counter_slot);
        requests += server->rates.requests_60s;
        weight += server->weight;
        live->in_flight += server->in_flight;
        live->eligible_count += server->is_eligible;
    }
    for (size_t i = 0; i < live->server_count; i++) {
        struct live_server *server = &live->servers[i];
        server->share = requests > 0 ? (double)server->rates.requests_60s / (double)requests : -1;
        server->expected = weight > 0 ? (double)server->weight / (double)weight : -1;
    }
}

static const char *state_of(const struct live_pool *live)
{
    if (live->eligible_count == 0)
        return "down"; /* panic too, where panic_mode is fail */
    if (live->is_panic)
        return "panic";
    for (size_t i = 0; i < live->server_count; i++) {
        const struct live_server *server = &live->servers[i];
        bool is_wanted = server->admin == ADMIN_READY && server->conf->weight > 0;
        if (is_wanted &&
            (server->health == HEALTH_DOWN || server->is_ejected || server->address_count == 0))
            return "degraded";
    }
    return "ok";
}

struct live_pool *live_pool_read(const struct live_source *source, const struct snapshot_pool *pool,
                                 struct arena *arena)
{
    struct live_pool *live = arena_alloc(arena, sizeof(*live));
    struct balance_view *view = balance_view_new(&pool->balance, NULL, 1);

    live->pool = pool;
    live->server_count = pool->conf->server_count;
    live->servers = arena_array(arena, live->server_count + 1, sizeof(*live->servers));
    read_servers(live, view, arena);
    name_who_ordered(source->ledger, live, arena);
    live->is_panic = balance_is_panic(view, clock_ms());
    if (live->is_panic && pool->balance.panic_fails)
        leave_out_all(live);
    balance_view_free(&view);
    read_shares(source->summary, live);
    live->waiting = word(&pool->live->waiting);
    live->rates = live_pool_rates(source->summary, pool->counter_slot);
    live->state = state_of(live);
    return live;
}
