/*
 * rules_delta - the X rules about what a change removes and touches.
 *
 * Owner    nobody      Threads  any
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "detect/internal.h"
#include "detect/rules.h"
#include "detect/touched.h"

enum { SERVERS_PERCENT = 20, OBJECTS_MAX = 5, POOLS_FROM = 4, LISTENERS_FROM = 2 };

/* ---- X001 and X002 ---- */

/* The pointer, or one above it, is among those that the change says it removes. */
static bool is_listed(const struct detect_subject *subject, const char *pointer)
{
    for (size_t i = 0; i < subject->delete_count; i++) {
        size_t len = strlen(subject->deletes[i]);

        if (strncmp(subject->deletes[i], pointer, len) == 0 &&
            (pointer[len] == '\0' || pointer[len] == '/'))
            return true;
    }
    return false;
}

/* One object is gone: counted, and refused when nobody said so. */
static size_t gone(struct detect_run *run, const char *const path[DETECT_PATH])
{
    char pointer[512] = "";
    size_t used = 0;

    for (size_t i = 0; i < DETECT_PATH && path[i] != NULL && used < sizeof(pointer); i++)
        used += (size_t)snprintf(pointer + used, sizeof(pointer) - used, "/%s", path[i]);
    if (run->subject->has_deletes && !is_listed(run->subject, pointer))
        detect_report_as(run, FINDING_BLOCK, path, "is removed, and \"deletes\" does not list it");
    return 1;
}

static size_t gone_servers(struct detect_run *run, const struct conf_pool *before,
                           const struct conf_pool *after)
{
    size_t count = 0;

    FOR_SERVERS(before, server)
    if (detect_server(after, server->name) == NULL)
        count += gone(run, AT("pools", before->name, "servers", server->name));
    if (count > 1 && count * 100 > before->server_count * SERVERS_PERCENT)
        detect_report(run, AT("pools", before->name, "servers"),
                      "%zu of %zu servers are removed: %zu %%", count, before->server_count,
                      count * 100 / before->server_count);
    return count;
}

void deletes_much(struct detect_run *run)
{
    const struct configuration *base = run->base;
    size_t count = 0;

    for (size_t i = 0; i < base->listener_count; i++)
        if (detect_listener(run->conf, base->listeners[i].name) == NULL)
            count += gone(run, AT("listeners", base->listeners[i].name));
    for (size_t i = 0; i < base->pool_count; i++) {
        const struct conf_pool *after = detect_pool(run->conf, base->pools[i].name);

        count += after == NULL ? gone(run, AT("pools", base->pools[i].name))
                               : gone_servers(run, &base->pools[i], after);
    }
    for (size_t i = 0; i < base->route_count; i++)
        if (detect_route(run->conf, base->routes[i].name) == NULL)
            count += gone(run, AT("routes", base->routes[i].name));
    if (count > OBJECTS_MAX)
        detect_report(run, AT(NULL), "%zu objects are removed (at most %d at once)", count,
                      OBJECTS_MAX);
}

void removes_the_last(struct detect_run *run)
{
    const struct configuration *base = run->base;
    const struct configuration *conf = run->conf;

    if (base->listener_count > 0 && conf->listener_count == 0)
        detect_report(run, AT("listeners"), "none of %zu listeners is left", base->listener_count);
    if (base->pool_count > 0 && conf->pool_count == 0)
        detect_report(run, AT("pools"), "none of %zu pools is left", base->pool_count);
    if (base->route_count > 0 && conf->route_count == 0)
        detect_report(run, AT("routes"), "none of %zu routes is left", base->route_count);
}

/* ---- what it touches ---- */

void touches_most(struct detect_run *run)
{
    const struct touched *touched = detect_touched(run);
    size_t pools = 0;
    size_t listeners = 0;

    for (size_t i = 0; i < run->base->pool_count; i++)
        pools += touched_has(touched, "pools", run->base->pools[i].name);
    for (size_t i = 0; i < run->base->listener_count; i++)
        listeners += touched_has(touched, "listeners", run->base->listeners[i].name);
    if (run->base->pool_count >= POOLS_FROM && pools * 2 > run->base->pool_count)
        detect_report(run, AT("pools"), "%zu of %zu pools are touched", pools,
                      run->base->pool_count);
    if (run->base->listener_count >= LISTENERS_FROM && listeners == run->base->listener_count)
        detect_report(run, AT("listeners"), "all %zu listeners are touched", listeners);
}

