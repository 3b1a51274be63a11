/*
 * rules_capacity - the C rules: is there room for the load, and for the failure of one server.
 *
 * Owner    nobody      Threads  any
 */
#include "config/text.h"
#include "detect/internal.h"
#include "detect/rules.h"
#include "detect/share.h"

static const double MOST_USED = 0.8;

/* The pool's peak; false, and said, when it or a capacity is not known. */
static bool find_peak(struct detect_run *run, const struct conf_pool *pool,
                      const struct share_pool *shares, double *peak_out)
{
    const struct detect_pool_traffic *traffic = detect_traffic_of(run, pool->name);

    if (!shares->tier.is_capacity_known) {
        detect_report_unknown(run, AT("pools", pool->name, "servers"),
                              "unknown: not every server declares capacity_rps");
        return false;
    }
    if (traffic == NULL) {
        detect_report_unknown(run, AT("pools", pool->name),
                              "unknown: the peak of its requests is not known yet");
        return false;
    }
    *peak_out = traffic->peak_rps;
    return true;
}

static void check_one_failure(struct detect_run *run, const struct conf_pool *pool,
                              const struct share_pool *shares)
{
    const struct share_tier *tier = &shares->tier;
    double peak;

    if (tier->ready < 2 || !find_peak(run, pool, shares, &peak))
        return;
    if (tier->capacity_rps - tier->largest_rps < peak)
        detect_report(run, AT("pools", pool->name, "servers"),
                      "capacity %.0f less the largest %.0f is %.0f requests a second; the peak was "
                      "%.0f",
                      tier->capacity_rps, tier->largest_rps, tier->capacity_rps - tier->largest_rps,
                      peak);
}

void one_failure_is_too_many(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        struct share_pool shares;

        share_pool_init(&shares, pool);
        check_one_failure(run, pool, &shares);
        share_pool_fini(&shares);
    }
}

static void check_overload(struct detect_run *run, const struct conf_pool *pool,
                           const struct share_pool *shares)
{
    double peak;

    if (shares->tier.eligible == 0 || !find_peak(run, pool, shares, &peak))
        return;
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct conf_server *server = &pool->servers[i];
        double load = peak * shares->servers[i].share;

        if (load > MOST_USED * server->capacity_rps)
            detect_report(
                run, AT("pools", pool->name, "servers", server->name, "capacity_rps"),
                "%s is expected to get %.0f requests a second of its %u: %.1f %% (at most "
                "%.0f %%)",
                server->name, load, server->capacity_rps, 100 * load / server->capacity_rps,
                100 * MOST_USED);
    }
}

void predicted_overload(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        struct share_pool shares;

        share_pool_init(&shares, pool);
        check_overload(run, pool, &shares);
        share_pool_fini(&shares);
    }
}

void no_panic_threshold(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    if (pool->panic_percent == 0 && pool->server_count > 1)
        detect_report(run, AT("pools", pool->name, "panic_percent"),
                      "is 0: health is believed until the last of %zu servers", pool->server_count);
}

/* As proxy/upstream/target.c counts: at least one, never the last. */
static size_t ejectable(const struct conf_pool *pool, size_t ready)
{
    size_t allowed = ready * pool->ejection.max_percent / 100;

    if (allowed < 1)
        allowed = 1;
    return allowed < ready ? allowed : ready - 1;
}

void ejection_takes_too_many(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        size_t ready = 0;
        size_t left;

        FOR_SERVERS(pool, server)
        ready += server->state == SERVER_READY && !server->is_backup;
        if (ready < 2 || pool->ejection.consecutive_failures == 0)
            continue;
        left = ready - ejectable(pool, ready);
        if (left < (ready + 1) / 2)
            detect_report(run, AT("pools", pool->name, "ejection", "max_percent"),
                          "%u %% may leave %zu of %zu servers (wanted: %zu)",
                          pool->ejection.max_percent, left, ready, (ready + 1) / 2);
    }
}

void servers_take_less_than_clients_may(struct detect_run *run)
{
    uint64_t clients = run->conf->process.max_connections;

    FOR_POOLS(run, pool)
    {
        uint64_t room = pool->queue.length;
        bool is_limited = pool->server_count > 0;

        FOR_SERVERS(pool, server)
        {
            if (server->is_backup)
                continue;
            room += server->max_connections;
            is_limited = is_limited && server->max_connections > 0;
        }
        if (is_limited && room < clients)
            detect_report(run, AT("pools", pool->name, "servers"),
                          "servers and queue take %llu requests at once, clients may have %llu "
                          "connections",
                          (unsigned long long)room, (unsigned long long)clients);
    }
}

void server_limit_beyond_process(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    FOR_SERVERS(pool, server)
    if (server->max_connections > run->conf->process.max_connections)
        detect_report(run, AT("pools", pool->name, "servers", server->name, "max_connections"),
                      "%u is more than process.max_connections (%u)", server->max_connections,
                      run->conf->process.max_connections);
}

void too_few_descriptors(struct detect_run *run)
{
    uint64_t limit = run->subject->descriptor_limit;
    uint64_t checks = 0;
    uint64_t needed;

    FOR_POOLS(run, pool)
    if (pool->health_check.is_on)
        checks += pool->server_count;
    needed = 2 * (uint64_t)run->conf->process.max_connections + checks + run->conf->listener_count;
    if (limit > 0 && limit < needed)
        detect_report(
            run, AT("process", "max_connections"),
            "%u connections need %llu open files (with %llu checks and %zu listeners); the "
            "limit is %llu",
            run->conf->process.max_connections, (unsigned long long)needed,
            (unsigned long long)checks, run->conf->listener_count, (unsigned long long)limit);
}

void queue_outlasts_clients(struct detect_run *run)
{
    const struct conf_listener *least = NULL;
    uint64_t patience = UINT64_MAX;
    char longer[32];
    char shorter[32];

    FOR_LISTENERS(run, listener)
    {
        uint64_t own = listener->timeouts.body_idle_ms < listener->timeouts.write_idle_ms
                           ? listener->timeouts.body_idle_ms
                           : listener->timeouts.write_idle_ms;

        if (own < patience) {
            patience = own;
            least = listener;
        }
    }
    FOR_POOLS(run, pool)
    {
        bool is_used = false;

        FOR_SERVERS(pool, server)
        is_used = is_used || server->max_connections > 0;
        if (is_used && least != NULL && pool->queue.timeout_ms > patience)
            detect_report(run, AT("pools", pool->name, "queue", "timeout"),
                          "%s is longer than clients of listener %s wait (%s)",
                          text_of_duration(pool->queue.timeout_ms, longer), least->name,
                          text_of_duration(patience, shorter));
    }
}
