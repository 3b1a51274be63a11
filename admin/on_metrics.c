/*
 * on_metrics - everything in numbers, in the Prometheus text format: the workers' counters, and
 * what only control can see (state of servers, shares, the configuration, the process).
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/operations.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "admin/call.h"
#include "admin/internal.h"
#include "admin/listener.h"
#include "base/arena.h"
#include "base/clock.h"
#include "change/gate.h"
#include "change/ledger.h"
#include "config/model.h"
#include "observe/alert_report.h"
#include "observe/counters.h"
#include "observe/exposition.h"
#include "proxy/http/h2_budget.h"
#include "proxy/publish.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/server.h"
#include "watch/alerts.h"
#include "watch/certificates.h"
#include "watch/distributions.h"
#include "watch/live.h"
#include "watch/staples.h"
#include "watch/watch.h"

static void write_one(struct buffer *out, const char *name, enum metric_type type, const char *help,
                      double value)
{
    exposition_family(out, name, type, help);
    exposition_sample(out, name, value, NULL);
}

/* --- servers and pools ------------------------------------------------------------------- */

struct reading {
    struct live_pool **pools;
    size_t pool_count;
};

static const char *state_word(const struct live_server *server, const struct live_address *address)
{
    if (server->admin != ADMIN_READY)
        return live_admin_word(server->admin);
    if (address->is_ejected)
        return "ejected";
    if (address->health == HEALTH_DOWN)
        return "down";
    return address->slow_start_percent < 100 ? "slow_start" : "ready";
}

/* Each value of one address; `family` picks it. */
enum address_family { FAMILY_UP, FAMILY_EJECTED, FAMILY_WEIGHT, FAMILY_ACTIVE, FAMILY_STATE };

static const struct {
    const char *name;
    const char *help;
} address_families[] = {
    [FAMILY_UP] = {"twokey_server_up", "1 unless health checks say that the server is down"},
    [FAMILY_EJECTED] = {"twokey_server_ejected",
                        "1 while the server is ejected for failing requests"},
    [FAMILY_WEIGHT] = {"twokey_server_weight",
                       "effective weight: slow start and overrides in, 0 when not eligible"},
    [FAMILY_ACTIVE] = {"twokey_server_active", "requests it works on now, by its in-flight words"},
    [FAMILY_STATE] = {"twokey_server_state",
                      "1 for the state it is in: ready, slow_start, drain, maint, ejected, down"},
};

static double address_value(enum address_family family, const struct live_address *address)
{
    switch (family) {
    case FAMILY_UP: return address->health != HEALTH_DOWN;
    case FAMILY_EJECTED: return address->is_ejected;
    case FAMILY_WEIGHT: return (double)address->weight / BALANCE_WEIGHT_SCALE;
    case FAMILY_ACTIVE: return address->in_flight;
    case FAMILY_STATE: return 1;
    }
    return 0;
}

static void write_address(struct buffer *out, enum address_family family,
                          const struct live_pool *pool, const struct live_server *server,
                          const struct live_address *address)
{
    const char *state = family == FAMILY_STATE ? state_word(server, address) : NULL;

    exposition_sample(
        out, address_families[family].name, address_value(family, address),
        EXPOSITION_LABELS("pool", pool->pool->conf->name, "server", server->conf->name, "address",
                          address->server->address_text, state != NULL ? "state" : NULL, state));
}

static void write_address_family(struct buffer *out, enum address_family family,
                                 const struct reading *reading)
{
    exposition_family(out, address_families[family].name, METRIC_GAUGE,
                      address_families[family].help);
    for (size_t p = 0; p < reading->pool_count; p++) {
        const struct live_pool *pool = reading->pools[p];
        for (size_t s = 0; s < pool->server_count; s++)
            for (size_t a = 0; a < pool->servers[s].address_count; a++)
                write_address(out, family, pool, &pool->servers[s], &pool->servers[s].addresses[a]);
    }
}

static void write_shares(struct buffer *out, const struct reading *reading)
{
    exposition_family(out, "twokey_server_share", METRIC_GAUGE,
                      "share of the pool's requests over 60 s, 0 to 1");
    for (size_t p = 0; p < reading->pool_count; p++) {
        const struct live_pool *pool = reading->pools[p];
        for (size_t s = 0; s < pool->server_count; s++) {
            const struct live_server *server = &pool->servers[s];
            if (server->share >= 0)
                exposition_sample(out, "twokey_server_share", server->share,
                                  EXPOSITION_LABELS("pool", pool->pool->conf->name, "server",
                                                    server->conf->name));
        }
    }
}

