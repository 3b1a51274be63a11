/*
 * on_pools - pools and servers: what is configured, what was ordered, what was observed.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/operations.h"

#include "admin/call.h"
#include "admin/internal.h"
#include "admin/named.h"
#include "admin/problem.h"
#include "admin/texttable.h"
#include "base/arena.h"
#include "base/clock.h"
#include "config/model.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/server.h"
#include "watch/live.h"

/* --- as JSON ----------------------------------------------------------------------------- */

static json_t *count_or_null(uint32_t count)
{
    return count > 0 ? json_integer(count) : json_null();
}

static json_t *percent_or_null(double share)
{
    return share >= 0 ? reply_number(share * 100.0) : json_null();
}

static json_t *latency_or_null(uint64_t us)
{
    return us > 0 ? reply_number((double)us / 1000.0) : json_null();
}

static json_t *config_json(const struct conf_server *conf)
{
    json_t *json = json_object();

    json_object_set_new(json, "weight", json_integer(conf->weight));
    json_object_set_new(json, "backup", json_boolean(conf->is_backup));
    json_object_set_new(json, "state",
                        json_string(live_admin_word((enum balance_admin)conf->state)));
    json_object_set_new(json, "capacity_rps", count_or_null(conf->capacity_rps));
    json_object_set_new(json, "max_connections", count_or_null(conf->max_connections));
    return json;
}

static json_t *oper_json(const struct live_server *server)
{
    json_t *json = json_object();

    json_object_set_new(json, "health", json_string(live_health_word(server->health)));
    json_object_set_new(json, "since", reply_time((int64_t)server->since_ms));
    json_object_set_new(json, "ejected", json_boolean(server->is_ejected));
    json_object_set_new(json, "slow_start_percent", json_integer(server->slow_start_percent));
    json_object_set_new(json, "eligible", json_boolean(server->is_eligible));
    json_object_set_new(json, "why", json_string(server->why));
    return json;
}

static json_t *latency_json(const struct summary_rates *rates)
{
    json_t *json = json_object();

    json_object_set_new(json, "p50", latency_or_null(rates->p50_us));
    json_object_set_new(json, "p95", latency_or_null(rates->p95_us));
    json_object_set_new(json, "p99", latency_or_null(rates->p99_us));
    return json;
}

static json_t *now_json(const struct live_server *server)
{
    json_t *json = json_object();

    json_object_set_new(json, "in_flight", json_integer(server->in_flight));
    json_object_set_new(json, "requests_per_second",
                        reply_number(server->rates.requests_per_second));
    json_object_set_new(json, "errors_per_second", reply_number(server->rates.errors_per_second));
    json_object_set_new(json, "latency_ms", latency_json(&server->rates));
    json_object_set_new(json, "share_percent", percent_or_null(server->share));
    json_object_set_new(json, "expected_percent", percent_or_null(server->expected));
    return json;
}

static json_t *address_json(const struct live_address *address)
{
    json_t *json = json_object();

    json_object_set_new(json, "address", reply_string(slice_from(address->server->address_text)));
    json_object_set_new(json, "health", json_string(live_health_word(address->health)));
    json_object_set_new(json, "since", reply_time((int64_t)address->since_ms));
    json_object_set_new(json, "last_check", reply_string_or_null(address->last_check));
    json_object_set_new(json, "ejected", json_boolean(address->is_ejected));
    json_object_set_new(json, "eligible", json_boolean(address->is_eligible));
    json_object_set_new(json, "why", json_string(address->why));
    json_object_set_new(json, "in_flight", json_integer(address->in_flight));
    return json;
}

static json_t *server_json(const struct call *call, const struct live_pool *pool,
                           const struct live_server *server)
{
    json_t *json = json_object(), *addresses = json_array();

    for (size_t i = 0; i < server->address_count; i++)
        json_array_append_new(addresses, address_json(&server->addresses[i]));
    json_object_set_new(json, "name", json_string(server->conf->name));
    json_object_set_new(json, "address", reply_string(slice_from(server->conf->address.text)));
    json_object_set_new(json, "config", config_json(server->conf));
    json_object_set_new(json, "admin", named_admin_json(call, pool, server));
    json_object_set_new(json, "oper", oper_json(server));
    json_object_set_new(json, "now", now_json(server));
    json_object_set_new(json, "addresses", addresses);
    return json;
}

static json_t *pool_json(const struct call *call, const struct live_pool *live)
{
    json_t *json = json_object(), *servers = json_array(), *now = json_object();

    for (size_t i = 0; i < live->server_count; i++)
        json_array_append_new(servers, server_json(call, live, &live->servers[i]));
    json_object_set_new(now, "in_flight", json_integer(live->in_flight));
    json_object_set_new(now, "queued", json_integer(live->waiting));
    json_object_set_new(now, "requests_per_second", reply_number(live->rates.requests_per_second));
    json_object_set_new(now, "errors_per_second", reply_number(live->rates.errors_per_second));
    json_object_set_new(now, "latency_ms", latency_json(&live->rates));
    json_object_set_new(json, "name", json_string(live->pool->conf->name));
    json_object_set_new(json, "balance", json_string(live_balance_word(live->pool)));
    json_object_set_new(json, "state", json_string(live->state));
    json_object_set_new(json, "panic", json_boolean(live->is_panic));
    json_object_set_new(json, "eligible", json_integer((json_int_t)live->eligible_count));
    json_object_set_new(json, "now", now);
    json_object_set_new(json, "servers", servers);
    return json;
}

/* --- as tables --------------------------------------------------------------------------- */

static void add_percent(struct texttable *table, double share)
{
    if (share < 0)
        texttable_cell(table, "-");
    else
        texttable_cell(table, "%.1f%%", share * 100.0);
}

