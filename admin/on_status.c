/*
 * on_status - is it up, what runs, and which calls there are.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/operations.h"

#include "admin/call.h"
#include "admin/change_text.h"
#include "admin/internal.h"
#include "admin/texttable.h"
#include "base/clock.h"
#include "change/ledger.h"
#include "config/load.h"
#include "config/model.h"
#include "observe/counters.h"
#include "observe/summary.h"
#include "proxy/publish.h"
#include "proxy/snapshot.h"
#include "watch/watch.h"

void on_healthz(struct call *call)
{
    if (admin_snapshot(call->admin) != NULL)
        reply_text(call, 200, "ok\n");
    else
        reply_text(call, 503, "starting: no configuration runs yet\n");
}

struct status {
    const struct snapshot *snapshot; /* or NULL */
    uint64_t uptime_s;
    int64_t connections_open;
    int64_t connections_idle;
    bool has_drift;
    size_t snapshots_alive;
    struct summary_rates rates;
    json_t *ledger; /* what is known of revisions; NULL without a history */
    size_t alerts;
};

static void count_connections(const struct admin *admin, struct status *status)
{
    struct counters *counters = admin->options.counters;
    uint32_t slots = counters_slot_count(counters, SCOPE_LISTENER);
    uint64_t open = 0, idle = 0;

    for (unsigned worker = 0; worker < counters_worker_count(counters); worker++) {
        for (uint32_t slot = 0; slot < slots; slot++) {
            struct listener_row *row = counters_listener(counters, worker, slot);
            open += atomic_load_explicit(&row->connections_open, memory_order_relaxed);
            idle += atomic_load_explicit(&row->connections_idle, memory_order_relaxed);
        }
    }
    status->connections_open = (int64_t)open; /* gauges go both ways in wrapping words */
    status->connections_idle = (int64_t)idle;
}

static struct status read_status(const struct admin *admin)
{
    const struct admin_options *options = &admin->options;
    struct status status = {
        .snapshot = admin_snapshot(admin),
        .uptime_s = (clock_ms() - admin->started_ms) / 1000,
        .has_drift = options->has_drift != NULL && options->has_drift(options->context),
        .snapshots_alive = publisher_alive(options->publisher),
        .rates = admin_process_rates(admin),
    };

    if (options->watch != NULL) {
        json_t *alerts = watch_alerts(options->watch);

        status.alerts = json_array_size(alerts);
        json_decref(alerts);
    }
    if (options->ledger != NULL)
        status.ledger = ledger_status(options->ledger);
    count_connections(admin, &status);
    return status;
}

/* A member of what the ledger says, or null. */
static json_t *of_ledger(const struct status *status, const char *name)
{
    json_t *value = json_object_get(status->ledger, name);

    return value != NULL ? json_incref(value) : json_null();
}

/* What the workers run.  Its revision and change are the ledger's, as long as it means the same
 * bytes: what is wanted is never shown as if it ran. */
static json_t *running_json(const struct admin *admin, const struct status *status)
{
    const struct snapshot *snapshot = status->snapshot;
    json_t *known = json_object_get(status->ledger, "running");
    const char *digest = json_string_value(json_object_get(known, "digest"));
    json_t *json;

    if (snapshot == NULL)
        return json_null();
    if (digest == NULL || strcmp(digest, snapshot->conf->digest) != 0)
        known = NULL;
    json =
        json_pack("{s:O?, s:s, s:I, s:o, s:O?}", "rev", json_object_get(known, "rev"), "digest",
                  snapshot->conf->digest, "generation", (json_int_t)snapshot->generation, "since",
                  reply_time(admin->running_since_ms), "change", json_object_get(known, "change"));
    return json;
}

static const char *mode_word(const struct status *status)
{
    static const char *const words[] = {
        [POLICY_ENFORCED] = "enforced", [POLICY_ADVISORY] = "advisory", [POLICY_OFF] = "off"};

    return status->snapshot != NULL ? words[status->snapshot->conf->policy.mode] : NULL;
}

static json_t *status_json(const struct admin *admin, const struct status *status)
{
    json_t *json = json_object();

    json_object_set_new(json, "version", json_string(TWOKEY_VERSION));
    json_object_set_new(json, "uptime_s", json_integer((json_int_t)status->uptime_s));
    json_object_set_new(json, "workers", json_integer(admin->options.worker_count));
    json_object_set_new(json, "mode", reply_string_or_null(mode_word(status)));
    json_object_set_new(json, "running", running_json(admin, status));
    json_object_set_new(json, "boot", of_ledger(status, "boot"));
    json_object_set_new(json, "lkg", of_ledger(status, "lkg"));
    json_object_set_new(json, "pending_confirm", of_ledger(status, "pending_confirm"));
    json_object_set_new(json, "integrity", of_ledger(status, "integrity"));
    json_object_set_new(json, "drift", json_boolean(status->has_drift));
    json_object_set_new(json, "alerts", json_integer((json_int_t)status->alerts));
    json_object_set_new(json, "connections",
                        json_pack("{s:I, s:I}", "open", (json_int_t)status->connections_open,
                                  "idle", (json_int_t)status->connections_idle));
    json_object_set_new(json, "requests_per_second",
                        reply_number(status->rates.requests_per_second));
    json_object_set_new(json, "errors_per_second", reply_number(status->rates.errors_per_second));
    json_object_set_new(json, "revisions_alive", json_integer((json_int_t)status->snapshots_alive));
    return json;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "-";
}

