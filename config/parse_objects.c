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
    if (pool->protocol == PROTOCOL_H2) {
        reader_enter(reader, "protocol");
        reader_block(reader, "\"h2\" is not supported by this version (it speaks HTTP/1.1 to "
                             "servers)");
        reader_leave(reader);
    }
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

static void check_policy(struct reader *reader, json_t *object, char *base)
{
    const json_t *mode = json_object_get(object, "mode");

    (void)base;
    if (!json_is_string(mode) || strcmp(json_string_value(mode), "enforced") != 0)
        return;
    reader_enter(reader, "mode");
    reader_report(reader, FINDING_WARNING,
                  "approvals are not enforced by this version: it behaves as \"advisory\"");
    reader_leave(reader);
}

typedef void check_fn(struct reader *reader, json_t *object, char *base);

static check_fn *const checks[SHAPE_COUNT] = {
    [SHAPE_LISTENER] = check_listener, [SHAPE_HEALTH_CHECK] = check_health_check,
    [SHAPE_EJECTION] = check_ejection, [SHAPE_POOL] = check_pool,
    [SHAPE_RESPOND] = check_respond,   [SHAPE_RATE_LIMIT] = check_rate_limit,
    [SHAPE_REWRITE] = check_rewrite,   [SHAPE_ROUTE] = check_route,
    [SHAPE_POLICY] = check_policy,
};

void object_check(struct reader *reader, enum shape_id shape, json_t *object, char *base)
{
    if (checks[shape] != NULL)
        checks[shape](reader, object, base);
}
