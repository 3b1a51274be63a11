/*
 * on_servers - orders to one server at once, and a server more, other or less as a change.
 *
 * Adding, changing or removing a server makes a change of that one edit and submits it: whoever
 * wants more than one edit writes a change.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/operations.h"

#include <string.h>

#include "admin/asked.h"
#include "admin/call.h"
#include "admin/dispatch.h"
#include "admin/internal.h"
#include "admin/named.h"
#include "admin/problem.h"
#include "admin/wait.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/memory.h"
#include "change/ledger.h"
#include "change/override.h"
#include "config/model.h"
#include "config/text.h"
#include "proxy/snapshot.h"
#include "watch/live.h"

enum { LOOK_EVERY_MS = 50 };

/* --- orders ------------------------------------------------------------------------------ */

/* A drain whose caller waits until the server is empty. */
struct draining {
    uint64_t until_ms;
    json_t *guard;
};

static void forget(struct call *call)
{
    struct draining *draining = call->handler_part;

    json_decref(draining->guard);
    xfree(draining);
    call->handler_part = NULL;
    call->on_gone = NULL;
}

/* Takes `guard`. */
static void reply_ordered(struct call *call, const struct live_pool *pool,
                          const struct live_server *server, json_t *guard)
{
    reply_json(call, 200,
               json_pack("{s:s, s:s, s:o, s:I, s:o}", "pool", pool->pool->conf->name, "server",
                         server->conf->name, "admin", named_admin_json(call, pool, server),
                         "in_flight", (json_int_t)server->in_flight, "guard", guard));
}

static bool is_out(const struct live_server *server)
{
    uint32_t weight = server->weight_override != BALANCE_NO_OVERRIDE ? server->weight_override
                                                                     : server->conf->weight;

    return server->admin != ADMIN_READY || weight == 0;
}

static void look(struct call *call)
{
    struct draining *draining = call->handler_part;
    const struct live_pool *pool = named_pool(call);
    const struct live_server *server = pool != NULL ? named_server(call, pool) : NULL;
    uint64_t now_ms = clock_ms();

    if (server != NULL && is_out(server) && server->in_flight > 0 && now_ms < draining->until_ms) {
        uint64_t left_ms = draining->until_ms - now_ms;

        wait_for(call, left_ms < LOOK_EVERY_MS ? left_ms : LOOK_EVERY_MS, look);
        return;
    }
    if (server != NULL) /* else it went meanwhile: answered */
        reply_ordered(call, pool, server, json_incref(draining->guard));
    forget(call);
}

/* Takes `guard`. */
static void answer_order(struct call *call, json_t *guard, uint64_t patience_ms)
{
    struct draining *draining = xcalloc(1, sizeof(*draining));

    draining->until_ms = clock_ms() + patience_ms;
    draining->guard = guard;
    call->handler_part = draining;
    call->on_gone = forget;
    look(call);
}

static void read_weight(json_t *body, json_t *errors, int64_t *weight_out)
{
    const json_t *weight = json_object_get(body, "weight");

    *weight_out = OVERRIDE_WEIGHT_KEEP;
    if (weight == NULL)
        return;
    if (json_is_null(weight))
        *weight_out = OVERRIDE_WEIGHT_CONFIGURED;
    else if (!json_is_integer(weight) || json_integer_value(weight) < 0 ||
             json_integer_value(weight) > 1000)
        asked_error(errors, "weight", "is a number from 0 to 1000, or null: as configured");
    else
        *weight_out = json_integer_value(weight);
}

static void read_state(json_t *body, json_t *errors, const char **state_out)
{
    asked_text(body, "state", false, errors, state_out);
    if (*state_out != NULL && strcmp(*state_out, "ready") != 0 &&
        strcmp(*state_out, "drain") != 0 && strcmp(*state_out, "maint") != 0)
        asked_error(errors, "state", "is ready, drain or maint");
    if (*state_out == NULL && json_object_get(body, "weight") == NULL)
        asked_error(errors, "state", "is needed, or a weight");
}