static long long number_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

/* While not all connections have it. */
static void write_rollout(struct buffer *out, const json_t *rollout)
{
    if (!json_is_object(rollout))
        return;
    buffer_printf(out, "               %lld %% of the connections have it, step %lld of %lld ",
                  number_of(rollout, "percent"), number_of(rollout, "step"),
                  number_of(rollout, "steps"));
    if (json_is_true(json_object_get(rollout, "waits")))
        buffer_printf(out, "(it waits: not known how it does; taken back at %s)\n",
                      text_of(rollout, "limit"));
    else
        buffer_printf(out, "until %s\n", text_of(rollout, "until"));
}

static void write_history(struct call *call, const struct status *status)
{
    struct buffer *out = &call->reply.body;
    const json_t *running = json_object_get(status->ledger, "running");
    const json_t *lkg = json_object_get(status->ledger, "lkg");
    const json_t *pending = json_object_get(status->ledger, "pending_confirm");

    if (json_is_object(running))
        buffer_printf(out, "revision       %lld; a restart runs %lld", number_of(running, "rev"),
                      number_of(json_object_get(status->ledger, "boot"), "rev"));
    if (json_is_object(running) && number_of(lkg, "rev") != 0)
        buffer_printf(out, ", last known good is %lld", number_of(lkg, "rev"));
    if (json_is_object(running))
        buffer_append_literal(out, "\n");
    if (json_is_object(pending))
        buffer_printf(out, "to confirm     %s until %s: POST /v1/changes/%s/confirm\n",
                      text_of(pending, "change"), text_of(pending, "deadline"),
                      text_of(pending, "change"));
    write_rollout(out, json_object_get(pending, "rollout"));
    change_text_gate(call, json_object_get(pending, "gate"));
    if (status->alerts > 0)
        buffer_printf(out, "alerts         %zu: GET /v1/alerts\n", status->alerts);
}

static void write_status(struct call *call, const struct status *status)
{
    struct buffer *out = &call->reply.body;
    char since[CLOCK_RFC3339_TEXT];

    buffer_printf(out, "twokey %s, up %lu s, %u workers\n", TWOKEY_VERSION,
                  (unsigned long)status->uptime_s, call->admin->options.worker_count);
    if (status->snapshot == NULL) {
        buffer_append_literal(out, "configuration  none runs yet\n");
    } else {
        buffer_printf(out, "configuration  generation %lu, %s\n",
                      (unsigned long)status->snapshot->generation, status->snapshot->conf->digest);
        buffer_printf(out, "               since %s, mode %s%s\n",
                      clock_rfc3339(call->admin->running_since_ms, since), mode_word(status),
                      status->has_drift ? "; conf.d differs from it: GET /v1/drift" : "");
    }
    write_history(call, status);
    buffer_printf(out, "connections    %ld open, %ld of them idle\n",
                  (long)status->connections_open, (long)status->connections_idle);
    buffer_printf(out, "requests       %.1f a second, %.1f errors a second\n",
                  status->rates.requests_per_second, status->rates.errors_per_second);
    reply_written(call, 200, reply_text_type);
}

void on_status(struct call *call)
{
    struct status status = read_status(call->admin);

    if (call_wants_text(call))
        write_status(call, &status);
    else
        reply_json(call, 200, status_json(call->admin, &status));
    json_decref(status.ledger);
}

void on_help(struct call *call)
{
    static const char *const headings[] = {"method", "path", "what", NULL};
    const struct snapshot *snapshot = admin_snapshot(call->admin);
    char running_url[CONFIG_URL_TEXT];
    const char *url =
        snapshot != NULL ? config_admin_url(snapshot->conf, running_url) : "http://127.0.0.1:9901";
    struct buffer *out = &call->reply.body;
    struct texttable table;

    texttable_init(&table, call->arena, headings);
    for (size_t i = 0; i < operation_count; i++) {
        texttable_cell(&table, "%s", operations[i].method);
        texttable_cell(&table, "%s", operations[i].path);
        texttable_cell(&table, "%s", operations[i].summary);
    }
    buffer_printf(out,
                  "twokey %s, the admin API.  Try:\n\n"
                  "  curl -H 'Accept: text/plain' %s/v1/status\n"
                  "  curl -H 'Accept: text/plain' %s/v1/pools\n\n",
                  TWOKEY_VERSION, url, url);
    texttable_write(&table, out, 2);
    buffer_append_literal(
        out, "\nJSON unless Accept says text/plain.  An error says what to do next.\n");
    reply_written(call, 200, reply_text_type);
}
