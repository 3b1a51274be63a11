/*
 * parse_objects - what must hold within one object, beyond each key by itself.
 *
 * Looks at the document where it matters whether a key was written, so that a value that is wrong
 * is not reported a second time as missing.
 *
 * Owner    parse_documents()      Threads  one at a time
 */
#include "config/internal.h"

#include <string.h>

#include "base/arena.h"
#include "config/model.h"

static bool has(const json_t *object, const char *key)
{
    return json_object_get(object, key) != NULL;
}

static size_t count_of(const json_t *object, const char *const *keys, size_t count)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        found += has(object, keys[i]);
    return found;
}

static void check_listener(struct reader *reader, json_t *object, char *base)
{
    const struct conf_listener *listener = (const struct conf_listener *)(void *)base;

    if (listener->proxy_protocol == PROXY_PROTOCOL_ACCEPT && !has(object, "proxy_protocol_from"))
        reader_block(reader, "accepts PROXY headers from nobody: \"proxy_protocol_from\" must "
                             "list who may send them (such as [\"10.0.0.0/8\"])");
    if (listener->proxy_protocol == PROXY_PROTOCOL_OFF && has(object, "proxy_protocol_from"))
        reader_report(reader, FINDING_WARNING,
                      "\"proxy_protocol_from\" does nothing while \"proxy_protocol\" is \"off\"");
    if (listener->limits.request_line > listener->limits.header_bytes)
        reader_report(reader, FINDING_WARNING,
                      "limits: \"request_line\" is larger than \"header_bytes\"");
}

static void check_health_check(struct reader *reader, json_t *object, char *base)
{
    const struct conf_health_check *check = (const struct conf_health_check *)(void *)base;

    if (check->type == CHECK_TCP && (has(object, "path") || has(object, "host") ||
                                     has(object, "expect_status") || has(object, "expect_body")))
        reader_report(reader, FINDING_WARNING,
                      "\"path\", \"host\", \"expect_status\" and \"expect_body\" do nothing with "
                      "type \"tcp\"");
    if (check->type == CHECK_GRPC &&
        (has(object, "path") || has(object, "expect_status") || has(object, "expect_body")))
        reader_report(reader, FINDING_WARNING,
                      "\"path\", \"expect_status\" and \"expect_body\" do nothing with type "
                      "\"grpc\"");
    if (check->type != CHECK_GRPC && has(object, "service"))
        reader_report(reader, FINDING_WARNING,
                      "\"service\" does nothing unless \"type\" is \"grpc\"");
    if (check->timeout_ms > check->interval_ms)
        reader_report(reader, FINDING_WARNING,
                      "a check may take longer (timeout) than the time between two (interval)");
    if (has(object, "fast_interval") && check->fast_interval_ms > check->interval_ms)
        reader_report(reader, FINDING_WARNING, "\"fast_interval\" is longer than \"interval\"");
}

static void check_ejection(struct reader *reader, json_t *object, char *base)
{
    const struct conf_ejection *ejection = (const struct conf_ejection *)(void *)base;

    (void)object;
    if (ejection->base_time_ms > ejection->max_time_ms)
        reader_block(reader, "\"base_time\" is longer than \"max_time\"");
}

static void check_pool(struct reader *reader, json_t *object, char *base)
{
    const struct conf_pool *pool = (const struct conf_pool *)(void *)base;
    const json_t *servers = json_object_get(object, "servers");
    bool has_limit = false;

    if (json_is_object(servers) && json_object_size(servers) == 0)
        reader_block(reader, "has no servers: every request to it would be answered 503")->rule =
            "D004";
    if (pool->health_check.is_on && pool->health_check.type == CHECK_GRPC &&
        pool->protocol != PROTOCOL_H2)
        reader_block(reader, "health_check: type \"grpc\" needs \"protocol\": \"h2\"");
    if (has(object, "hash_on") && pool->balance != BALANCE_MAGLEV)
        reader_report(reader, FINDING_WARNING,
                      "\"hash_on\" does nothing unless \"balance\" is \"maglev\"");
    for (size_t i = 0; i < pool->server_count; i++)
        has_limit = has_limit || pool->servers[i].max_connections > 0;
    if (has(object, "queue") && !has_limit && pool->server_count > 0)
        reader_report(reader, FINDING_WARNING,
                      "\"queue\" does nothing while no server has \"max_connections\"");
}

static void check_respond(struct reader *reader, json_t *object, char *base)
{
    const struct conf_route *route = (const struct conf_route *)(void *)base;

    (void)object;
    if ((route->respond.status == 204 || route->respond.status == 304) &&
        route->respond.body_bytes > 0)
        reader_block(reader, "an answer with status %u has no body", route->respond.status);
}

static void check_rate_limit(struct reader *reader, json_t *object, char *base)
{
    struct conf_route *route = (struct conf_route *)(void *)base;

    (void)reader;
    if (!has(object, "burst"))
        route->rate_limit.burst = route->rate_limit.requests_per_second;
}

static void check_rewrite(struct reader *reader, json_t *object, char *base)
{
    (void)base;
    if (has(object, "path") && has(object, "path_prefix"))
        reader_block(reader, "has both \"path\" and \"path_prefix\": only one can be what the "
                             "server sees");
}

