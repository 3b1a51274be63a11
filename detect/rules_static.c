/*
 * rules_static - the D rules: how a pool's requests are spread, read from weights, states and
 * tiers.
 *
 * Owner    nobody      Threads  any
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "detect/internal.h"
#include "detect/rules.h"
#include "detect/share.h"

/* Limits of the rules, as docs/detectors.md has them. */
static const double ALMOST_ALL = 0.9;
static const double TIMES_FAIR = 2;
static const double TIMES_CAPACITY = 1.5;
static const double ROUNDING = 1e-9;
enum { WEIGHTS_APART = 20, KEYS_A_SERVER = 10 };

static double percent(double share)
{
    return share * 100;
}

/* Servers that could share the load: of the backups those that are ready, as the others may be
 * spares. */
static size_t count_of_tier(const struct share_pool *shares)
{
    return shares->tier.is_of_backups ? shares->tier.ready : shares->primaries;
}

/* The server that takes too much of it all, or NULL. */
static const struct conf_server *hoarder(const struct conf_pool *pool,
                                         const struct share_pool *shares)
{
    const struct share_tier *tier = &shares->tier;
    const struct share_server *top = share_top(shares);

    if (pool->intent == INTENT_ACTIVE_STANDBY || count_of_tier(shares) < 2 || tier->eligible == 0 ||
        top->share < ALMOST_ALL - ROUNDING)
        return NULL;
    if (tier->ready == 1)
        return 2 * tier->ready < shares->primaries ? detect_server(pool, top->name) : NULL;
    if (tier->is_capacity_known && top->share <= top->fair * 1.1)
        return NULL; /* that machine is that much larger */
    return detect_server(pool, top->name);
}

void one_server_gets_all(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        struct share_pool shares;
        const struct conf_server *server;

        share_pool_init(&shares, pool);
        server = hoarder(pool, &shares);
        if (server != NULL && shares.tier.ready > 1)
            detect_report(run, AT("pools", pool->name, "servers", server->name, "weight"),
                          "weight %u gives %s %.0f %% of the requests of a pool of %zu servers "
                          "(fair: %.0f %%)",
                          server->weight, server->name, percent(share_top(&shares)->share),
                          count_of_tier(&shares), percent(share_top(&shares)->fair));
        else if (server != NULL)
            detect_report(run, AT("pools", pool->name, "servers"),
                          "only %s of %zu servers is ready: it gets 100 %% of the requests",
                          server->name, shares.primaries);
        share_pool_fini(&shares);
    }
}

void share_beyond_capacity(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        struct share_pool shares;

        share_pool_init(&shares, pool);
        for (size_t i = 0; i < pool->server_count; i++) {
            const struct conf_server *server = &pool->servers[i];

            if (pool->intent == INTENT_ACTIVE_STANDBY || shares.servers[i].fair <= 0 ||
                shares.servers[i].share <= TIMES_FAIR * shares.servers[i].fair + ROUNDING ||
                server == hoarder(pool, &shares)) /* D001 says so */
                continue;
            detect_report(run, AT("pools", pool->name, "servers", server->name, "weight"),
                          "weight %u gives %s %.1f %% of the requests; its part of the capacity is "
                          "%.1f %% (%s)",
                          server->weight, server->name, percent(shares.servers[i].share),
                          percent(shares.servers[i].fair),
                          shares.tier.is_capacity_known ? "declared"
                                                        : "equal parts, as not all is declared");
        }
        share_pool_fini(&shares);
    }
}

void all_weights_are_zero(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        size_t ready = 0;
        size_t weighty = 0;

        FOR_SERVERS(pool, server)
        {
            ready += server->state == SERVER_READY;
            weighty += server->state == SERVER_READY && server->weight > 0;
        }
        if (ready > 0 && weighty == 0)
            detect_report(run, AT("pools", pool->name, "servers"),
                          "every ready server (%zu of %zu) has weight 0: nobody takes requests",
                          ready, pool->server_count);
    }
}

void only_backups(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        size_t backups = 0;

        FOR_SERVERS(pool, server)
        backups += server->is_backup;
        if (backups > 0 && backups == pool->server_count)
            detect_report(run, AT("pools", pool->name, "servers"),
                          "all %zu servers are backups, and there is nobody whose backup they are",
                          backups);
    }
}