static void write_pools(struct buffer *out, const struct reading *reading)
{
    exposition_family(out, "twokey_pool_panic", METRIC_GAUGE,
                      "1 while so few servers are healthy that all are used");
    for (size_t p = 0; p < reading->pool_count; p++)
        exposition_sample(out, "twokey_pool_panic", reading->pools[p]->is_panic,
                          EXPOSITION_LABELS("pool", reading->pools[p]->pool->conf->name));
    exposition_family(out, "twokey_pool_eligible_servers", METRIC_GAUGE,
                      "servers that a request may go to now");
    for (size_t p = 0; p < reading->pool_count; p++)
        exposition_sample(out, "twokey_pool_eligible_servers",
                          (double)reading->pools[p]->eligible_count,
                          EXPOSITION_LABELS("pool", reading->pools[p]->pool->conf->name));
}

static void write_live(struct call *call, struct buffer *out, const struct snapshot *snapshot)
{
    struct reading reading = {.pool_count = snapshot->pool_count};

    reading.pools = arena_array(call->arena, reading.pool_count + 1, sizeof(*reading.pools));
    for (size_t i = 0; i < reading.pool_count; i++)
        reading.pools[i] = admin_live_pool(call->admin, &snapshot->pools[i], call->arena);
    for (size_t i = 0; i < sizeof(address_families) / sizeof(address_families[0]); i++)
        write_address_family(out, (enum address_family)i, &reading);
    write_shares(out, &reading);
    write_pools(out, &reading);
}

static void write_distributions(struct call *call, struct buffer *out)
{
    struct watch *watch = call->admin->options.watch;
    const struct distributions *known = watch != NULL ? watch_distributions(watch) : NULL;

    if (known != NULL)
        distributions_write_metrics(known, out);
}

/* --- the configuration and the process --------------------------------------------------- */

static void write_configuration(struct call *call, struct buffer *out,
                                const struct snapshot *snapshot)
{
    const struct admin *admin = call->admin;
    int64_t age_ms = clock_wall_ms() - admin->running_since_ms;

    write_one(out, "twokey_config_generation", METRIC_GAUGE, "number of the published snapshot",
              (double)snapshot->generation);
    write_one(out, "twokey_config_age_seconds", METRIC_GAUGE,
              "time since the running configuration was taken", (double)age_ms / 1000.0);
    exposition_family(out, "twokey_config_info", METRIC_GAUGE, "1, with the digest of what runs");
    exposition_sample(out, "twokey_config_info", 1,
                      EXPOSITION_LABELS("digest", snapshot->conf->digest));
    if (admin->options.has_drift != NULL)
        write_one(out, "twokey_config_drift", METRIC_GAUGE,
                  "1 while conf.d differs from its last import (mode enforced), or from what runs",
                  admin->options.has_drift(admin->options.context));
}

static void write_changes(struct call *call, struct buffer *out)
{
    struct ledger *ledger = call->admin->options.ledger;
    struct ledger_numbers numbers;

    if (ledger == NULL)
        return;
    numbers = ledger_numbers(ledger);
    write_one(out, "twokey_revision_running", METRIC_GAUGE, "number of the revision that runs",
              (double)numbers.running_rev);
    write_one(out, "twokey_revision_boot", METRIC_GAUGE,
              "number of the revision that a restart would run", (double)numbers.boot_rev);
    write_one(out, "twokey_confirm_pending", METRIC_GAUGE,
              "1 while a change waits for its confirmation", numbers.is_pending);
    write_one(out, "twokey_integrity_violated", METRIC_GAUGE,
              "1 while what is stored does not verify", numbers.is_violated);
    write_one(out, "twokey_rollback_undurable", METRIC_GAUGE,
              "1 while what runs could not be recorded yet", numbers.is_undurable);
    write_one(out, "twokey_breakglass_review_overdue", METRIC_GAUGE,
              "break-glass sessions whose review is overdue", numbers.reviews_overdue);
    exposition_family(out, "twokey_changes_open", METRIC_GAUGE, "changes that are not over");
    for (unsigned i = 0; i < CHANGE_STATE_COUNT; i++) {
        if (!change_is_terminal((enum change_state)i))
            exposition_sample(out, "twokey_changes_open", numbers.open[i],
                              EXPOSITION_LABELS("state", change_state_word((enum change_state)i)));
    }
}