static void read_end(json_t *body, json_t *errors, uint64_t *lasts_out)
{
    const char *text = NULL, *wrong;

    *lasts_out = 0;
    asked_text(body, "expires", false, errors, &text);
    if (text == NULL)
        return;
    wrong = text_read_duration(text, lasts_out);
    if (wrong != NULL)
        asked_error(errors, "expires", wrong);
    else if (*lasts_out == 0 || *lasts_out > OVERRIDE_LASTS_MAX_MS)
        asked_error(errors, "expires", "is a duration of at most 30 days, such as \"2h\"");
}

/* False: the call was answered. */
static bool read_order(struct call *call, json_t *body, struct override_order *order)
{
    json_t *errors = json_array();

    order->pool = asked_argument(call, 0);
    order->server = asked_argument(call, 1);
    read_state(body, errors, &order->state);
    read_weight(body, errors, &order->weight);
    read_end(body, errors, &order->lasts_ms);
    asked_text(body, "reason", false, errors, &order->reason);
    return !asked_wrongly(call, errors);
}

void on_server_state(struct call *call)
{
    static const char *const fields[] = {"state", "weight", "reason", "expires", NULL};
    struct ledger *ledger = asked_ledger(call);
    struct override_order order = {0};
    struct refusal refusal = {0};
    json_t *body, *guard = NULL;
    uint64_t patience_ms;

    if (ledger == NULL || !wait_parameter(call, &patience_ms))
        return;
    body = dispatch_body(call, fields);
    if (body != NULL && read_order(call, body, &order)) {
        if (override_set(ledger, &call->actor, &order, &guard, &refusal))
            answer_order(call, guard, patience_ms);
        else
            asked_reply(call, false, 0, NULL, &refusal);
    }
    json_decref(body);
}

/* --- changes of one edit ----------------------------------------------------------------- */

static const char *const about_fields[] = {"title", "reason", "override"};

/* What is said about the edit: of the body (taken out of it), else of the query, else `otherwise`.
 */
static json_t *take_about(struct call *call, json_t *body, const char *name, const char *otherwise)
{
    json_t *value = json_incref(json_object_get(body, name));
    const char *text = asked_parameter(call, name);

    json_object_del(body, name);
    if (value != NULL)
        return value;
    if (text == NULL)
        text = otherwise;
    return text != NULL ? reply_string(slice_from(text)) : NULL;
}

/* Rule ids: a list in the body, with commas between them in the query. */
static json_t *take_override(struct call *call, json_t *body)
{
    json_t *value = take_about(call, body, "override", NULL);
    struct slice rest = slice_from(json_string_value(value)), rule;
    json_t *list;

    if (value == NULL || !json_is_string(value))
        return value;
    list = json_array();
    while (slice_next_element(&rest, &rule))
        if (rule.len > 0)
            json_array_append_new(list, reply_string(rule));
    json_decref(value);
    return list;
}

/* Takes the body, what is left of it is not looked at, and the server's part of the patch. */
static void submit_edit(struct call *call, json_t *body, const struct live_pool *of,
                        const char *server, json_t *edit, json_t *deletes, const char *verb)
{
    struct create_options options = {.is_submitted = true, .kind = CHANGE_KIND_PROPOSAL};
    const char *pool = of->pool->conf->name;
    const char *title = arena_printf(call->arena, "%s server %s of pool %s", verb, server, pool);
    const char *reason = arena_printf(call->arena, "asked for by %s %s", call->operation->method,
                                      call->operation->path);
    json_t *request = json_pack("{s:o, s:o, s:{s:{s:{s:{s:o}}}}, s:o}", "title",
                                take_about(call, body, "title", title), "reason",
                                take_about(call, body, "reason", reason), "patch", "pools", pool,
                                "servers", server, edit, "deletes", deletes);
    json_t *override = take_override(call, body), *answer = NULL;
    struct refusal refusal = {0};
    bool ok;

    if (override != NULL)
        json_object_set_new(request, "override", override);
    json_decref(body);
    if (!asked_if_match(call, &options.if_match)) {
        json_decref(request);
        return;
    }
    ok = ledger_create(call->admin->options.ledger, &call->actor, request, &options, &answer,
                       &refusal);
    asked_reply_change(call, ok, 202, answer, &refusal);
    json_decref(request);
}

