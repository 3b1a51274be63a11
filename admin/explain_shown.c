/*
 * explain_shown - see explain.h: the answer, for programs and for people.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/explain.h"

#include <string.h>

#include "admin/call.h"
#include "admin/internal.h"
#include "admin/texttable.h"
#include "base/buffer.h"
#include "config/model.h"
#include "proxy/snapshot.h"
#include "watch/live.h"

static const char *action_word(const struct explain *explain)
{
    static const char *const words[] = {[ACTION_POOL] = "pool",
                                        [ACTION_SPLIT] = "split",
                                        [ACTION_REDIRECT] = "redirect",
                                        [ACTION_RESPOND] = "respond"};

    return explain->route != NULL ? words[explain->route->conf->action] : "none";
}

/* The status that twokey itself would answer with; 0 when a server answers. */
static unsigned own_status(const struct explain *explain)
{
    if (explain->failure != FAILURE_NONE)
        return failure_rows[explain->failure].status;
    if (explain->route == NULL)
        return 404;
    if (strcmp(explain->access, "denied") == 0)
        return 403;
    if (explain->route->conf->action == ACTION_REDIRECT)
        return explain->route->conf->redirect.status;
    if (explain->route->conf->action == ACTION_RESPOND)
        return explain->route->conf->respond.status;
    return 0;
}

static json_t *split_json(const struct snapshot_route *route)
{
    json_t *list = json_array();
    uint32_t before = 0;

    for (size_t i = 0; i < route->split_count; i++) {
        double part = (double)(route->split[i].up_to - before) / (double)route->split_total;
        json_array_append_new(list,
                              json_pack("{s:s, s:o}", "pool", route->split[i].pool->conf->name,
                                        "percent", reply_number(part * 100.0)));
        before = route->split[i].up_to;
    }
    return list;
}

static const char *chosen_name(const struct explain *explain)
{
    if (explain->pool == NULL || explain->chosen == BALANCE_NO_SERVER)
        return NULL;
    return explain->pool->conf->servers[explain->pool->server_conf[explain->chosen]].name;
}

static void add_servers(struct explain *explain, json_t *json)
{
    json_t *eligible = json_array(), *others = json_array();

    for (size_t i = 0; explain->live != NULL && i < explain->live->server_count; i++) {
        const struct live_server *server = &explain->live->servers[i];
        if (server->is_eligible)
            json_array_append_new(eligible, json_string(server->conf->name));
        else
            json_array_append_new(
                others, json_pack("{s:s, s:s}", "server", server->conf->name, "why", server->why));
    }
    json_object_set_new(json, "eligible", eligible);
    json_object_set_new(json, "not_eligible", others);
}

/* Whose certificate is not good, and how: those of them too that may get the request. */
static void add_handshakes(struct explain *explain, json_t *json)
{
    json_t *failing = json_array();

    for (size_t i = 0; explain->live != NULL && i < explain->live->server_count; i++) {
        const struct live_server *server = &explain->live->servers[i];
        for (size_t k = 0; k < server->address_count; k++)
            if (server->addresses[k].last_handshake != NULL)
                json_array_append_new(failing,
                                      json_pack("{s:s, s:s}", "server", server->conf->name, "why",
                                                server->addresses[k].last_handshake));
    }
    json_object_set_new(json, "failing_handshakes", failing);
}

static json_t *request_json(const struct explain *explain)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:s}", "method", reply_string(explain->method), "host",
                     reply_string(explain->host), "path", reply_string(explain->path), "listener",
                     reply_string_or_null(explain->listener), "scheme",
                     explain->query.is_https ? "https" : "http");
}

