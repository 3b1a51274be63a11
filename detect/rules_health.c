/*
 * rules_health - the H rules: do health checks notice what they should, and only that.
 *
 * Owner    nobody      Threads  any
 */
#include <string.h>

#include "config/text.h"
#include "detect/internal.h"
#include "detect/rules.h"

enum { SLOW_MS = 60 * 1000, VERY_SLOW_MS = 600 * 1000, OFTEN_MS = 500, LOAD_PERCENT = 5 };

void no_health_check(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        uint32_t failures = pool->ejection.consecutive_failures;

        if (pool->health_check.is_on || pool->server_count < 2)
            continue;
        if (failures > 0)
            detect_report_as(run, FINDING_WARNING, AT("pools", pool->name),
                             "has %zu servers and no health_check: one that is down costs %u "
                             "requests before it is ejected",
                             pool->server_count, failures);
        else
            detect_report(run, AT("pools", pool->name),
                          "has %zu servers, no health_check and no ejection: one that is down "
                          "stays in",
                          pool->server_count);
    }
}

/* From a failure to the verdict: the check that sees it first comes after `interval`. */
static uint64_t time_to_notice(const struct conf_health_check *check)
{
    uint64_t fast =
        check->fast_interval_ms < check->interval_ms ? check->fast_interval_ms : check->interval_ms;

    return check->interval_ms + (check->fall - 1) * fast + check->timeout_ms;
}

void slow_to_notice(struct detect_run *run)
{
    char notice[32];
    char interval[32];

    FOR_POOLS(run, pool)
    {
        uint64_t ms = time_to_notice(&pool->health_check);

        if (!pool->health_check.is_on || ms <= SLOW_MS)
            continue;
        detect_report_as(run, ms > VERY_SLOW_MS ? FINDING_ERROR : FINDING_WARNING,
                         AT("pools", pool->name, "health_check"),
                         "a server that fails is left out after %s at worst (interval %s, fall %u)",
                         text_of_duration(ms, notice),
                         text_of_duration(pool->health_check.interval_ms, interval),
                         pool->health_check.fall);
    }
}

static const struct conf_server *overloaded_by_checks(const struct conf_pool *pool)
{
    FOR_SERVERS(pool, server)
    if (server->capacity_rps > 0 &&
        100.0 * 1000 / (double)pool->health_check.interval_ms > LOAD_PERCENT * server->capacity_rps)
        return server;
    return NULL;
}

void checks_are_load(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        const struct conf_health_check *check = &pool->health_check;
        const struct conf_server *server;

        if (!check->is_on)
            continue;
        server = overloaded_by_checks(pool);
        if (check->interval_ms < OFTEN_MS)
            detect_report(run, AT("pools", pool->name, "health_check", "interval"),
                          "%llu ms for each of %zu servers: %.0f checks a second",
                          (unsigned long long)check->interval_ms, pool->server_count,
                          (double)pool->server_count * 1000 / (double)check->interval_ms);
        else if (server != NULL)
            detect_report(run, AT("pools", pool->name, "health_check", "interval"),
                          "%.1f checks a second are more than %d %% of the %u requests a second of "
                          "%s",
                          1000 / (double)check->interval_ms, LOAD_PERCENT, server->capacity_rps,
                          server->name);
    }
}

void verdict_by_one_check(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        const struct conf_health_check *check = &pool->health_check;

        if (check->is_on && (check->fall == 1 || check->rise == 1))
            detect_report(run, AT("pools", pool->name, "health_check"),
                          "fall %u, rise %u: one check decides", check->fall, check->rise);
    }
}

/* Some route that leads to the pool sends this host to its servers. */
static bool is_host_of_requests(const struct detect_run *run, const struct conf_pool *pool,
                                const char *host)
{
    bool is_named = false;

    FOR_ROUTES(run, route)
    {
        if (!detect_leads_to(route, pool->name))
            continue;
        if (route->rewrite.host != NULL) {
            is_named = true;
            if (strcmp(route->rewrite.host, host) == 0)
                return true;
            continue;
        }
        if (route->hosts.count == 0)
            return true;
        is_named = true;
        for (size_t i = 0; i < route->hosts.count; i++) {
            const char *pattern = route->hosts.items[i];
            size_t tail = pattern[0] == '*' ? strlen(pattern) - 1 : 0;

            if (strcmp(pattern, host) == 0 ||
                (tail > 0 && strlen(host) > tail &&
                 strcmp(host + strlen(host) - tail, pattern + 1) == 0))
                return true;
        }
    }
    return !is_named;
}

void check_looks_elsewhere(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        const struct conf_health_check *check = &pool->health_check;
        const struct conf_server *other = NULL;

        if (!check->is_on)
            continue;
        FOR_SERVERS(pool, server)
        if (check->port != 0 && server->address.kind != ADDRESS_UNIX &&
            server->address.port != check->port)
            other = server;
        if (other != NULL)
            detect_report(run, AT("pools", pool->name, "health_check", "port"),
                          "checks go to port %u, requests to %s", check->port, other->address.text);
        if (check->type == CHECK_HTTP && check->host != NULL &&
            !is_host_of_requests(run, pool, check->host))
            detect_report(run, AT("pools", pool->name, "health_check", "host"),
                          "no route that leads here is for host %s", check->host);
    }
}

void check_takes_any_answer(struct detect_run *run)
{
    FOR_POOLS(run, pool)
    {
        const struct conf_health_check *check = &pool->health_check;

        for (size_t i = 0;
             check->is_on && check->type == CHECK_HTTP && i < check->expect_status_count; i++)
            if (check->expect_status[i].from <= 500 && check->expect_status[i].to >= 599)
                detect_report(run, AT("pools", pool->name, "health_check", "expect_status"),
                              "%u-%u takes every answer of a server that fails",
                              check->expect_status[i].from, check->expect_status[i].to);
    }
}