static bool has_server(const struct live_pool *pool, const char *name)
{
    for (size_t i = 0; i < pool->server_count; i++)
        if (strcmp(pool->servers[i].conf->name, name) == 0)
            return true;
    return false;
}

/* The name in the body, taken out of it; NULL: the call was answered. */
static const char *take_name(struct call *call, json_t *body, const struct live_pool *pool)
{
    const char *text, *name = NULL, *pool_name = pool->pool->conf->name;
    json_t *errors = json_array();

    asked_text(body, "name", true, errors, &text);
    if (text != NULL && !text_is_name(text))
        asked_error(errors, "name", "is not a name ([a-z0-9][a-z0-9-]{0,62})");
    if (asked_wrongly(call, errors))
        return NULL;
    name = arena_strdup(call->arena, text);
    json_object_del(body, "name");
    if (!has_server(pool, name))
        return name;
    problem_reply(call, PROBLEM_STATE_CONFLICT,
                  arena_printf(call->arena, "PATCH /v1/pools/%s/servers/%s", pool_name, name),
                  "pool %s has a server named %s", pool_name, name);
    return NULL;
}

void on_server_add(struct call *call)
{
    static const char *const fields[] = {"name",   "address",         "weight", "capacity_rps",
                                         "backup", "max_connections", "state",  "title",
                                         "reason", "override",        NULL};
    const struct live_pool *pool = asked_ledger(call) != NULL ? named_pool(call) : NULL;
    json_t *body = pool != NULL ? dispatch_body(call, fields) : NULL;
    const char *name = body != NULL ? take_name(call, body, pool) : NULL;
    json_t *edit;

    if (name == NULL) {
        json_decref(body);
        return;
    }
    edit = json_deep_copy(body);
    for (size_t i = 0; i < sizeof(about_fields) / sizeof(about_fields[0]); i++)
        json_object_del(edit, about_fields[i]);
    submit_edit(call, body, pool, name, edit, json_array(), "add");
}

/* Keys that the edit takes away are named, as a deletion must be. */
static json_t *deletions_of(const struct call *call, const char *pool, const char *server,
                            const json_t *edit)
{
    json_t *deletes = json_array(), *value;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)edit, key, value)
    {
        if (json_is_null(value))
            json_array_append_new(deletes,
                                  json_string(arena_printf(call->arena, "/pools/%s/servers/%s/%s",
                                                           pool, server, key)));
    }
    return deletes;
}

void on_server_change(struct call *call)
{
    static const char *const fields[] = {"address",         "weight", "capacity_rps", "backup",
                                         "max_connections", "state",  "title",        "reason",
                                         "override",        NULL};
    const struct live_pool *pool = asked_ledger(call) != NULL ? named_pool(call) : NULL;
    const struct live_server *server = pool != NULL ? named_server(call, pool) : NULL;
    json_t *body = server != NULL ? dispatch_body(call, fields) : NULL;
    json_t *edit;

    if (body == NULL)
        return;
    edit = json_deep_copy(body);
    for (size_t i = 0; i < sizeof(about_fields) / sizeof(about_fields[0]); i++)
        json_object_del(edit, about_fields[i]);
    submit_edit(call, body, pool, server->conf->name, edit,
                deletions_of(call, pool->pool->conf->name, server->conf->name, edit), "change");
}

void on_server_remove(struct call *call)
{
    static const char *const fields[] = {"title", "reason", "override", NULL};
    const struct live_pool *pool = asked_ledger(call) != NULL ? named_pool(call) : NULL;
    const struct live_server *server = pool != NULL ? named_server(call, pool) : NULL;
    json_t *body = server != NULL ? dispatch_body(call, fields) : NULL;

    if (body == NULL)
        return;
    submit_edit(call, body, pool, server->conf->name, json_null(),
                json_pack("[s]", arena_printf(call->arena, "/pools/%s/servers/%s",
                                              pool->pool->conf->name, server->conf->name)),
                "remove");
}