static void write_gate(struct call *call, struct buffer *out)
{
    static const double values[] = {[GATE_INCONCLUSIVE] = -1, [GATE_PASS] = 0, [GATE_FAIL] = 1};
    struct ledger *ledger = call->admin->options.ledger;
    enum gate_word words[GATE_INPUTS];
    struct ledger_numbers numbers;

    if (ledger == NULL)
        return;
    numbers = ledger_numbers(ledger);
    exposition_family(out, "twokey_rollbacks_total", METRIC_COUNTER,
                      "ways back to what ran before, by cause");
    for (unsigned i = 0; i < ROLLBACK_CAUSES; i++)
        exposition_sample(out, "twokey_rollbacks_total", (double)numbers.rollbacks[i],
                          EXPOSITION_LABELS("cause", rollback_cause_words[i]));
    exposition_family(out, "twokey_gate_state", METRIC_GAUGE,
                      "of the change that waits: 0 passes, 1 fails, -1 is inconclusive");
    if (!ledger_gate_readings(ledger, words))
        return;
    for (unsigned i = 0; i < GATE_INPUTS; i++)
        exposition_sample(out, "twokey_gate_state", values[words[i]],
                          EXPOSITION_LABELS("input", gate_input_word((enum gate_input)i)));
}

static size_t count_alerts(const json_t *alerts, const char *name, const char *severity)
{
    const json_t *alert;
    size_t count = 0, i;

    json_array_foreach(alerts, i, alert) count +=
        strcmp(json_string_value(json_object_get(alert, "name")), name) == 0 &&
        strcmp(json_string_value(json_object_get(alert, "severity")), severity) == 0;
    return count;
}

/* Each kind with each severity that it has now; its usual one always. */
static void write_alerts(struct call *call, struct buffer *out)
{
    static const char *const severities[] = {"page", "ticket", "warning"};
    const struct alert_kind *kind;
    json_t *alerts;

    if (call->admin->options.watch == NULL)
        return;
    alerts = watch_alerts(call->admin->options.watch);
    exposition_family(out, "twokey_alerts", METRIC_GAUGE, "alerts that are raised now");
    for (size_t i = 0; (kind = alert_kind_at(i)) != NULL; i++) {
        for (size_t j = 0; j < sizeof(severities) / sizeof(severities[0]); j++) {
            size_t count = count_alerts(alerts, kind->name, severities[j]);

            if (count > 0 || strcmp(kind->severity, severities[j]) == 0)
                exposition_sample(out, "twokey_alerts", (double)count,
                                  EXPOSITION_LABELS("name", kind->name, "severity", severities[j]));
        }
    }
    json_decref(alerts);
}

static void write_certificates(struct call *call, struct buffer *out)
{
    const struct certificate_end *ends;
    size_t count;

    if (call->admin->options.watch == NULL)
        return;
    ends = watch_certificates(call->admin->options.watch, &count);
    if (count > 0)
        exposition_family(out, "twokey_certificate_not_after_seconds", METRIC_GAUGE,
                          "when it, or one of its chain, expires, seconds since 1970");
    for (size_t i = 0; i < count; i++)
        exposition_sample(out, "twokey_certificate_not_after_seconds",
                          (double)ends[i].not_after_ms / 1000.0,
                          EXPOSITION_LABELS("certificate", ends[i].name));
}

static void write_staple(void *out, const struct staple_end *end)
{
    exposition_sample(out, "twokey_certificate_staple_next_update_seconds",
                      (double)end->next_update_ms / 1000.0,
                      EXPOSITION_LABELS("certificate", end->name));
}

static void write_staples(struct call *call, struct buffer *out)
{
    const struct staples *staples =
        call->admin->options.watch != NULL ? watch_staples(call->admin->options.watch) : NULL;

    if (staples == NULL)
        return;
    exposition_family(out, "twokey_certificate_staple_next_update_seconds", METRIC_GAUGE,
                      "until when its staple (ocsp_file) holds, seconds since 1970; 0: none is "
                      "shown");
    staples_each(staples, write_staple, out);
}

static void write_notifications(struct call *call, struct buffer *out)
{
    const struct watch *watch = call->admin->options.watch;
    const struct alert_report *report = watch != NULL ? watch_report(watch) : NULL;

    if (report == NULL)
        return;
    exposition_family(out, "twokey_alert_notifications_total", METRIC_COUNTER,
                      "posts of alerts to receivers");
    for (size_t i = 0; i < report->count; i++) {
        const struct alert_receiver *receiver = &report->receivers[i];

        exposition_sample(out, "twokey_alert_notifications_total", (double)receiver->delivered,
                          EXPOSITION_LABELS("receiver", receiver->name, "outcome", "delivered"));
        exposition_sample(out, "twokey_alert_notifications_total", (double)receiver->failed,
                          EXPOSITION_LABELS("receiver", receiver->name, "outcome", "failed"));
    }
}