static void check_route(struct reader *reader, json_t *object, char *base)
{
    static const char *const actions[] = {"pool", "split", "redirect", "respond"};
    static const char *const paths[] = {"path", "path_prefix", "path_regex"};
    struct conf_route *route = (struct conf_route *)(void *)base;
    const json_t *rewrite = json_object_get(object, "rewrite");
    size_t count = count_of(object, actions, 4);

    if (count != 1)
        reader_block(reader,
                     "has %s of \"pool\", \"split\", \"redirect\" and \"respond\" "
                     "(exactly one says what happens)",
                     count == 0 ? "none" : "more than one");
    if (count_of(object, paths, 3) > 1)
        reader_block(reader, "has more than one of \"path\", \"path_prefix\" and \"path_regex\"");
    if (has(rewrite, "path_prefix") && !has(object, "path_prefix"))
        reader_block(reader, "rewrite.path_prefix replaces the \"path_prefix\" that matched, and "
                             "this route has none");
    route->action = has(object, "split")      ? ACTION_SPLIT
                    : has(object, "redirect") ? ACTION_REDIRECT
                    : has(object, "respond")  ? ACTION_RESPOND
                                              : ACTION_POOL;
    route->pool = CONFIG_NONE;
    route->file = arena_strdup(reader->arena, reader_file(reader));
}

static void check_person(struct reader *reader, json_t *object, char *base)
{
    const struct conf_person *person = (const struct conf_person *)(void *)base;

    if (strcmp(person->name, "local") == 0 || strcmp(person->name, "system") == 0 ||
        strcmp(person->name, "nobody") == 0)
        reader_block(reader, "\"%s\" is what the audit calls somebody else; choose another name",
                     person->name);
    if (person->kind == PERSON_SERVICE && !has(object, "owner"))
        reader_block(reader, "is a service and has no \"owner\": a person must answer for it");
    if (person->kind == PERSON_HUMAN && has(object, "owner"))
        reader_report(reader, FINDING_WARNING, "\"owner\" does nothing for a human");
    if (person->kind == PERSON_SERVICE && (person->roles & (ROLE_APPROVER | ROLE_BREAKGLASS)) != 0)
        reader_report(reader, FINDING_WARNING,
                      "is a service: its roles \"approver\" and \"breakglass\" do nothing");
    if (person->signing_key != NULL && strncmp(person->signing_key, "ed25519:", 8) != 0) {
        reader_enter(reader, "signing_key");
        reader_block(reader, "is not a public key (\"ed25519:\" and its bytes in base64)");
        reader_leave(reader);
    }
}

static void check_window(struct reader *reader, json_t *object, char *base)
{
    const struct conf_window *window = (const struct conf_window *)(void *)base;

    if (has(object, "days") && window->days == 0)
        reader_block(reader, "\"days\" names no day (leave it out for every day)");
    if (has(object, "from") && has(object, "to") && window->to <= window->from)
        reader_block(reader, "ends before it begins (over midnight: write two windows)");
}

static void check_freeze(struct reader *reader, json_t *object, char *base)
{
    const struct conf_freeze *freeze = (const struct conf_freeze *)(void *)base;

    if (has(object, "from") && has(object, "to") && freeze->to_ms <= freeze->from_ms)
        reader_block(reader, "ends before it begins");
}

static void check_factors(struct reader *reader, const struct conf_policy *policy)
{
    reader_enter(reader, "factors");
    for (size_t i = 0; i < policy->factor_count; i++)
        for (size_t j = 0; j < i; j++) {
            const char *group = policy->factors[i].group;

            if (group == NULL || policy->factors[j].group == NULL ||
                strcmp(group, policy->factors[j].group) != 0)
                continue;
            reader_enter_item(reader, i);
            reader_block(reader, "names group %s a second time", group);
            reader_leave(reader);
        }
    reader_leave(reader);
}

static void check_policy(struct reader *reader, json_t *object, char *base)
{
    const struct conf_policy *policy = (const struct conf_policy *)(void *)base;

    (void)object;
    check_factors(reader, policy);
    if (policy->confirm_min_bake_ms > policy->confirm_deadline_ms)
        reader_block(reader, "confirm: \"min_bake\" is longer than \"deadline\": nobody could "
                             "confirm in time");
    if (policy->approvals_high < policy->approvals_normal)
        reader_report(reader, FINDING_WARNING,
                      "approvals: \"high\" asks for fewer than \"normal\"");
    if (policy->mode == POLICY_ENFORCED && policy->approvals_normal == 0)
        reader_report(reader, FINDING_WARNING,
                      "approvals: \"normal\" is 0: one person alone can change what runs");
}

typedef void check_fn(struct reader *reader, json_t *object, char *base);

static check_fn *const checks[SHAPE_COUNT] = {
    [SHAPE_LISTENER] = check_listener, [SHAPE_HEALTH_CHECK] = check_health_check,
    [SHAPE_EJECTION] = check_ejection, [SHAPE_POOL] = check_pool,
    [SHAPE_RESPOND] = check_respond,   [SHAPE_RATE_LIMIT] = check_rate_limit,
    [SHAPE_REWRITE] = check_rewrite,   [SHAPE_ROUTE] = check_route,
    [SHAPE_POLICY] = check_policy,     [SHAPE_PERSON] = check_person,
    [SHAPE_WINDOW] = check_window,     [SHAPE_FREEZE] = check_freeze,
};

void object_check(struct reader *reader, enum shape_id shape, json_t *object, char *base)
{
    if (checks[shape] != NULL)
        checks[shape](reader, object, base);
}
