/*
 * detect - asks every rule of the table.
 *
 * Owner    nobody      Threads  any
 */
#include "detect/detect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "config/load.h"
#include "config/pointer.h"
#include "detect/internal.h"
#include "detect/rules.h"
#include "detect/touched.h"

#define OVERRIDABLE true
#define FIXED       false

const struct detect_rule detect_rules[] = {
#define RULE(id, severity, overridable, scope, function, title, why, fix)                          \
    {#id, DETECT_OF_##scope, FINDING_##severity, overridable, title, why, fix, function},
#define ELSEWHERE(id, severity, title, where, fix)                                                 \
    {#id, DETECT_ELSEWHERE, FINDING_##severity, FIXED, title, where, fix, NULL},
#define NOT_APPLICABLE(id, severity, title, reason)                                                \
    {#id, DETECT_NOT_APPLICABLE, FINDING_##severity, FIXED, title, reason, NULL, NULL},
#include "detect/rules.def"
#undef RULE
#undef ELSEWHERE
#undef NOT_APPLICABLE
};
const size_t detect_rule_count = sizeof(detect_rules) / sizeof(detect_rules[0]);

const struct detect_rule *detect_rule_find(const char *id)
{
    for (size_t i = 0; i < detect_rule_count; i++)
        if (strcmp(detect_rules[i].id, id) == 0)
            return &detect_rules[i];
    return NULL;
}

bool detect_is_overridable(const char *id)
{
    const struct detect_rule *rule = detect_rule_find(id);

    return rule != NULL && rule->is_overridable;
}

/* ---- reports ---- */

static void add(struct detect_run *run, enum finding_severity severity, const char *fix,
                const char *const path[DETECT_PATH], const char *format, va_list args)
{
    char message[1024];
    const char *file = NULL;

    if (run->reported++ >= DETECT_PER_RULE)
        return;
    (void)vsnprintf(message, sizeof(message), format, args);
    run->pointer.depth = 0;
    for (size_t i = 0; i < DETECT_PATH && path[i] != NULL; i++)
        pointer_push(&run->pointer, path[i]);
    if (path[0] != NULL)
        file = config_file_of(run->conf, path[0], path[1] != NULL ? path[1] : "");
    finding_add(run->findings, severity, run->rule->id, file, pointer_text(&run->pointer), "%s",
                message)
        ->fix = fix;
}

void detect_report(struct detect_run *run, const char *const path[DETECT_PATH], const char *format,
                   ...)
{
    va_list args;

    va_start(args, format);
    add(run, run->rule->severity, run->rule->fix, path, format, args);
    va_end(args);
}

void detect_report_as(struct detect_run *run, enum finding_severity severity,
                      const char *const path[DETECT_PATH], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(run, severity, run->rule->fix, path, format, args);
    va_end(args);
}

void detect_report_unknown(struct detect_run *run, const char *const path[DETECT_PATH],
                           const char *format, ...)
{
    va_list args;

    run->is_unknown = true;
    va_start(args, format);
    add(run, FINDING_INFO, NULL, path, format, args);
    va_end(args);
}

/* ---- look-ups ---- */

/* Rules ask for one pool after the other, and both lists are by name as a rule: the next one is
 * looked at first. */
const struct detect_pool_traffic *detect_traffic_of(struct detect_run *run, const char *pool)
{
    static const struct detect_pool_traffic none = {0};
    const struct detect_traffic *traffic = run->subject->traffic;

    if (traffic == NULL)
        return NULL;
    for (size_t i = 0; i < traffic->pool_count; i++) {
        size_t at = (run->traffic_next + i) % traffic->pool_count;

        if (strcmp(traffic->pools[at].pool, pool) != 0)
            continue;
        run->traffic_next = at + 1;
        return &traffic->pools[at];
    }
    return &none;
}

const struct touched *detect_touched(struct detect_run *run)
{
    if (run->touched == NULL)
        run->touched = touched_of(run->base, run->conf);
    return run->touched;
}

static int by_name(const void *name, const void *item)
{
    return strcmp(name, *(const char *const *)item);
}

/* The item so named of an array sorted by name, whose structs begin with it. */
static const void *find(const char *name, const void *items, size_t count, size_t bytes)
{
    return count > 0 ? bsearch(name, items, count, bytes, by_name) : NULL;
}

const struct conf_pool *detect_pool(const struct configuration *conf, const char *name)
{
    return find(name, conf->pools, conf->pool_count, sizeof(*conf->pools));
}

const struct conf_server *detect_server(const struct conf_pool *pool, const char *name)
{
    return find(name, pool->servers, pool->server_count, sizeof(*pool->servers));
}

const struct conf_route *detect_route(const struct configuration *conf, const char *name)
{
    return find(name, conf->routes, conf->route_count, sizeof(*conf->routes));
}

const struct conf_listener *detect_listener(const struct configuration *conf, const char *name)
{
    return find(name, conf->listeners, conf->listener_count, sizeof(*conf->listeners));
}

bool detect_has_text(const struct conf_strings *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

bool detect_leads_to(const struct conf_route *route, const char *pool)
{
    if (route->action == ACTION_POOL)
        return route->pool_name != NULL && strcmp(route->pool_name, pool) == 0;
    for (size_t i = 0; route->action == ACTION_SPLIT && i < route->split_count; i++)
        if (route->split[i].weight > 0 && strcmp(route->split[i].pool_name, pool) == 0)
            return true;
    return false;
}

/* ---- the run ---- */

static bool is_asked(const struct detect_run *run, const struct detect_rule *rule)
{
    return rule->check != NULL && (rule->scope != DETECT_OF_CHANGE || run->base != NULL);
}

static void ask(struct detect_run *run, const struct detect_rule *rule)
{
    run->rule = rule;
    run->reported = 0;
    rule->check(run);
    if (run->reported > DETECT_PER_RULE)
        finding_add(run->findings, FINDING_INFO, rule->id, NULL, "",
                    "and %zu more findings of this rule", run->reported - DETECT_PER_RULE);
}

static void run_init(struct detect_run *run, const struct detect_subject *subject,
                     struct findings *findings)
{
    *run = (struct detect_run){
        .subject = subject, .conf = subject->target, .base = subject->base, .findings = findings};
    pointer_init(&run->pointer);
}

static void run_fini(struct detect_run *run)
{
    touched_free(&run->touched);
    pointer_fini(&run->pointer);
}

void detect_add_fixes(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        struct finding *finding = &findings->items[i];
        const struct detect_rule *rule =
            finding->fix == NULL ? detect_rule_find(finding->rule) : NULL;

        if (rule != NULL && rule->scope == DETECT_ELSEWHERE)
            finding->fix = rule->fix;
    }
}

void detect_run(const struct detect_subject *subject, struct findings *out)
{
    struct detect_run run;
    size_t first = out->count;

    run_init(&run, subject, out);
    for (size_t i = 0; i < detect_rule_count; i++)
        if (is_asked(&run, &detect_rules[i]))
            ask(&run, &detect_rules[i]);
    detect_suppress(&run, first);
    detect_add_fixes(out);
    run_fini(&run);
}

bool detect_passes(const char *id, const struct detect_subject *subject, bool *is_known_out)
{
    const struct detect_rule *rule = detect_rule_find(id);
    struct arena *arena = arena_new(4096);
    struct findings findings;
    struct detect_run run;
    bool passes;

    findings_init(&findings, arena);
    run_init(&run, subject, &findings);
    if (rule != NULL && is_asked(&run, rule))
        ask(&run, rule);
    passes = findings_count_at_least(&findings, FINDING_ERROR) == 0;
    if (is_known_out != NULL)
        *is_known_out = !run.is_unknown;
    run_fini(&run);
    findings_fini(&findings);
    arena_free(&arena);
    return passes;
}
