/*
 * on_explain - what would happen to this request: which route and why not the others, which
 * servers may serve it, which would.
 *
 * Runs the code that the workers run (target, route_match, balance_pick) on the running snapshot,
 * with a balancing view of its own: nothing that requests use is touched.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/operations.h"

#include <string.h>

#include "admin/asked.h"
#include "admin/call.h"
#include "admin/dispatch.h"
#include "admin/explain.h"
#include "admin/internal.h"
#include "admin/problem.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "change/ledger.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "proxy/affinity.h"
#include "proxy/http/target.h"
#include "proxy/limits.h"
#include "proxy/network.h"
#include "proxy/snapshot.h"

enum { REJECTED_SHOWN = 100 };

/* --- reading the body -------------------------------------------------------------------- */

static void add_error(struct explain *explain, const char *pointer, const char *message)
{
    json_array_append_new(explain->errors, json_pack("{s:s, s:s, s:s, s:o}", "pointer", pointer,
                                                     "rule", "api", "severity", "error", "message",
                                                     reply_string(slice_from(message))));
}

static const char *text_field(struct explain *explain, const char *name, const char *otherwise)
{
    json_t *value = json_object_get(explain->body, name);

    if (value == NULL || json_is_null(value))
        return otherwise;
    if (!json_is_string(value)) {
        add_error(explain, arena_printf(explain->call->arena, "/%s", name), "must be a text");
        return otherwise;
    }
    return json_string_value(value);
}

static void read_headers(struct explain *explain)
{
    json_t *headers = json_object_get(explain->body, "headers"), *value;
    const char *name;

    if (headers == NULL || json_is_null(headers))
        return;
    if (!json_is_object(headers)) {
        add_error(explain, "/headers", "must be an object of name and value");
        return;
    }
    json_object_foreach(headers, name, value)
    {
        if (!json_is_string(value))
            add_error(explain, arena_printf(explain->call->arena, "/headers/%s", name),
                      "must be a text");
    }
    explain->headers = headers;
}

static void read_target(struct explain *explain)
{
    struct slice path = slice_from(text_field(explain, "path", "/"));
    struct slice host = slice_from(text_field(explain, "host", ""));
    const char *mark = path.len > 0 ? memchr(path.at, '?', path.len) : NULL;
    char *host_out = arena_alloc(explain->call->arena, TARGET_HOST_BYTES);
    const char *why = "is not a path";

    if (mark != NULL) {
        explain->query_text = slice_after(path, (size_t)(mark - path.at));
        path.len = (size_t)(mark - path.at);
    }
    if (!target_normal_path(path, arena_alloc(explain->call->arena, path.len + 1), &explain->path,
                            &why))
        add_error(explain, "/path", why);
    why = "is not a host";
    if (host.len > 0 && !target_normal_host(host, host_out, &explain->host, &why))
        add_error(explain, "/host", why);
}

static void read_client(struct explain *explain)
{
    const char *text = text_field(explain, "client_ip", NULL);

    if (text == NULL)
        return;
    explain->has_client = network_parse_address(slice_from(text), explain->client);
    if (!explain->has_client)
        add_error(explain, "/client_ip", "is not an IP address");
}

static void read_listener(struct explain *explain)
{
    const struct snapshot *snapshot = explain->snapshot;
    const char *name = text_field(explain, "listener", NULL);

    for (size_t i = 0; i < snapshot->listener_count; i++) {
        const struct snapshot_listener *listener = &snapshot->listeners[i];
        if (name == NULL || strcmp(listener->conf->name, name) == 0) {
            explain->query.listener = listener->index;
            explain->listener = listener->conf->name;
            return;
        }
    }
    if (name != NULL)
        add_error(explain, "/listener", "there is no listener of that name");
}

static void read_scheme(struct explain *explain)
{
    const char *scheme = text_field(explain, "scheme", "http");

    explain->query.is_https = strcmp(scheme, "https") == 0;
    if (!explain->query.is_https && strcmp(scheme, "http") != 0)
        add_error(explain, "/scheme", "must be \"http\" or \"https\"");
}

