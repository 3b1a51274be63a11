/*
 * rules_capacity - the C rules: is there room for the load, and for the failure of one server.
 *
 * Owner    nobody      Threads  any
 */
#include <math.h>

#include "config/text.h"
#include "detect/impact.h"
#include "detect/internal.h"
#include "detect/rules.h"
#include "detect/share.h"

static const double MOST_USED = 0.8;
static const double ROUNDING = 1e-9;

/* One pool: as it will be, and as it is, where this is a change whose effect was forecast. */
struct loaded {
    const struct conf_pool *pool;
    const struct impact_pool *forecast; /* NULL: there is none */
    struct share_pool before;           /* empty without a forecast */
    struct share_pool after;
};

static void open_loaded(const struct detect_run *run, const struct conf_pool *pool,
                        struct loaded *loaded)
{
    const struct impact *impact = run->subject->impact;

    *loaded = (struct loaded){.pool = pool};
    if (impact != NULL)
        loaded->forecast = impact_find_pool(impact, pool->name);
    share_pool_init(&loaded->before, run->base != NULL && impact != NULL
                                         ? detect_pool(run->base, pool->name)
                                         : NULL);
    share_pool_init(&loaded->after, pool);
    if (impact != NULL)
        impact_take_shares(impact, pool->name, &loaded->before, &loaded->after);
}

static void close_loaded(struct loaded *loaded)
{
    share_pool_fini(&loaded->before);
    share_pool_fini(&loaded->after);
}

/* The pool's peak, with what the change brings to it or takes from it; false, and said, when it or
 * a capacity is not known. */
static bool find_peak(struct detect_run *run, const struct loaded *loaded, double *peak_out)
{
    const struct conf_pool *pool = loaded->pool;
    const struct detect_pool_traffic *traffic = detect_traffic_of(run, pool->name);
    bool is_forecast = loaded->forecast != NULL && loaded->forecast->peak.after >= 0;

    if (!loaded->after.tier.is_capacity_known) {
        detect_report_unknown(run, AT("pools", pool->name, "servers"),
                              "unknown: not every server declares capacity_rps");
        return false;
    }
    if (!is_forecast && traffic == NULL) {
        detect_report_unknown(run, AT("pools", pool->name),
                              "unknown: the peak of its requests is not known yet");
        return false;
    }
    *peak_out = is_forecast ? loaded->forecast->peak.after : traffic->peak_rps;
    return true;
}

/* What was no better before must not stand in the way of a change, least of one that helps. */
static enum finding_severity severity_of(const struct detect_run *run, const struct loaded *loaded,
                                         double before, double after)
{
    bool was_known = loaded->forecast != NULL && loaded->forecast->peak.before >= 0;

    return was_known && before >= 0 && after <= before * (1 + ROUNDING) ? FINDING_WARNING
                                                                        : run->rule->severity;
}

/* The peak by what is left of the capacity without the largest server; below 0: not known. */
static double used_without_one(const struct share_tier *tier, double peak)
{
    double rest = tier->capacity_rps - tier->largest_rps;

    if (!tier->is_capacity_known)
        return -1;
    return rest > 0 ? peak / rest : HUGE_VAL;
}

static void check_one_failure(struct detect_run *run, const struct loaded *loaded)
{
    const struct share_tier *tier = &loaded->after.tier;
    double was = loaded->forecast != NULL ? loaded->forecast->peak.before : -1;
    double peak;

    if (tier->ready < 2 || !find_peak(run, loaded, &peak) ||
        tier->capacity_rps - tier->largest_rps >= peak)
        return;
    detect_report_as(run,
                     severity_of(run, loaded, used_without_one(&loaded->before.tier, was),
                                 used_without_one(tier, peak)),
                     AT("pools", loaded->pool->name, "servers"),
                     "capacity %.0f less the largest %.0f is %.0f requests a second; the peak was "
                     "%.0f",
                     tier->capacity_rps, tier->largest_rps, tier->capacity_rps - tier->largest_rps,
                     peak);
}

void one_failure_is_too_many(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        struct loaded loaded;

        open_loaded(run, pool, &loaded);
        check_one_failure(run, &loaded);
        close_loaded(&loaded);
    }
}

static double used_before(const struct loaded *loaded, const char *server)
{
    const struct share_server *was = share_find(&loaded->before, server);

    if (was == NULL || was->capacity_rps == 0 || loaded->forecast == NULL)
        return -1;
    return was->share * loaded->forecast->peak.before / was->capacity_rps;
}

static void check_overload(struct detect_run *run, const struct loaded *loaded)
{
    double peak;

    if (loaded->after.tier.eligible == 0 || !find_peak(run, loaded, &peak))
        return;
    for (size_t i = 0; i < loaded->after.count; i++) {
        const struct share_server *server = &loaded->after.servers[i];
        double load = peak * server->share;
        double used = server->capacity_rps > 0 ? load / server->capacity_rps : 0;

        if (used > MOST_USED)
            detect_report_as(
                run, severity_of(run, loaded, used_before(loaded, server->name), used),
                AT("pools", loaded->pool->name, "servers", server->name, "capacity_rps"),
                "%s is expected to get %.0f requests a second of its %u: %.1f %% (at most "
                "%.0f %%)",
                server->name, load, server->capacity_rps, 100 * used, 100 * MOST_USED);
    }
}

void predicted_overload(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        struct loaded loaded;

        open_loaded(run, pool, &loaded);
        check_overload(run, &loaded);
        close_loaded(&loaded);
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