void nobody_is_ready(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        size_t ready = 0;

        FOR_SERVERS(pool, server)
        ready += server->state == SERVER_READY;
        if (ready == 0 && pool->server_count > 0)
            detect_report(run, AT("pools", pool->name, "servers"),
                          "none of %zu servers is ready (all are in drain or maint)",
                          pool->server_count);
    }
}

static int compare_addresses(const struct conf_address *a, const struct conf_address *b)
{
    int order;

    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == ADDRESS_IP)
        order = memcmp(a->ip, b->ip, sizeof(a->ip));
    else
        order = a->kind == ADDRESS_NAME ? strcasecmp(a->host, b->host) : strcmp(a->host, b->host);
    return order != 0 ? order : (int)a->port - (int)b->port;
}

static int by_address(const void *a, const void *b)
{
    const struct conf_server *one = *(const struct conf_server *const *)a;
    const struct conf_server *two = *(const struct conf_server *const *)b;
    int order = compare_addresses(&one->address, &two->address);

    return order != 0 ? order : strcmp(one->name, two->name);
}

void same_endpoint_twice(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        const struct conf_server **sorted = xcalloc(pool->server_count + 1, sizeof(*sorted));
        const struct conf_server *first;

        for (size_t i = 0; i < pool->server_count; i++)
            sorted[i] = &pool->servers[i];
        qsort(sorted, pool->server_count, sizeof(*sorted), by_address);
        first = sorted[0];
        for (size_t i = 1; i < pool->server_count; i++) {
            if (compare_addresses(&first->address, &sorted[i]->address) == 0)
                detect_report(run, AT("pools", pool->name, "servers", sorted[i]->name, "address"),
                              "%s is the address of server %s too", sorted[i]->address.text,
                              first->name);
            else
                first = sorted[i];
        }
        xfree(sorted);
    }
}

void weights_far_apart(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        const struct conf_server *most = NULL;
        const struct conf_server *least = NULL;

        FOR_SERVERS(pool, server)
        {
            if (server->state != SERVER_READY || server->is_backup || server->weight == 0)
                continue;
            most = most == NULL || server->weight > most->weight ? server : most;
            least = least == NULL || server->weight < least->weight ? server : least;
        }
        if (most != NULL && most->weight > WEIGHTS_APART * least->weight)
            detect_report(run, AT("pools", pool->name, "servers", most->name, "weight"),
                          "weight %u of %s is %.4g times the weight %u of %s (at most %d times)",
                          most->weight, most->name, (double)most->weight / least->weight,
                          least->weight, least->name, WEIGHTS_APART);
    }
}

void weight_against_capacity(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        struct share_pool shares;

        share_pool_init(&shares, pool);
        for (size_t i = 0; shares.tier.is_capacity_known && i < pool->server_count; i++) {
            const struct conf_server *server = &pool->servers[i];

            if (shares.servers[i].fair > 0 &&
                shares.servers[i].share > TIMES_CAPACITY * shares.servers[i].fair + ROUNDING)
                detect_report(run, AT("pools", pool->name, "servers", server->name, "weight"),
                              "weight %u is %.1f %% of the requests, capacity_rps %u is %.1f %% of "
                              "the capacity",
                              server->weight, percent(shares.servers[i].share),
                              server->capacity_rps, percent(shares.servers[i].fair));
        }
        share_pool_fini(&shares);
    }
}

/* ---- D010 ---- */

/* Every client of a Unix socket has the same address: none. */
static bool has_client_addresses(const struct detect_run *run)
{
    FOR_LISTENERS(run, listener)
    if (listener->address.kind != ADDRESS_UNIX || listener->trusted_proxies.count > 0 ||
        listener->proxy_protocol == PROXY_PROTOCOL_ACCEPT)
        return true;
    return run->conf->listener_count == 0;
}

/* Every route that leads to the pool has the very same host, or path. */
static bool is_one_value(const struct detect_run *run, const struct conf_pool *pool, bool is_path)
{
    const char *only = NULL;

    FOR_ROUTES(run, route)
    {
        const char *value = is_path                   ? route->path
                            : route->hosts.count == 1 ? route->hosts.items[0]
                                                      : NULL;

        if (!detect_leads_to(route, pool->name))
            continue;
        if (value == NULL || value[0] == '*' || (only != NULL && strcmp(only, value) != 0))
            return false;
        only = value;
    }
    return only != NULL;
}

