/*
 * rules_timeouts - the M rules: timeouts, retries and limits that do not fit each other.
 *
 * Owner    nobody      Threads  any
 */
#include "config/text.h"
#include "detect/internal.h"
#include "detect/rules.h"

enum { SERVERS_IDLE_MS = 60 * 1000, TRIES_MAX = 3 };

static const struct conf_listener *least_patient(const struct detect_run *run)
{
    const struct conf_listener *least = NULL;

    FOR_LISTENERS(run, listener)
    if (least == NULL || listener->timeouts.body_idle_ms < least->timeouts.body_idle_ms)
        least = listener;
    return least;
}

static void check_pool_timeouts(struct detect_run *run, const struct conf_pool *pool,
                                const struct conf_listener *least)
{
    uint64_t connect = pool->timeouts.connect_ms;
    char longer[32];
    char shorter[32];

    if (connect > pool->timeouts.response_ms)
        detect_report(run, AT("pools", pool->name, "timeouts", "connect"),
                      "%s is longer than \"response\" (%s)", text_of_duration(connect, longer),
                      text_of_duration(pool->timeouts.response_ms, shorter));
    else if (least != NULL && connect > least->timeouts.body_idle_ms)
        detect_report(run, AT("pools", pool->name, "timeouts", "connect"),
                      "%s is longer than clients of listener %s wait (body_idle %s)",
                      text_of_duration(connect, longer), least->name,
                      text_of_duration(least->timeouts.body_idle_ms, shorter));
}

void timeouts_are_inverted(struct detect_run *run)
{
    const struct conf_listener *least = least_patient(run);
    char longer[32];
    char shorter[32];

    FOR_POOLS(run, pool)
    check_pool_timeouts(run, pool, least);
    FOR_ROUTES(run, route)
    {
        if (route->response_timeout_ms == 0 || route->action != ACTION_POOL || route->pool < 0)
            continue;
        const struct conf_pool *pool = &run->conf->pools[route->pool];

        if (route->response_timeout_ms < pool->timeouts.connect_ms)
            detect_report(run, AT("routes", route->name, "timeouts", "response"),
                          "%s is shorter than connecting may take in pool %s (%s)",
                          text_of_duration(route->response_timeout_ms, shorter), pool->name,
                          text_of_duration(pool->timeouts.connect_ms, longer));
    }
}

void idle_longer_than_servers(struct detect_run *run)
{
    char idle[32];

    FOR_POOLS(run, pool)
    if (pool->keepalive.idle_per_worker > 0 && pool->keepalive.idle_timeout_ms > SERVERS_IDLE_MS)
        detect_report(run, AT("pools", pool->name, "keepalive", "idle_timeout"),
                      "%s is longer than most servers keep an idle connection (1m)",
                      text_of_duration(pool->keepalive.idle_timeout_ms, idle));
}

void retries_amplify(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        uint32_t attempts = pool->retry.attempts;

        if (1 + attempts > TRIES_MAX)
            detect_report(run, AT("pools", pool->name, "retry", "attempts"),
                          "%u retries are %u tries a request (at most %d)", attempts, 1 + attempts,
                          TRIES_MAX);
        else if (attempts > 0 && pool->retry.budget_percent >= 100)
            detect_report(run, AT("pools", pool->name, "retry", "budget_percent"),
                          "%u %% is no budget: every request may be retried",
                          pool->retry.budget_percent);
    }
}

void clients_without_limits(struct detect_run *run)
{
    FOR_LISTENERS(run, listener)
    if (listener->address.kind == ADDRESS_IP && !text_is_loopback(&listener->address) &&
        listener->limits.body == 0 && listener->limits.connections_per_client == 0)
        detect_report(
            run, AT("listeners", listener->name, "limits"),
            "neither \"body\" nor \"connections_per_client\" is limited, and %s is open to "
            "the network",
            listener->address.text);
}

void nothing_breaks_the_circuit(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        bool is_limited = false;

        FOR_SERVERS(pool, server)
        is_limited = is_limited || server->max_connections > 0;
        if (!is_limited && pool->ejection.consecutive_failures == 0)
            detect_report(run, AT("pools", pool->name, "ejection", "consecutive_failures"),
                          "is 0, and no server has \"max_connections\"");
    }
}