static double resident_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    double count = -3; /* ".", "..", and the one that lists them */

    if (directory == NULL)
        return 0;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static double cpu_seconds(void)
{
    struct timespec spent;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

/* --- the admin listener ------------------------------------------------------------------- */

static void write_admin(struct call *call, struct buffer *out)
{
    struct admin_listener_numbers numbers;

    if (call->admin->listener == NULL)
        return;
    numbers = admin_listener_numbers(call->admin->listener);
    write_one(out, "twokey_admin_connections_open", METRIC_GAUGE,
              "connections to the admin listener and its socket that are open now", numbers.open);
    write_one(out, "twokey_admin_connections_refused_total", METRIC_COUNTER,
              "connections to the admin listener closed at once: too many of one address",
              (double)numbers.tls.refused);
    write_one(out, "twokey_admin_tls_handshakes_total", METRIC_COUNTER,
              "TLS handshakes of the admin listener that succeeded",
              (double)numbers.tls.handshakes);
    write_one(out, "twokey_admin_tls_failures_total", METRIC_COUNTER,
              "TLS handshakes of the admin listener that failed", (double)numbers.tls.failures);
}

static void write_process(struct call *call, struct buffer *out)
{
    const struct admin *admin = call->admin;
    int64_t started_ms = clock_wall_ms() - (int64_t)(clock_ms() - admin->started_ms);
    struct rlimit files = {0};

    exposition_family(out, "twokey_build_info", METRIC_GAUGE, "1, with the version that runs");
    exposition_sample(out, "twokey_build_info", 1, EXPOSITION_LABELS("version", TWOKEY_VERSION));
    write_one(out, "twokey_snapshots_alive", METRIC_GAUGE,
              "snapshots that some request still needs, the current one included",
              (double)publisher_alive(admin->options.publisher));
    write_one(out, "twokey_workers", METRIC_GAUGE, "threads that carry requests",
              admin->options.worker_count);
    write_one(out, "process_cpu_seconds_total", METRIC_COUNTER, "processor time of all threads",
              cpu_seconds());
    write_one(out, "process_resident_memory_bytes", METRIC_GAUGE, "resident memory",
              resident_bytes());
    write_one(out, "process_open_fds", METRIC_GAUGE, "open descriptors", open_descriptors());
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        write_one(out, "process_max_fds", METRIC_GAUGE, "descriptors the process may open",
                  (double)files.rlim_cur);
    write_one(out, "process_start_time_seconds", METRIC_GAUGE,
              "when it started, seconds since 1970", (double)started_ms / 1000.0);
}

static void write_counters(struct call *call, struct buffer *out)
{
    const struct admin_options *options = &call->admin->options;
    const char *violations[H2_BUDGET_COUNT];
    struct exposition_words words = {.failures = options->failure_words,
                                     .troubles = options->trouble_words,
                                     .reasons = balance_reason_words,
                                     .reason_count = REASON_COUNT,
                                     .violations = violations,
                                     .violation_count = H2_BUDGET_COUNT};

    for (unsigned kind = 0; kind < H2_BUDGET_COUNT; kind++)
        violations[kind] = h2_budget_name(kind);
    while (options->failure_words != NULL && options->failure_words[words.failure_count] != NULL)
        words.failure_count++;
    while (options->trouble_words != NULL && options->trouble_words[words.trouble_count] != NULL)
        words.trouble_count++;
    exposition_write(out, options->counters, &words);
}

/* Of what is tried on a share of the connections: all workers' together. */
static void write_canary(struct call *call, struct buffer *out)
{
    static const char *const words[COUNTERS_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    const struct admin_options *options = &call->admin->options;
    unsigned workers = counters_worker_count(options->counters);

    write_one(out, "twokey_canary_percent", METRIC_GAUGE,
              "share of the connections that have a change first; 0: none is tried",
              publisher_candidate_below(options->publisher) * 100.0 / PUBLISH_WHOLE);
    exposition_family(out, "twokey_canary_responses_total", METRIC_COUNTER,
                      "of the responses, those of connections that had a change first");
    for (unsigned class = 0; class < COUNTERS_CLASSES; class ++) {
        uint64_t sum = 0;

        for (unsigned i = 0; i < workers; i++)
            sum += atomic_load_explicit(&counters_candidate(options->counters, i)->responses[class],
                                        memory_order_relaxed);
        exposition_sample(out, "twokey_canary_responses_total", (double)sum,
                          EXPOSITION_LABELS("code_class", words[class]));
    }
}

void on_metrics(struct call *call)
{
    const struct snapshot *snapshot = admin_snapshot(call->admin);
    struct buffer *out = &call->reply.body;

    write_counters(call, out);
    if (snapshot != NULL) {
        write_live(call, out, snapshot);
        write_distributions(call, out);
        write_configuration(call, out, snapshot);
    }
    write_changes(call, out);
    write_gate(call, out);
    write_alerts(call, out);
    write_canary(call, out);
    write_notifications(call, out);
    write_certificates(call, out);
    write_staples(call, out);
    write_admin(call, out);
    write_process(call, out);
    reply_written(call, 200, EXPOSITION_CONTENT_TYPE);
}