static void add_server_row(struct texttable *table, const struct live_server *server)
{
    texttable_cell(table, "%s", server->conf->name);
    texttable_cell(table, "%s", server->conf->address.text);
    if (server->weight_override != BALANCE_NO_OVERRIDE)
        texttable_cell(table, "%u (now %u)", server->conf->weight, server->weight_override);
    else
        texttable_cell(table, "%u", server->conf->weight);
    texttable_cell(table, "%s", live_admin_word(server->admin));
    texttable_cell(table, "%s", live_health_word(server->health));
    texttable_cell(table, "%u", server->in_flight);
    texttable_cell(table, "%.1f", server->rates.requests_per_second);
    texttable_cell(table, "%.1f", server->rates.errors_per_second);
    if (server->rates.p95_us > 0)
        texttable_cell(table, "%.1f", (double)server->rates.p95_us / 1000.0);
    else
        texttable_cell(table, "-");
    add_percent(table, server->share);
    add_percent(table, server->expected);
    texttable_cell(table, "%s", server->why);
}

static void write_pool(struct call *call, const struct live_pool *live,
                       const struct live_server *servers, size_t count)
{
    static const char *const headings[] = {"server",   "address", "weight", "admin",  "health",
                                           "active",   "req/s",   "err/s",  "p95 ms", "share",
                                           "expected", "why",     NULL};
    struct texttable table;

    texttable_init(&table, call->arena, headings);
    for (size_t i = 0; i < count; i++)
        add_server_row(&table, &servers[i]);
    buffer_printf(&call->reply.body, "%s: %s, %s, %zu of %zu servers eligible, %.1f req/s\n",
                  live->pool->conf->name, live->state, live_balance_word(live->pool),
                  live->eligible_count, live->server_count, live->rates.requests_per_second);
    texttable_write(&table, &call->reply.body, 2);
}

static void add_pool_row(struct texttable *table, const struct live_pool *live)
{
    texttable_cell(table, "%s", live->pool->conf->name);
    texttable_cell(table, "%s", live->state);
    texttable_cell(table, "%s", live_balance_word(live->pool));
    texttable_cell(table, "%zu", live->eligible_count);
    texttable_cell(table, "%zu", live->server_count);
    texttable_cell(table, "%u", live->in_flight);
    texttable_cell(table, "%u", live->waiting);
    texttable_cell(table, "%.1f", live->rates.requests_per_second);
    texttable_cell(table, "%.1f", live->rates.errors_per_second);
}

static void write_server(struct call *call, const struct live_pool *live,
                         const struct live_server *server)
{
    static const char *const headings[] = {"address",    "health", "since", "active",
                                           "last check", "why",    NULL};
    struct texttable table;
    char since[CLOCK_RFC3339_TEXT];

    write_pool(call, live, server, 1);
    texttable_init(&table, call->arena, headings);
    for (size_t i = 0; i < server->address_count; i++) {
        const struct live_address *address = &server->addresses[i];
        bool has_since = address->since_ms != 0;
        texttable_cell(&table, "%s", address->server->address_text);
        texttable_cell(&table, "%s", live_health_word(address->health));
        texttable_cell(&table, "%s",
                       has_since ? clock_rfc3339((int64_t)address->since_ms, since) : "-");
        texttable_cell(&table, "%u", address->in_flight);
        texttable_cell(&table, "%s", address->last_check != NULL ? address->last_check : "-");
        texttable_cell(&table, "%s", address->why);
    }
    buffer_append_literal(&call->reply.body, "\n");
    texttable_write(&table, &call->reply.body, 2);
}

/* --- the calls --------------------------------------------------------------------------- */

static void reply_pools_text(struct call *call, const struct snapshot *snapshot)
{
    static const char *const headings[] = {"pool",   "state",  "balance", "eligible", "of",
                                           "active", "queued", "req/s",   "err/s",    NULL};
    struct texttable table;

    texttable_init(&table, call->arena, headings);
    for (size_t i = 0; i < snapshot->pool_count; i++)
        add_pool_row(&table, admin_live_pool(call->admin, &snapshot->pools[i], call->arena));
    texttable_write(&table, &call->reply.body, 0);
    reply_written(call, 200, reply_text_type);
}

void on_pools(struct call *call)
{
    const struct snapshot *snapshot = admin_snapshot(call->admin);
    json_t *list;

    if (snapshot == NULL) {
        problem_reply(call, PROBLEM_NOT_RUNNING, "GET /v1/status", "no pools yet");
        return;
    }
    if (call_wants_text(call)) {
        reply_pools_text(call, snapshot);
        return;
    }
    list = json_array();
    for (size_t i = 0; i < snapshot->pool_count; i++)
        json_array_append_new(
            list, pool_json(call, admin_live_pool(call->admin, &snapshot->pools[i], call->arena)));
    reply_json(call, 200, json_pack("{s:o}", "pools", list));
}

void on_pool(struct call *call)
{
    const struct live_pool *live = named_pool(call);

    if (live == NULL)
        return;
    if (!call_wants_text(call)) {
        reply_json(call, 200, pool_json(call, live));
        return;
    }
    write_pool(call, live, live->servers, live->server_count);
    reply_written(call, 200, reply_text_type);
}

void on_server(struct call *call)
{
    const struct live_pool *live = named_pool(call);
    const struct live_server *server = live != NULL ? named_server(call, live) : NULL;

    if (server == NULL)
        return;
    if (!call_wants_text(call)) {
        reply_json(call, 200, server_json(call, live, server));
        return;
    }
    write_server(call, live, server);
    reply_written(call, 200, reply_text_type);
}