void touches_who_decides(struct detect_run *run)
{
    const struct touched *touched = detect_touched(run);

    if (touched_has_any(touched, "policy"))
        detect_report(run, AT("policy"), "how the configuration may change is touched");
    if (touched_has_any(touched, "people"))
        detect_report(run, AT("people"), "who may change the configuration is touched");
    if (touched_has_any(touched, "admin"))
        detect_report(run, AT("admin"), "how the admin API is reached is touched");
    if (touched_has(touched, "observe", "alerts"))
        detect_report(run, AT("observe", "alerts"), "who is told is touched");
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

void cuts_own_access(struct detect_run *run)
{
    const struct conf_admin *before = &run->base->admin;
    const struct conf_admin *after = &run->conf->admin;
    enum detect_via via = run->subject->via;
    enum finding_severity severity =
        via == DETECT_VIA_UNKNOWN ? FINDING_WARNING : run->rule->severity;

    if (via != DETECT_VIA_SOCKET && !same_text(before->listen.text, after->listen.text))
        detect_report_as(run, severity, AT("admin", "listen"), "moves from %s to %s",
                         before->listen.text, after->listen.text);
    if (via != DETECT_VIA_SOCKET && before->has_tls != after->has_tls)
        detect_report_as(run, FINDING_WARNING, AT("admin", "tls"),
                         "who comes from then on is spoken to %s: \"%s://\" in the place of "
                         "\"%s://\"",
                         after->has_tls ? "over TLS only" : "in clear text",
                         after->has_tls ? "https" : "http", before->has_tls ? "https" : "http");
    if (via != DETECT_VIA_TCP && before->socket != NULL &&
        !same_text(before->socket, after->socket))
        detect_report_as(run, severity, AT("admin", "socket"), "%s is gone", before->socket);
}

void changes_nothing(struct detect_run *run)
{
    const struct touched *touched = detect_touched(run);

    if (strcmp(run->base->digest, run->conf->digest) == 0)
        detect_report(run, AT(NULL), "it is what runs, byte for byte");
    else if (touched_count(touched) == 0)
        detect_report(run, AT(NULL), "the text differs, what it means does not");
}

void during_a_freeze(struct detect_run *run)
{
    const struct conf_policy *policy = &run->base->policy;
    int64_t now = run->subject->now_ms;
    char until[CLOCK_RFC3339_TEXT];

    if (run->subject->freeze_reason != NULL)
        detect_report(run, AT(NULL), "a freeze is in force: %s", run->subject->freeze_reason);
    for (size_t i = 0; i < policy->freeze_count && now > 0; i++) {
        const struct conf_freeze *freeze = &policy->freezes[i];

        if (freeze->from_ms <= now && now < freeze->to_ms)
            detect_report(run, AT("policy", "freeze"), "a freeze is in force until %s: %s",
                          clock_rfc3339(freeze->to_ms, until),
                          freeze->reason != NULL ? freeze->reason : "no reason given");
    }
}

/* ---- X018 ---- */

/* A route leads to two pools that are touched, so they have to do with each other. */
static bool is_shared(const struct configuration *conf, const struct touched *touched)
{
    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_route *route = &conf->routes[i];
        size_t count = 0;

        for (size_t j = 0; route->action == ACTION_SPLIT && j < route->split_count; j++)
            count += touched_has(touched, "pools", route->split[j].pool_name);
        if (count > 1)
            return true;
    }
    return false;
}

void mixes_pools(struct detect_run *run)
{
    const struct touched *touched = detect_touched(run);
    const char *first = NULL;
    const char *second = NULL;
    size_t count = 0;

    for (size_t i = 0; i < run->base->pool_count; i++) {
        const char *name = run->base->pools[i].name;

        if (!touched_has(touched, "pools", name))
            continue;
        second = count++ == 1 ? name : second;
        first = first == NULL ? name : first;
    }
    if (count > 1 && !is_shared(run->base, touched) && !is_shared(run->conf, touched))
        detect_report(run, AT("pools"),
                      "%zu pools are touched that no route has in common: %s, %s%s", count, first,
                      second, count > 2 ? " …" : "");
}
