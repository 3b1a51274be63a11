/*
 * on_distribution - how a pool's requests are spread over its servers.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/operations.h"

#include "admin/call.h"
#include "admin/internal.h"
#include "admin/named.h"
#include "admin/problem.h"
#include "admin/texttable.h"
#include "config/model.h"
#include "proxy/snapshot.h"
#include "watch/distributions.h"
#include "watch/live.h"
#include "watch/watch.h"

/* --- as tables --------------------------------------------------------------------------- */

static void add_percent(struct texttable *table, const json_t *of, const char *name)
{
    const json_t *value = json_object_get(of, name);

    if (json_is_number(value))
        texttable_cell(table, "%.1f%%", 100 * json_number_value(value));
    else
        texttable_cell(table, "-");
}

static const json_t *window_at(const json_t *shown, size_t window)
{
    return json_array_get(json_object_get(shown, "windows"), window);
}

static const json_t *server_at(const json_t *shown, size_t window, size_t server)
{
    return json_array_get(json_object_get(window_at(shown, window), "servers"), server);
}

static void write_servers(struct call *call, const json_t *shown)
{
    static const char *const headings[] = {"server",   "60 s",     "5 min",  "15 min", "configured",
                                           "capacity", "previous", "sticky", NULL};
    size_t count = json_array_size(json_object_get(window_at(shown, 0), "servers"));
    struct texttable table;

    texttable_init(&table, call->arena, headings);
    for (size_t i = 0; i < count; i++) {
        const json_t *server = server_at(shown, 0, i);

        texttable_cell(&table, "%s", json_string_value(json_object_get(server, "name")));
        for (size_t window = 0; window < DISTRIBUTION_WINDOWS; window++)
            add_percent(&table, server_at(shown, window, i), "share");
        add_percent(&table, server, "configured");
        add_percent(&table, server, "capacity");
        add_percent(&table, server, "previous");
        texttable_cell(&table, "%lld",
                       (long long)json_integer_value(json_object_get(server, "sticky")));
    }
    texttable_write(&table, &call->reply.body, 2);
}

static void write_states(struct call *call, const json_t *shown)
{
    const json_t *states = json_object_get(shown, "states");

    buffer_printf(&call->reply.body, "%s:", json_string_value(json_object_get(shown, "pool")));
    for (unsigned ref = 0; ref < REF_COUNT; ref++)
        buffer_printf(&call->reply.body, "%s %s %s", ref > 0 ? "," : "",
                      distribution_ref_words[ref],
                      json_string_value(json_object_get(states, distribution_ref_words[ref])));
    buffer_printf(&call->reply.body, "; %lld requests in 60 s\n",
                  (long long)json_integer_value(json_object_get(window_at(shown, 0), "requests")));
}

static void write_picked(struct call *call, const json_t *shown)
{
    const char *why;
    json_t *count;

    buffer_append_literal(&call->reply.body, "  picked by:");
    json_object_foreach(json_object_get(shown, "picked_by"), why, count)
    {
        if (json_integer_value(count) > 0)
            buffer_printf(&call->reply.body, " %s %lld", why, (long long)json_integer_value(count));
    }
    buffer_append_literal(&call->reply.body, "\n");
}

static void write_alerts(struct call *call, const json_t *shown)
{
    const json_t *alert;
    size_t i;

    json_array_foreach(json_object_get(shown, "alerts"), i, alert)
    {
        buffer_printf(&call->reply.body, "  %s %s: %s\n    %s\n",
                      json_string_value(json_object_get(alert, "severity")),
                      json_string_value(json_object_get(alert, "name")),
                      json_string_value(json_object_get(alert, "summary")),
                      json_string_value(json_object_get(alert, "description")));
    }
}

/* --- the call ---------------------------------------------------------------------------- */

void on_distribution(struct call *call)
{
    const struct live_pool *live = named_pool(call);
    struct watch *watch = call->admin->options.watch;
    const struct distributions *known = watch != NULL ? watch_distributions(watch) : NULL;
    json_t *shown;

    if (live == NULL)
        return;
    shown = known != NULL ? distributions_shown(known, live->pool->conf->name) : NULL;
    if (shown == NULL) {
        problem_reply(call, PROBLEM_NOT_RUNNING, "GET /v1/status", "nothing is known of it yet");
        return;
    }
    if (!call_wants_text(call)) {
        reply_json(call, 200, shown);
        return;
    }
    write_states(call, shown);
    write_servers(call, shown);
    write_picked(call, shown);
    write_alerts(call, shown);
    json_decref(shown);
    reply_written(call, 200, reply_text_type);
}