static bool find_header(void *context, struct slice name, struct slice *value_out)
{
    struct explain *explain = context;
    const char *key;
    json_t *value;

    json_object_foreach(explain->headers, key, value)
    {
        if (!slice_equal_nocase(slice_from(key), name))
            continue;
        *value_out = slice_of(json_string_value(value), json_string_length(value));
        return true;
    }
    return false;
}

/* --- a configuration that does not run --------------------------------------------------- */

/* Compiles what the change would make.  Servers that are known keep their live state in it; nobody
 * gets it, and it goes when the call is answered.  False: the call was answered. */
static bool build_staged(struct explain *explain, struct configuration *conf)
{
    const struct admin_options *options = &explain->call->admin->options;
    struct error why = {0};

    explain->rates = rate_store_new();
    explain->staged = snapshot_build(conf, explain->snapshot->generation + 1, options->registry,
                                     explain->rates, options->counters, &why);
    if (explain->staged != NULL) {
        explain->snapshot = explain->staged;
        return true;
    }
    config_free(&conf);
    problem_reply_findings(explain->call, NULL, NULL, why.text);
    return false;
}

/* `change` names the configuration to think it through with, instead of the one that runs. */
static bool use_staged(struct explain *explain)
{
    struct call *call = explain->call;
    const char *id = text_field(explain, "change", NULL);
    struct ledger *ledger = id != NULL ? asked_ledger(call) : NULL;
    struct refusal refusal = {0};
    struct configuration *conf;
    struct findings findings;

    if (id == NULL)
        return true;
    if (ledger == NULL)
        return false;
    findings_init(&findings, call->arena);
    conf = ledger_target(ledger, id, &findings, &refusal);
    if (conf == NULL)
        asked_reply(call, false, 0, NULL, &refusal);
    findings_fini(&findings);
    return conf != NULL && build_staged(explain, conf);
}

static void drop_staged(struct explain *explain)
{
    if (explain->staged != NULL)
        snapshot_free(&explain->staged);
    if (explain->rates != NULL)
        rate_store_free(&explain->rates);
}

/* False: the call was answered. */
static bool read_request(struct explain *explain)
{
    static const char *const fields[] = {"method",   "host",   "path",   "headers", "client_ip",
                                         "listener", "scheme", "change", NULL};
    size_t wrong;

    explain->body = dispatch_body(explain->call, fields);
    if (explain->body == NULL)
        return false;
    explain->errors = json_array();
    if (!use_staged(explain))
        return false;
    explain->method = slice_from(text_field(explain, "method", "GET"));
    read_target(explain);
    read_headers(explain);
    read_client(explain);
    read_listener(explain);
    read_scheme(explain);
    wrong = json_array_size(explain->errors);
    if (wrong == 0)
        return true;
    problem_reply_with(explain->call, PROBLEM_INVALID_FIELD, NULL,
                       json_pack("{s:O}", "errors", explain->errors), "%zu field%s cannot be used",
                       wrong, wrong == 1 ? "" : "s");
    return false;
}

/* --- finding out ------------------------------------------------------------------------- */

static void on_route(void *context, int route, const char *why_not)
{
    struct explain *explain = context;

    if (why_not == NULL)
        return;
    if (json_array_size(explain->rejected) >= REJECTED_SHOWN) {
        explain->rejected_more++;
        return;
    }
    json_array_append_new(explain->rejected,
                          json_pack("{s:s, s:s}", "route",
                                    explain->snapshot->routes[route].conf->name, "why", why_not));
}

static void find_route(struct explain *explain)
{
    struct route_scratch *scratch = route_scratch_new();
    struct route_query *query = &explain->query;
    int route;

    query->host = explain->host;
    query->path = explain->path;
    query->method = explain->method;
    query->header = find_header;
    query->header_context = explain;
    route = route_explain(explain->snapshot->route_table, scratch, query, on_route, explain);
    route_scratch_free(&scratch);
    if (route != ROUTE_NONE)
        explain->route = &explain->snapshot->routes[route];
}

/* The pool; of a split the one that gets the most. */
static const struct snapshot_pool *pool_of(const struct snapshot_route *route)
{
    const struct snapshot_pool *pool = NULL;
    uint32_t most = 0, before = 0;

    if (route->conf->action == ACTION_POOL)
        return route->pool;
    if (route->conf->action != ACTION_SPLIT)
        return NULL;
    for (size_t i = 0; i < route->split_count; i++) {
        uint32_t part = route->split[i].up_to - before;
        if (part > most) {
            most = part;
            pool = route->split[i].pool;
        }
        before = route->split[i].up_to;
    }
    return pool;
}