static const char *why_constant(const struct detect_run *run, const struct conf_pool *pool)
{
    switch (pool->hash_on) {
    case HASH_ON_CLIENT_IP:
        return has_client_addresses(run) ? NULL
                                         : "every listener is a Unix socket, whose clients "
                                           "have no address";
    case HASH_ON_HEADER:
        return strcmp(pool->hash_name, "host") == 0 && is_one_value(run, pool, false)
                   ? "every route that leads here has the same single host"
                   : NULL;
    case HASH_ON_PATH:
        return is_one_value(run, pool, true) ? "every route that leads here has the same exact path"
                                             : NULL;
    default: return NULL;
    }
}

void hash_key_is_poor(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        const struct detect_pool_traffic *traffic = detect_traffic_of(run, pool->name);
        const char *why;

        if (pool->balance != BALANCE_MAGLEV || pool->server_count < 2)
            continue;
        why = why_constant(run, pool);
        if (why != NULL)
            detect_report(run, AT("pools", pool->name, "hash_on"),
                          "has one value for all requests: %s", why);
        else if (traffic == NULL || traffic->distinct_keys == 0)
            detect_report_unknown(
                run, AT("pools", pool->name, "hash_on"),
                "how many values it has is not known yet (wanted: %zu or more for "
                "%zu servers)",
                KEYS_A_SERVER * pool->server_count, pool->server_count);
        else if (traffic->distinct_keys < KEYS_A_SERVER * pool->server_count)
            detect_report(run, AT("pools", pool->name, "hash_on"),
                          "had %llu values for %zu servers (wanted: %zu or more)",
                          (unsigned long long)traffic->distinct_keys, pool->server_count,
                          KEYS_A_SERVER * pool->server_count);
    }
}

/* ---- D011 to D017 ---- */

void sticky_for_ever(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    if (pool->sticky.cookie != NULL && pool->sticky.ttl_ms == 0)
        detect_report(run, AT("pools", pool->name, "sticky"),
                      "cookie %s has no \"ttl\": it lasts as long as the browser's session",
                      pool->sticky.cookie);
}

void failing_fast_attracts(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        bool is_by_load =
            pool->balance == BALANCE_LEAST_REQUESTS || pool->balance == BALANCE_PEAK_EWMA;

        if (!is_by_load || pool->server_count < 2)
            continue;
        if (pool->slow_start_ms == 0)
            detect_report(run, AT("pools", pool->name, "slow_start"),
                          "is 0s: a server that comes back gets every request at once");
        if (pool->ejection.consecutive_failures == 0)
            detect_report(run, AT("pools", pool->name, "ejection", "consecutive_failures"),
                          "is 0: a server that fails fast has the least load, and stays");
    }
}

struct tier_sum {
    size_t servers;
    uint64_t capacity;
    bool is_known;
};

static struct tier_sum tier_of(const struct conf_pool *pool, bool backups)
{
    struct tier_sum sum = {.is_known = true};

    FOR_SERVERS(pool, server)
    {
        if (server->is_backup != backups || server->state != SERVER_READY)
            continue;
        sum.servers++;
        sum.capacity += server->capacity_rps;
        sum.is_known = sum.is_known && server->capacity_rps > 0;
    }
    return sum;
}

void standby_is_smaller(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        struct tier_sum primaries = tier_of(pool, false);
        struct tier_sum backups = tier_of(pool, true);

        if (backups.servers == 0 || primaries.servers == 0)
            continue;
        if (primaries.is_known && backups.is_known) {
            if (backups.capacity < primaries.capacity)
                detect_report(run, AT("pools", pool->name, "servers"),
                              "backups can serve %llu requests a second, primaries %llu",
                              (unsigned long long)backups.capacity,
                              (unsigned long long)primaries.capacity);
        } else if (backups.servers < primaries.servers) {
            detect_report_as(run, FINDING_WARNING, AT("pools", pool->name, "servers"),
                             "%zu backups stand behind %zu primaries, and not every capacity is "
                             "declared",
                             backups.servers, primaries.servers);
        }
    }
}

void standby_is_not_declared(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        size_t idle = 0;
        size_t busy = 0;

        FOR_SERVERS(pool, server)
        {
            bool counts = server->state == SERVER_READY && !server->is_backup;

            idle += counts && server->weight == 0;
            busy += counts && server->weight > 0;
        }
        if (pool->intent == INTENT_BALANCED && busy == 1 && idle > 0)
            detect_report(run, AT("pools", pool->name, "intent"),
                          "is \"balanced\", but 1 server has a weight and %zu have weight 0", idle);
    }
}