static json_t *explain_json(struct explain *explain)
{
    json_t *json = json_object();
    unsigned status = own_status(explain);
    bool is_split = explain->route != NULL && explain->route->conf->action == ACTION_SPLIT;

    json_object_set_new(json, "request", request_json(explain));
    json_object_set_new(json, "route",
                        explain->route != NULL ? json_string(explain->route->conf->name)
                                               : json_null());
    json_object_set(json, "rejected", explain->rejected);
    json_object_set_new(json, "rejected_more", json_integer((json_int_t)explain->rejected_more));
    json_object_set_new(json, "action", json_string(action_word(explain)));
    json_object_set_new(json, "access", json_string(explain->access));
    json_object_set_new(json, "status", status != 0 ? json_integer(status) : json_null());
    json_object_set_new(json, "split", is_split ? split_json(explain->route) : json_array());
    json_object_set_new(
        json, "pool",
        reply_string_or_null(explain->pool != NULL ? explain->pool->conf->name : NULL));
    add_servers(explain, json);
    add_handshakes(explain, json);
    json_object_set_new(json, "chosen", reply_string_or_null(chosen_name(explain)));
    json_object_set_new(json, "reason", reply_string_or_null(explain->reason));
    json_object_set_new(
        json, "method",
        reply_string_or_null(explain->pool != NULL ? live_balance_word(explain->pool) : NULL));
    return json;
}

static void write_routes(struct explain *explain, struct buffer *out)
{
    static const char *const headings[] = {"not", "because", NULL};
    struct texttable table;
    size_t index;
    json_t *item;

    if (json_array_size(explain->rejected) == 0)
        return;
    texttable_init(&table, explain->call->arena, headings);
    json_array_foreach(explain->rejected, index, item)
    {
        texttable_cell(&table, "%s", json_string_value(json_object_get(item, "route")));
        texttable_cell(&table, "%s", json_string_value(json_object_get(item, "why")));
    }
    texttable_write(&table, out, 2);
    if (explain->rejected_more > 0)
        buffer_printf(out, "  and %zu more\n", explain->rejected_more);
}

static void write_servers(struct explain *explain, struct buffer *out)
{
    static const char *const headings[] = {"server", "eligible", "why", NULL};
    struct texttable table;

    texttable_init(&table, explain->call->arena, headings);
    for (size_t i = 0; i < explain->live->server_count; i++) {
        const struct live_server *server = &explain->live->servers[i];
        texttable_cell(&table, "%s", server->conf->name);
        texttable_cell(&table, "%s", server->is_eligible ? "yes" : "no");
        texttable_cell(&table, "%s", server->why);
    }
    texttable_write(&table, out, 2);
}

static void write_explain(struct explain *explain)
{
    struct buffer *out = &explain->call->reply.body;
    const char *chosen = chosen_name(explain);

    buffer_printf(out, "%.*s %.*s, host %s%.*s, %s on listener %s\n", SLICE_ARGS(explain->method),
                  SLICE_ARGS(explain->path), explain->host.len == 0 ? "none" : "",
                  SLICE_ARGS(explain->host), explain->query.is_https ? "https" : "http",
                  explain->listener != NULL ? explain->listener : "none");
    if (explain->route == NULL)
        buffer_append_literal(out, "route   none: the answer is 404\n");
    else
        buffer_printf(out, "route   %s\n", explain->route->conf->name);
    write_routes(explain, out);
    if (strcmp(explain->access, "allowed") != 0)
        buffer_printf(out, "access  %s by allow and deny\n", explain->access);
    if (explain->route != NULL && explain->pool == NULL)
        buffer_printf(out, "answer  %s %u, by twokey itself\n", action_word(explain),
                      own_status(explain));
    if (explain->pool != NULL) {
        buffer_printf(out, "pool    %s (%s)\n", explain->pool->conf->name,
                      live_balance_word(explain->pool));
        write_servers(explain, out);
        buffer_printf(out, "chosen  %s (%s)\n", chosen != NULL ? chosen : "nobody",
                      explain->reason);
    }
    reply_written(explain->call, 200, reply_text_type);
}

void explain_tell(struct explain *explain)
{
    if (call_wants_text(explain->call))
        write_explain(explain);
    else
        reply_json(explain->call, 200, explain_json(explain));
}