/* What allow and deny of the route make of the client. */
static const char *access_word(const struct explain *explain)
{
    const struct conf_route *conf = explain->route != NULL ? explain->route->conf : NULL;

    if (conf == NULL || (!conf->has_allow && !conf->has_deny))
        return "allowed";
    if (!explain->has_client)
        return "unknown";
    if ((conf->has_allow && !network_contains(&conf->allow, explain->client)) ||
        (conf->has_deny && network_contains(&conf->deny, explain->client)))
        return "denied";
    return "allowed";
}

/* What the request asks for by what it carries. */
static void fill_choice(struct explain *explain, struct balance_choice *choice)
{
    const struct sticky_key *key = explain->call->admin->options.sticky_key;
    const struct conf_pool *conf = explain->pool->conf;
    struct affinity asks = {.path = explain->path,
                            .query = explain->query_text,
                            .client_address = explain->client,
                            .header = find_header,
                            .header_context = explain};

    (void)find_header(explain, SLICE("cookie"), &asks.cookies); /* none: it stays empty */
    if (key != NULL)
        choice->sticky = affinity_sticky(explain->pool, &asks, key);
    if (conf->balance == BALANCE_MAGLEV &&
        (conf->hash_on != HASH_ON_CLIENT_IP || explain->has_client))
        choice->has_hash = affinity_hash(conf, &asks, &choice->hash);
}

static void find_server(struct explain *explain)
{
    static const char *const refusals[] = {
        [REFUSAL_NONE] = "nobody",
        [REFUSAL_NO_SERVER] = "no server is eligible",
        [REFUSAL_FULL] = "every eligible server is at max_connections: the request would queue",
        [REFUSAL_CEILING] = "max_share_percent leaves nobody",
    };
    struct balance_choice choice = {.now_ms = clock_ms(), .sticky = BALANCE_NO_SERVER};
    struct balance_view *view = balance_view_new(&explain->pool->balance, NULL, clock_ns());

    fill_choice(explain, &choice);
    explain->chosen = balance_pick(view, &choice);
    explain->reason = explain->chosen != BALANCE_NO_SERVER ? balance_reason_words[choice.reason]
                                                           : refusals[choice.refusal];
    balance_view_free(&view);
}

/* As proxy/decide.c finds it. */
static bool is_lost_websocket(struct explain *explain)
{
    struct slice rest, element;

    if (explain->pool->conf->protocol != PROTOCOL_H2 ||
        !find_header(explain, SLICE("upgrade"), &rest))
        return false;
    while (slice_next_element(&rest, &element))
        if (slice_equal_nocase(element, SLICE("websocket")))
            return true;
    return false;
}

static void explain_request(struct explain *explain)
{
    explain->rejected = json_array();
    find_route(explain);
    explain->access = access_word(explain);
    if (explain->route != NULL)
        explain->pool = pool_of(explain->route);
    if (explain->pool != NULL) {
        explain->live = admin_live_pool(explain->call->admin, explain->pool, explain->call->arena);
        if (strcmp(explain->access, "denied") == 0) {
            explain->reason = "the route's allow and deny refuse the client";
        } else if (is_lost_websocket(explain)) {
            explain->failure = FAILURE_NO_WEBSOCKET;
            explain->reason = failure_rows[FAILURE_NO_WEBSOCKET].help;
        } else {
            find_server(explain);
        }
    }
    explain_tell(explain);
    json_decref(explain->rejected);
}

void on_explain(struct call *call)
{
    struct explain explain = {
        .call = call, .snapshot = admin_snapshot(call->admin), .chosen = BALANCE_NO_SERVER};

    if (explain.snapshot == NULL) {
        problem_reply(call, PROBLEM_NOT_RUNNING, "GET /v1/status", "no routes yet");
        return;
    }
    if (read_request(&explain))
        explain_request(&explain);
    json_decref(explain.errors);
    json_decref(explain.body);
    drop_staged(&explain);
}
